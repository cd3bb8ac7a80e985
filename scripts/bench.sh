#!/usr/bin/env bash
# bench.sh [option...]: measures the library; the options are those of benches/README.md.
# bench.sh peers [option...]: compares it with the other implementations that python3 can import.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
need_cargo
mkdir -p "$BUILD/bench"
if [ "${1:-}" = peers ]; then
    shift
    python3 benches/peers.py --json "$BUILD/bench/peers.jsonl" "$@"
else
    cargo bench --locked --bench passes -- --json "$BUILD/bench/passes.jsonl" "$@"
fi
echo "The rows as JSON are in build/bench."
