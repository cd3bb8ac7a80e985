#!/usr/bin/env bash
# Installs the built library into build/prefix, compiles the C and C++ examples against it as any user would, and runs them all.
set -euo pipefail
. "$(dirname "$0")/tools.sh"

need cc gcc
out=$BUILD/demo
prefix=$BUILD/prefix
mkdir -p "$out"
PREFIX=$prefix LIBDIR=$prefix/lib INCLUDEDIR=$prefix/include DESTDIR='' scripts/install.sh install

compile() {
    cc -std=c99 -O2 -Wall -Wextra -Wpedantic "examples/c/$1.c" -o "$out/$1" \
        -I"$prefix/include" -L"$prefix/lib" -Wl,-rpath,"$prefix/lib" -ldeformconv -lm
}

echo
echo "== the published example of mx_driving.modulated_deform_conv2d (examples/c/published_example.c)"
compile published_example
"$out/published_example"

echo
echo "== a photograph, warped by a deformable convolution (examples/c/warp.c)"
compile warp
for warp in swirl lens; do
    "$out/warp" $warp examples/data/coffee.ppm "$out/$warp.ppm"
done
if need python3 python3-minimal; then
    for warp in swirl lens; do
        python3 scripts/picture.py png "$out/$warp.ppm" "$out/$warp.png"
        python3 scripts/picture.py compare "$out/$warp.ppm" "docs/images/$warp.png"
    done
else
    did_not_run "the comparison of the warped pictures with docs/images" "no python3"
fi

echo
echo "== layers of an inference engine, from C++ (examples/cpp/layers.cpp)"
if need c++ g++; then
    c++ -std=c++11 -O2 -Wall -Wextra -Wpedantic examples/cpp/layers.cpp -o "$out/layers" \
        -I"$prefix/include" -L"$prefix/lib" -Wl,-rpath,"$prefix/lib" -ldeformconv
    "$out/layers"
else
    did_not_run "the C++ example" "no C++ compiler"
fi

echo
echo "== from Python, with numpy (examples/python/demo.py)"
if need_numpy; then
    "$PYTHON" -B examples/python/demo.py
else
    did_not_run "the Python example" "no Python 3 with numpy"
fi

echo
echo "The pictures: ${out#"$ROOT/"}/swirl.ppm and lens.ppm$([ ! -f "$out/lens.png" ] || echo ', also as .png')," \
    "from examples/data/coffee.ppm"
