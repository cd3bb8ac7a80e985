#!/usr/bin/env bash
# The one command for a machine with CANN and an Atlas A2: builds library and kernels, runs a table of shapes against the CPU
# backend, prints errors and times. ASCEND_DEVICE chooses the device, SOC_VERSION what the kernels are built for.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
. "$(dirname "$0")/ascend-cann.sh"

WHAT=ascend-validate
if ! find_cann lib64; then
    leave_out "$WHAT" "there is no CANN in$CANN_TRIED; nothing was built and nothing was run"
fi
need cc gcc
need_cargo

scripts/build.sh
scripts/ascend-kernels.sh

mkdir -p "$BUILD/ascend"
program=$BUILD/ascend/validate
cc -std=c99 -O2 -Wall -Wextra -I include c_tests/ascend_validate/*.c -o "$program" -L "$RELEASE" -ldeformconv -ldl -lm -Wl,-rpath,"$RELEASE"

DCN_ASCEND_KERNEL_DIR=${DCN_ASCEND_KERNEL_DIR:-$BUILD/ascend} LD_LIBRARY_PATH="$CANN/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$program" "$@"
