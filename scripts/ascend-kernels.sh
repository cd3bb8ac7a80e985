#!/usr/bin/env bash
# Builds the Ascend kernels with the CANN toolkit of this machine, for SOC_VERSION (default Ascend910B1; `npu-smi info` names it).
set -euo pipefail
. "$(dirname "$0")/tools.sh"
. "$(dirname "$0")/ascend-cann.sh"

SOC_VERSION=${SOC_VERSION:-Ascend910B1}
OUT=$BUILD/ascend

modules=
for folder in tools/tikcpp/ascendc_kernel_cmake compiler/tikcpp/ascendc_kernel_cmake ascendc_devkit/tikcpp/samples/cmake; do
    if find_cann "$folder/ascendc.cmake"; then
        modules=$folder
        break
    fi
done
if [ -z "$modules" ]; then
    {
        echo "ascend-kernels: no CANN toolkit with ascendc.cmake; looked in$CANN_TRIED."
        echo "Install CANN 8.1 or later (the toolkit, not only the runtime), source its set_env.sh, and run this again."
        echo "Without it nothing is missing but the kernel binary: the library builds, and says so in dcn_backend_status."
    } >&2
    exit 1
fi
need cmake cmake

mkdir -p "$OUT"
cmake -S src/ascend/kernels -B "$OUT/cmake" -DSOC_VERSION="$SOC_VERSION" -DASCEND_CANN_PACKAGE_PATH="$CANN" -DCMAKE_INSTALL_PREFIX="$OUT/install"
cmake --build "$OUT/cmake" --parallel
cmake --install "$OUT/cmake"

binary=$(find "$OUT/install/fatbin" -name 'deformconv_ascend*.o' 2>/dev/null | head -n 1)
if [ -z "$binary" ]; then
    echo "ascend-kernels: CANN's build ended well, but left no $OUT/install/fatbin/*/deformconv_ascend*.o" >&2
    exit 1
fi
cp "$binary" "$OUT/"
echo "built $OUT/$(basename "$binary") for $SOC_VERSION with CANN in $CANN"
echo "deformconv looks for it in DCN_ASCEND_KERNEL_DIR, then beside libdeformconv.so"
