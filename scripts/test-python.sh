#!/usr/bin/env bash
# test-python.sh [full]: installs bindings/python in a virtual environment below build/, and runs its tests there.
#
# Without an argument the environment is thrown away afterwards. It has numpy, and PyTorch if the machine's python3 has it.
# With `full` it is kept, has the pinned PyTorch and torchvision, and the examples run too. DEFORMCONV_PYTHON may name a Python
# that already has what tests/requirements-full.txt lists; it is left as it is.
set -euo pipefail
. "$(dirname "$0")/tools.sh"

PACKAGE=$ROOT/bindings/python
WHAT="the Python package"
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export OMP_NUM_THREADS=2 # PyTorch's threads spin where others want to compute

need python3 python3-minimal && python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    leave_out "$WHAT" "no Python 3.10 or later"

# make_venv <directory> [option]
make_venv() {
    python3 -m venv "${2:---clear}" "$1" >/dev/null 2>&1 ||
        { apt_install python3-venv && python3 -m venv "${2:---clear}" "$1" >/dev/null 2>&1; }
}

# The package with the library that this repository built, and numpy alone.
quick() {
    local venv=$BUILD/python-test options=--clear
    trap 'rm -rf "$BUILD/python-test"' EXIT
    rm -rf "$venv"
    ! python3 -c 'import torch' 2>/dev/null || options=--system-site-packages
    make_venv "$venv" "$options" && "$venv/bin/pip" -q install numpy ml_dtypes pytest 'setuptools>=77' >/dev/null 2>&1 ||
        leave_out "$WHAT" "no virtual environment, or pip cannot install what its tests need"
    DEFORMCONV_LIBRARY=$RELEASE/libdeformconv.so "$venv/bin/pip" -q install --no-build-isolation --no-deps "$PACKAGE"
    (cd "$venv" && bin/python -m pytest -q "$PACKAGE")
}

# The package as the README installs it, with everything that it can work with.
full() {
    local python=${DEFORMCONV_PYTHON:-}
    if [ -n "$python" ]; then
        rm -rf "$BUILD/python-packages"
        "$python" -m pip -q install --no-deps --target "$BUILD/python-packages" "$PACKAGE"
        export PYTHONPATH=$BUILD/python-packages
    else
        python=$BUILD/python-full/bin/python
        [ -x "$python" ] || make_venv "$BUILD/python-full"
        "$python" -m pip -q install -r "$PACKAGE/tests/requirements-full.txt"
        "$python" -m pip -q install --force-reinstall --no-deps "$PACKAGE"
    fi
    (cd "$BUILD" && "$python" -m pytest -q "$PACKAGE")
    for example in published_example train_digits; do
        echo
        echo "== examples/python/$example.py"
        "$python" "examples/python/$example.py"
    done
}

case ${1:-quick} in
quick | full) "${1:-quick}" ;;
*)
    echo "usage: $0 [full]" >&2
    exit 2
    ;;
esac
