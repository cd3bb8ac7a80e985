#!/usr/bin/env bash
# Prints the path of a Linux kernel for Bochs: DCN_BOCHS_KERNEL, or that of Debian's virtual machines, which is fetched
# once and kept in the cache. One of one's own with little in it boots in two seconds, ten seconds sooner.
set -euo pipefail
. "$(dirname "$0")/../tools.sh"

PACKAGE=linux-image-cloud-amd64
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/deformconv
kernel=${DCN_BOCHS_KERNEL:-$CACHE/vmlinuz-bochs}
if [ -f "$kernel" ]; then
    echo "$kernel"
    exit
fi
if [ -n "${DCN_BOCHS_KERNEL:-}" ]; then
    echo "DCN_BOCHS_KERNEL is $DCN_BOCHS_KERNEL, where there is no file" >&2
    exit 1
fi

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
