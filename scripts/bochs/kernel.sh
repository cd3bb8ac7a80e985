#!/usr/bin/env bash
# Prints the path of a Linux kernel for Bochs: one that is there (DCN_BOCHS_KERNEL, the cache, an avx512-kit beside this
# project, which boots within two seconds), or the one of Debian's virtual machines, which takes ten seconds longer.
set -euo pipefail
. "$(dirname "$0")/../tools.sh"

PACKAGE=linux-image-cloud-amd64
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/deformconv
for kernel in "${DCN_BOCHS_KERNEL:-}" "$ROOT"/../*/avx512-kit/vmlinuz-tiny "$CACHE/vmlinuz-bochs"; do
    if [ -f "$kernel" ]; then
        echo "$kernel"
        exit
    fi
done

{
    need apt-get apt
    need dpkg-deb dpkg
    apt_update
    # Only depends on the newest kernel's package.
    newest=$(apt-cache depends "$PACKAGE" | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    [ -n "$newest" ] || {
        echo "there is no package $PACKAGE; a kernel for Bochs can be named with DCN_BOCHS_KERNEL"
        exit 1
    }
    echo "fetching $newest, whose kernel goes into $CACHE"
    mkdir -p "$CACHE"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    apt-get -qq -o APT::Sandbox::User=root download "$newest"
    dpkg-deb --extract ./*.deb .
    cp boot/vmlinuz-* "$CACHE/vmlinuz-bochs.$$"
    mv "$CACHE/vmlinuz-bochs.$$" "$CACHE/vmlinuz-bochs"
} >&2
echo "$CACHE/vmlinuz-bochs"
