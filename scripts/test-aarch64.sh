#!/usr/bin/env bash
# Builds the library and all its Rust tests for aarch64 and runs them under qemu, the NEON kernels and the C programs among
# them. Arithmetic takes some twenty times as long there: with `quick`, what repeats itself is cut to DCN_TEST_PERCENT
# (5 unless it is set) of it; without, all takes hours.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
need_cargo

TARGET=aarch64-unknown-linux-gnu
CPU=cortex-a76 # closest to the processors that stand beside Ascend cards
if [ "$(uname -m)" = aarch64 ]; then
    echo "NEON ran in the tests above, on this processor"
    nothing_ran
fi
if ! { [ -d "$(rustc --print sysroot)/lib/rustlib/$TARGET" ] || { have rustup && rustup -q target add $TARGET >/dev/null 2>&1; }; }; then
    leave_out "NEON" "no Rust standard library for $TARGET"
fi
if ! { need qemu-aarch64-static qemu-user-static && need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu &&
    need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu &&
    need_file /usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross; }; then
    leave_out "NEON" "no emulator or no compiler for $TARGET"
fi
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -cpu $CPU -L /usr/aarch64-linux-gnu"
if [ "${1:-}" = quick ]; then
    export DCN_TEST_PERCENT=${DCN_TEST_PERCENT:-5}
    did_not_run "$((100 - DCN_TEST_PERCENT)) % of what the tests for aarch64 repeat" "an emulator takes long; make test-aarch64 runs it"
fi

# test_program <name>: "lib" are the tests within the library. Prints the whole output at once.
test_program() {
    local target=(--test "$1") log status=0
    [ "$1" != lib ] || target=(--lib)
    log=$(mktemp)
    cargo test --locked --target "$TARGET" "${target[@]}" -- --show-output >"$log" 2>&1 || status=$?
    flock "$PRINTING" cat "$log"
    rm "$log"
    return "$status"
}
export -f test_program
export TARGET PRINTING=$ROOT/Cargo.toml

# Most of them have tests that wait for each other: each processor runs a program of its own, those that take longest first.
programs=(backward c_programs same_bits large_weights ascend forward)
for test in lib tests/*.rs tests/*/main.rs; do
    name=$(basename "${test%/main.rs}" .rs)
    [[ " ${programs[*]} " == *" $name "* ]] || programs+=("$name")
done
started=$SECONDS
status=0
cargo test --locked --target $TARGET --tests --no-run
printf '%s\n' "${programs[@]}" |
    RUST_TEST_THREADS=${RUST_TEST_THREADS:-1} xargs -P "$(nproc)" -I{} bash -c 'test_program {}' || status=$?
echo "NEON and the aarch64 build were run under $(qemu-aarch64-static --version | head -1), -cpu $CPU," \
    "with ${DCN_TEST_PERCENT:-100} % of what repeats itself, in $((SECONDS - started)) s"
exit $status
