#!/usr/bin/env bash
# Looks into the released library for instructions of the kernels that are called instead of being part of a kernel: the
# compiler may do that where a function without the instruction set comes between, a closure given to an iterator for
# example, and then each of them costs a call. No result shows it.
set -euo pipefail
. "$(dirname "$0")/tools.sh"

library=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/libdeformconv.so
if ! need nm binutils; then
    leave_out "instructions left as functions" "no nm"
fi
# Which instructions there are is asked once, when a context is made.
left=$(nm -C "$library" | grep 'core_arch::' | grep -v '::_xgetbv' || true)
if [ -n "$left" ]; then
    echo "not part of a kernel, but functions of their own:"
    echo "$left"
    exit 1
fi
echo "all instructions of the kernels are part of them"
