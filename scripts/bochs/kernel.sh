#!/usr/bin/env bash
# Prints the path of a Linux kernel that boots in Bochs within seconds: one that is there (DCN_BOCHS_KERNEL, the cache, an
# avx512-kit beside this project), or one built from Debian's sources, which takes ten minutes once.
set -euo pipefail
. "$(dirname "$0")/../tools.sh"

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/deformconv
for kernel in "${DCN_BOCHS_KERNEL:-}" "$CACHE/vmlinuz-bochs" "$ROOT"/../*/avx512-kit/vmlinuz-tiny; do
    if [ -f "$kernel" ]; then
        echo "$kernel"
        exit
    fi
done

{
    for package in "gcc gcc" "make make" "flex flex" "bison bison" "bc bc" "lz4 lz4" "xz xz-utils" "dpkg dpkg"; do
        # shellcheck disable=SC2086
        need $package || exit 1
    done
    need_file /usr/include/libelf.h libelf-dev
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    echo "building a kernel for Bochs, once, into $CACHE"
    apt-get -qq -o APT::Sandbox::User=root download linux-source-6.1
    dpkg -x linux-source-6.1_*.deb .
    tar -xf usr/src/linux-source-6.1.tar.xz
    cd linux-source-6.1
    make tinyconfig
    scripts/kconfig/merge_config.sh -m .config "$ROOT/scripts/bochs/kernel.config"
    make olddefconfig
    make -j"${JOBS:-2}" bzImage
    mkdir -p "$CACHE"
    cp arch/x86/boot/bzImage "$CACHE/vmlinuz-bochs.$$"
    mv "$CACHE/vmlinuz-bochs.$$" "$CACHE/vmlinuz-bochs"
} >&2
echo "$CACHE/vmlinuz-bochs"
