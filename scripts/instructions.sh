#!/usr/bin/env bash
# instructions.sh: counts the instructions of scaled-down cases under callgrind and compares them with the committed counts.
# instructions.sh --bless: counts them, and makes them the committed ones.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
need_cargo
need valgrind valgrind || leave_out "the instruction counts" "no valgrind"

# The committed counts are those of the release profile as Cargo.toml has it.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
program=$(cargo bench --locked --no-run --bench instructions --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
status=0
"$program" "$@" || status=$?
[ "$status" != 77 ] || nothing_ran
exit "$status"
