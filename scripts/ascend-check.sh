#!/usr/bin/env bash
# Checks the syntax of the Ascend kernels with g++ against CANN's headers, for machines that have these but no compiler for the device.
set -uo pipefail
. "$(dirname "$0")/tools.sh"
. "$(dirname "$0")/ascend-cann.sh"

WHAT="syntax check of the Ascend kernels"
# The headers of CANN's CPU debugging library, which a host compiler understands.
if ! find_cann tools/tikicpulib/lib/include/tikicpulib.h; then
    leave_out "$WHAT" "no CANN headers (tools/tikicpulib) in$CANN_TRIED"
fi
need g++ g++ || exit 1

includes=(-I src/ascend/kernels)
for folder in tools/tikicpulib/lib/include compiler/tikcpp compiler/tikcpp/tikcfw compiler/tikcpp/tikcfw/interface compiler/tikcpp/tikcfw/impl \
    include include/ascendc/basic_api include/ascendc/basic_api/interface include/ascendc/basic_api/impl asc/include asc/include/basic_api asc/include/interface asc/impl; do
    [ -d "$CANN/$folder" ] && includes+=(-isystem "$CANN/$folder")
done
failed=0
for source in src/ascend/kernels/*.cpp; do
    # What CANN's own CPU build of a vector kernel for Atlas A2 defines.
    if g++ -std=c++17 -fsyntax-only -DASCENDC_CPU_DEBUG=1 -D__CCE_KT_TEST__=1 -D__CCE_AICORE__=220 -D__NPU_ARCH__=2201 -D__DAV_C220_VEC__ \
        -include tikicpulib.h "${includes[@]}" "$source"; then
        echo "ok: $source"
    else
        failed=$((failed + 1))
    fi
done
echo "$WHAT against $CANN: $failed failed"
[ "$failed" = 0 ]
