#!/usr/bin/env bash
# Runs every AVX-512 kernel of the table against the scalar one, and whole problems of both passes, on the processor model
# of Bochs: for machines that have no AVX-512. With `where-missing`, only there.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
need_cargo

if [ "$(uname -m)" != x86_64 ]; then
    leave_out "AVX-512 under Bochs" "the library for $(uname -m) has none"
fi
if [ "${1:-}" = where-missing ] && grep -q 'avx512f.*avx512dq.*avx512bw.*avx512vl' /proc/cpuinfo; then
    echo "AVX-512 ran in the tests above, on this processor: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)"
    nothing_ran
fi
need bochs bochs && need xorriso xorriso && need cpio cpio && need strip binutils && need script bsdutils &&
    need_file /usr/share/bochs/BIOS-bochs-latest bochsbios && need_file /usr/share/bochs/VGABIOS-lgpl-latest vgabios &&
    need_file "/usr/lib/*/bochs/plugins/libbx_term_gui.so" bochs-term &&
    need_file /usr/lib/ISOLINUX/isolinux.bin isolinux &&
    need_file /usr/lib/syslinux/modules/bios/ldlinux.c32 syslinux-common &&
    kernel=$(scripts/bochs/kernel.sh) ||
    leave_out "AVX-512 under Bochs" "Bochs or a kernel for it cannot be had"

mkdir -p "$BUILD/bochs"
programs=$BUILD/bochs/programs
rm -rf "$programs"
mkdir "$programs"
cargo test --locked --no-run --test kernels --test forward --test backward 2>&1 |
    sed -n 's/.*Executable tests\/\([a-z]*\).* (\(.*\))$/\1 \2/p' |
    while read -r test binary; do ln -s "$(realpath "$binary")" "$programs/$test"; done

# The kernels' tests go over the table. With DCN_TEST_ISA all fail if the emulated processor does not have AVX-512.
cat >"$BUILD/bochs/commands" <<'END'
DCN_TEST_ISA=avx512
DCN_TEST_PERCENT=25
/kernels --test-threads=1
DCN_TEST_PERCENT=6
/forward --test-threads=1 every_instruction_set_has_its_kernels random_problems depthwise masks offsets --skip large
DCN_TEST_PERCENT=3
/backward --test-threads=1 random_problems depthwise --skip large
END
started=$SECONDS
LIMIT=${LIMIT:-600} scripts/bochs/run.sh "$kernel" "$BUILD/bochs/commands" "$programs"/*
did_not_run "most of what the tests of AVX-512 repeat, and large problems" "an emulator takes long"
echo "AVX-512 ran under $(dpkg-query -Wf 'Bochs ${Version}' bochs), model corei7_skylake_x, in $((SECONDS - started)) s"
