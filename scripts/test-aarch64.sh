#!/usr/bin/env bash
# Builds the library and its tests for aarch64 and runs them, the NEON kernels among them, under qemu: with fewer random
# cases, since arithmetic takes some twenty times as long there. With `quick`, the tests that depend on the processor.
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
export DCN_TEST_PERCENT=${DCN_TEST_PERCENT:-5}

# The emulator of Ascend's cores is a program of the host's; what runs on it is the same on every host.
quick=" kernels golden forward backward exec float executor "
tests=()
for test in tests/*.rs tests/*/main.rs; do
    name=$(basename "${test%/main.rs}" .rs)
    if [[ $name == ascend* ]]; then
        did_not_run "$name on aarch64" "it is tested on the host"
    elif [ "${1:-}" = quick ] && [[ $quick != *" $name "* ]]; then
        did_not_run "$name on aarch64" "make test-aarch64 runs it"
    else
        tests+=(--test "$name")
    fi
done
# The same bits whoever runs the tasks take minutes under the emulator, for either pass.
slow=whoever_runs_it
did_not_run "$slow on aarch64" "it takes minutes under an emulator"

started=$SECONDS
status=0
cargo test --locked --target $TARGET --no-fail-fast --lib "${tests[@]}" -- --show-output --skip $slow || status=$?
echo "NEON and the aarch64 build were run under $(qemu-aarch64-static --version | head -1), -cpu $CPU," \
    "with $DCN_TEST_PERCENT % of the random cases, in $((SECONDS - started)) s"
exit $status
