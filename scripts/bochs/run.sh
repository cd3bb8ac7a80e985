#!/usr/bin/env bash
# run.sh KERNEL COMMANDS PROGRAM...
# Boots KERNEL in the Bochs emulator with the programs, and the libraries they load, in its memory; the file COMMANDS says
# what runs (see init.c), the programs being in /. Prints what they print; fails if one fails.
set -euo pipefail
. "$(dirname "$0")/../tools.sh"

kernel=$1 commands=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
guest=$work/guest
image=$work/image
mkdir -p "$guest"/{dev,proc,sys,tmp} "$image/isolinux"

# The loader and the libraries keep their places.
libraries=$(for program; do ldd "$program"; done | grep -o '/[^ ]*' | sort -u)
for library in $libraries; do install -D "$library" "$guest$library"; done
for program; do strip -o "$guest/$(basename "$program")" "$program"; done
gcc -O1 -static "$ROOT/scripts/bochs/init.c" -o "$guest/init"
cp "$commands" "$guest/commands"
(cd "$guest" && find . | cpio --quiet -o -H newc) >"$image/memory" # not compressed: nothing to inflate in the emulator

cp "$kernel" "$image/kernel"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$image/isolinux/"
# Linux refuses the size that Bochs gives for XSAVES, and AVX with it: without XSAVES and XSAVEC it takes the plain format.
# ACPI and what trace_eval_init does are most of what a kernel of a distribution begins with, and not needed.
cat >"$image/isolinux/isolinux.cfg" <<END
DEFAULT linux
PROMPT 0
TIMEOUT 0
LABEL linux
 KERNEL /kernel
 INITRD /memory
 APPEND console=ttyS0 quiet acpi=off initcall_blacklist=trace_eval_init clearcpuid=xsaves,xsavec,pku mitigations=off nokaslr tsc=reliable no_timer_check nosmp noapic lpj=1000000 random.trust_cpu=on panic=-1
END
xorriso -as mkisofs -quiet -o "$work/disc.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot \
    -boot-load-size 4 -boot-info-table "$image" >/dev/null 2>&1

cat >"$work/bochsrc" <<END
config_interface: textconfig
display_library: term
cpu: model=corei7_skylake_x, count=1, ips=50000000, reset_on_triple_fault=0
megs: 512
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0: enabled=1
ata0-master: type=cdrom, path=$work/disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial
log: $work/log
panic: action=fatal
error: action=report
info: action=ignore
clock: sync=none, time0=local
END
printf 'c\nquit\n' >"$work/debugger" # Debian's Bochs starts in its debugger
: >"$work/serial"
# It draws the machine's screen on a terminal, which nobody looks at.
TERM=xterm script -qefc "timeout -s INT -k 5 ${LIMIT:-600} bochs -q -f $work/bochsrc -rc $work/debugger" \
    "$work/screen" </dev/null >/dev/null 2>&1 || true

tr -d '\r' <"$work/serial" | sed -n '/^@@ started/,$p' | grep -v '^@@'
last=$(tr -d '\r' <"$work/serial" | grep '^@@ finished' || true)
if [ -z "$last" ]; then
    echo "the emulated machine did not finish within ${LIMIT:-600} s" >&2
    exit 1
fi
[ "$last" = "@@ finished with 0 failures" ]
