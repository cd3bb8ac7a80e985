#!/usr/bin/env bash
# Installs the built library under a temporary DESTDIR and uses it as its users would: through pkg-config, shared and
# static, and CMake, with the program and the CMake lines of the README.
set -euo pipefail
. "$(dirname "$0")/tools.sh"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
export DESTDIR=$root/image PREFIX=/opt/deformconv LIBDIR=/opt/deformconv/lib INCLUDEDIR=/opt/deformconv/include
lib=$DESTDIR$LIBDIR

wrong() {
    echo "WRONG: $1" >&2
    exit 1
}

# readme_block <language>: the README's first fenced block of that language.
readme_block() { awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } on && $0 == "```" { exit } on' README.md; }

# runs <program...>: prints what the README says its program prints.
runs() {
    local got
    got=$("$@") || wrong "$* failed"
    [ "$got" = "$(readme_block text)" ] || wrong "$* printed: $got"
}

scripts/install.sh install
for file in libdeformconv.so libdeformconv.so.0.1 libdeformconv.so.0.1.0 libdeformconv.a pkgconfig/deformconv.pc; do
    [ -f "$lib/$file" ] || wrong "$LIBDIR/$file is missing"
done
if have readelf; then
    soname=$(readelf -d "$lib/libdeformconv.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
    [ "$(readlink "$lib/${soname:-none}")" = libdeformconv.so.0.1.0 ] ||
        wrong "the SONAME is '$soname', and no link of that name leads to the library"
else
    did_not_run "the check of the SONAME" "no readelf"
fi

readme_block c >"$root/half.c"
grep -q dcn_ "$root/half.c" || wrong "the README has no C program"
export LD_LIBRARY_PATH=$lib
if have pkg-config; then
    export PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$DESTDIR
    read -ra flags < <(pkg-config --cflags --libs deformconv)
    cc -std=c99 -Wall -Wextra -Wpedantic -Werror "$root/half.c" -o "$root/shared" "${flags[@]}"
    runs "$root/shared"
    read -ra flags < <(pkg-config --static --cflags --libs deformconv)
    cc "$root/half.c" -o "$root/static" "${flags[@]/-ldeformconv/-l:libdeformconv.a}"
    LD_LIBRARY_PATH='' runs "$root/static"
    asked=$(echo | rustc --crate-type staticlib --print native-static-libs - -o "$root/empty.a" 2>&1 |
        sed -n 's/.*native-static-libs: //p')
    for library in $asked; do
        grep -q "^Libs.private:.* $library\b" packaging/deformconv.pc.in ||
            wrong "Rust's static libraries need $library; deformconv.pc does not say so"
    done
    echo "the README's program runs, linked with the shared and the static library through pkg-config"
else
    did_not_run "linking through pkg-config" "no pkg-config"
fi

if have cmake && have pkg-config; then
    mkdir "$root/cmake"
    readme_block cmake >"$root/cmake/lines"
    cat - "$root/cmake/lines" >"$root/cmake/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(half C)
add_executable(app ../half.c)
END
    cmake -S "$root/cmake" -B "$root/cmake/build" >/dev/null
    cmake --build "$root/cmake/build" >/dev/null
    runs "$root/cmake/build/app"
    echo "the README's CMake lines build it"
else
    did_not_run "the README's CMake lines" "no cmake"
fi

if have valgrind; then
    valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=9 "$root/shared" >/dev/null ||
        wrong "valgrind found errors"
    echo "valgrind finds nothing in it"
else
    did_not_run "the README's program under valgrind" "no valgrind"
fi

scripts/install.sh uninstall
left=$(find "$DESTDIR" ! -type d)
[ -z "$left" ] || wrong "uninstall left $left"
