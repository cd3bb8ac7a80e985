#!/usr/bin/env bash
# Runs the kernels under Miri, which finds undefined behaviour: the scalar ones and those of AVX2, but for those of f16, on
# few sizes; then the forward pass on a few random problems, and a backward pass that leaves room unwritten.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
need_cargo

if ! have rustup || ! rustup -q component add miri rust-src --toolchain nightly >/dev/null 2>&1; then
    leave_out "Miri" "no nightly toolchain with miri and rust-src"
fi
export MIRIFLAGS="-Zmiri-disable-isolation ${MIRIFLAGS:-}"
export PROPTEST_CASES=${PROPTEST_CASES:-2} DCN_TEST_PERCENT=${DCN_TEST_PERCENT:-3}
cargo +nightly miri test --locked --test kernels
# Miri's processor has what the program was compiled for.
if [ "$(uname -m)" = x86_64 ]; then
    RUSTFLAGS="-C target-feature=+avx2,+fma,+f16c" cargo +nightly miri test --locked --test kernels
fi
cargo +nightly miri test --locked --test forward -- --exact random_problems_in_f32
cargo +nightly miri test --locked --test backward -- --exact units_of_unequal_size_in_a_batch
