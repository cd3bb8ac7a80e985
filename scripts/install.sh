#!/usr/bin/env bash
# install.sh install|uninstall, with PREFIX, LIBDIR, INCLUDEDIR and DESTDIR from the environment; the library is built.
set -euo pipefail
. "$(dirname "$0")/tools.sh"

PREFIX=${PREFIX:-/usr/local}
LIBDIR=${LIBDIR:-$PREFIX/lib}
INCLUDEDIR=${INCLUDEDIR:-$PREFIX/include}
DESTDIR=${DESTDIR:-}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
abi=${version%%.*}
[ "$abi" != 0 ] || abi=${version%.*} # as build.rs: while the release is 0.x the SONAME carries the minor
lib=$DESTDIR$LIBDIR
include=$DESTDIR$INCLUDEDIR/deformconv

case ${1:-} in
install)
    install -d "$lib/pkgconfig" "$include"
    install -m 755 "$RELEASE/libdeformconv.so" "$lib/libdeformconv.so.$version"
    ln -sf "libdeformconv.so.$version" "$lib/libdeformconv.so.$abi"
    ln -sf "libdeformconv.so.$abi" "$lib/libdeformconv.so"
    install -m 644 "$RELEASE/libdeformconv.a" "$lib"
    install -m 644 include/deformconv/* "$include"
    sed -e "s|@PREFIX@|$PREFIX|" -e "s|@LIBDIR@|$LIBDIR|" -e "s|@INCLUDEDIR@|$INCLUDEDIR|" -e "s|@VERSION@|$version|" \
        packaging/deformconv.pc.in >"$lib/pkgconfig/deformconv.pc"
    chmod 644 "$lib/pkgconfig/deformconv.pc"
    echo "installed deformconv $version in $DESTDIR$PREFIX"
    ;;
uninstall)
    rm -f "$lib/libdeformconv.so.$version" "$lib/libdeformconv.so.$abi" "$lib/libdeformconv.so" "$lib/libdeformconv.a" \
        "$lib/pkgconfig/deformconv.pc"
    for header in include/deformconv/*; do
        rm -f "$include/${header##*/}"
    done
    if [ -d "$include" ]; then rmdir --ignore-fail-on-non-empty "$include"; fi
    echo "removed deformconv $version from $DESTDIR$PREFIX"
    ;;
*)
    echo "usage: $0 install|uninstall" >&2
    exit 2
    ;;
esac
