#!/usr/bin/env python3
"""Compares deformconv with other implementations of the operator, and with the plain convolution of the same shape.

Every implementation first has to compute the same result; then all are timed in turns, in one process. Implementations
that are not installed are listed as not compared. See README.md beside this file for the command lines.
"""

import argparse
import os
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent


def parse():
    listed = (lambda text: text.split(","))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", type=pathlib.Path, help="libdeformconv.so; without it, cargo builds it")
    parser.add_argument("--peers-only", action="store_true", help="time the peers without ours")
    parser.add_argument("--peak", type=pathlib.Path, help="libfma_peak.so; without it, cargo builds it")
    parser.add_argument("--bandwidth", type=pathlib.Path, help="libmemory_bandwidth.so; without it, cargo builds it")
    parser.add_argument("--peers", type=listed, help="names, separated by commas; default all")
    parser.add_argument("--case", type=listed, help="cases, separated by commas; default all")
    parser.add_argument("--dtype", type=listed, default=["f32"], help="f32,f64; default f32")
    parser.add_argument("--pass", dest="passes", type=listed, default=["forward"], help="forward,backward")
    parser.add_argument("--threads", type=listed, default=["1"], help="numbers or 'all'; default 1")
    parser.add_argument("--isa", help="highest instruction set of ours: scalar, avx2, avx512, neon")
    parser.add_argument("--also-isa", type=listed, default=[], help="lower ones, for ours to take turns with as well")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--budget", type=float, default=2.0, help="seconds after which a slow one sits out; default 2")
    parser.add_argument("--json", type=pathlib.Path, help="write one JSON object a line to this file")
    parser.add_argument("--install", action="store_true", help="first install the pinned peers in cargo's target directory")
    return parser.parse_args()


def limit_threads_to_those_asked_for():
    """Libraries read these when they are loaded; what is asked for at run time overrides them."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main():
    options = parse()
    from comparison import build
    if options.install:
        build.run_again_in("peers", HERE / "comparison" / "requirements.txt")
    limit_threads_to_those_asked_for()
    try:
        from comparison import session
    except ImportError as error:
        sys.exit(f"nothing compared: {error}; --install makes an environment with the peers")
    return session.compare(options)


if __name__ == "__main__":
    sys.exit(main())
