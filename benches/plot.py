#!/usr/bin/env python3
"""Draws the pictures of docs/performance.md and writes its table of times, from a measurement.

Without a path it takes the newest file of docs/measurements. The same measurement gives the same bytes.
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurement", nargs="?", type=pathlib.Path, help="what peers.py --json wrote")
    parser.add_argument("--images", type=pathlib.Path, default=DOCS / "images", help="where the pictures go")
    parser.add_argument("--kind", choices=("svg", "png"), default="svg")
    parser.add_argument("--install", action="store_true", help="first install the pinned matplotlib in cargo's target directory")
    return parser.parse_args()


def main():
    options = parse()
    if options.install:
        from comparison import build
        build.run_again_in("plots", HERE / "plots" / "requirements.txt")
    try:
        from plots import bars, roofline, style
    except ImportError as error:
        sys.exit(f"nothing drawn: {error}; --install makes an environment with matplotlib")
    from plots import numbers
    from plots.measurement import Measurement
    path = options.measurement or max(DOCS.glob("measurements/*.jsonl"), default=None)
    if path is None:
        sys.exit("there is no measurement in docs/measurements: make performance")
    measurement = Measurement(path)
    style.save(roofline.draw(measurement), options.images, "roofline", options.kind)
    for direction in ("forward", "backward"):
        style.save(bars.draw(measurement, direction), options.images, f"{direction}-times", options.kind)
    numbers.write(measurement, [DOCS / "performance.md", DOCS.parent / "README.md"])


if __name__ == "__main__":
    main()
