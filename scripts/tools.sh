# shellcheck shell=bash
# Sourced by the other scripts: where things are, and the tools that a part needs.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build
# shellcheck disable=SC2034
RELEASE=${CARGO_TARGET_DIR:-$ROOT/target}/release
cd "$ROOT" || exit 1

have() { command -v "$1" >/dev/null 2>&1; }

# The form in which every script and test says that something was left out; `make test` collects these lines.
did_not_run() { echo "did not run: $1: $2"; }

# Ends a script none of whose work was done. `make test` sets LEFT_OUT_STATUS, by which it knows such a part from one that passed.
nothing_ran() { exit "${LEFT_OUT_STATUS:-0}"; }

# The same, when something is missing.
leave_out() {
    did_not_run "$@"
    nothing_ran
}

# Once, and only for those who may.
apt_update() {
    if [ -z "${APT_UPDATED:-}" ] && [ "$(id -u)" = 0 ]; then
        APT_UPDATED=1
        apt-get -qq update >/dev/null 2>&1 || true
    fi
}

apt_install() {
    have apt-get && [ "$(id -u)" = 0 ] || return
    apt_update
    echo "installing $1 with apt-get"
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$1" >/dev/null 2>&1
}

# need <command> <Debian package>: true if the command is there in the end.
need() {
    have "$1" || { apt_install "$2" && have "$1"; } || {
        echo "$1 is missing; on Debian: apt-get install $2"
        return 1
    }
}

# need_file <path, maybe a pattern> <Debian package>: true if there is such a file in the end.
need_file() {
    compgen -G "$1" >/dev/null || { apt_install "$2" && compgen -G "$1" >/dev/null; } || {
        echo "$1 is missing; on Debian: apt-get install $2"
        return 1
    }
}

need_cargo() {
    have cargo || PATH=$PATH:$HOME/.cargo/bin
    have cargo || {
        echo "cargo is missing: deformconv is built with Rust 1.89 or later, which https://rustup.rs installs" >&2
        exit 1
    }
    need cc gcc || exit 1 # Rust links with it
}

# need_component <rustup component> <command>
need_component() {
    have "$2" || { have rustup && rustup component add "$1" >/dev/null 2>&1 && have "$2"; }
}

# Sets PYTHON to a Python 3 that has numpy; false if there is none and none can be had.
need_numpy() {
    local python
    for python in python3 "$BUILD/venv/bin/python" /usr/bin/python3; do
        PYTHON=$python
        "$PYTHON" -c 'import numpy' 2>/dev/null && return
    done
    PYTHON=$BUILD/venv/bin/python
    if have python3 && python3 -m venv "$BUILD/venv" >/dev/null 2>&1; then
        echo "installing numpy with pip into $BUILD/venv"
        "$PYTHON" -m pip -q install numpy >/dev/null 2>&1 && return
    fi
    PYTHON=/usr/bin/python3
    apt_install python3-numpy && "$PYTHON" -c 'import numpy' 2>/dev/null
}
