#!/usr/bin/env python3
"""Measures the memory that one run needs, beside other implementations, and prints the library's workspace sizes.

Every implementation runs once in a process of its own, on one thread. Measured is by how much the peak of the resident
memory grows over the state with the inputs made, the library loaded and, for those that have such a thing, the model
compiled or the plan made and the weights packed. The outputs count. Linux only.
"""

import argparse
import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True
MB = 1e6


def parse():
    listed = (lambda text: text.split(","))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", type=pathlib.Path, help="libdeformconv.so; without it, cargo builds it")
    parser.add_argument("--case", type=listed, default=["s2", "bev256"], help="default s2,bev256")
    parser.add_argument("--json", type=pathlib.Path, help="write one JSON object a line to this file")
    return parser.parse_args()


def main():
    options = parse()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from comparison import build, cases, implementations, peak_memory
    library = options.lib or build.libraries([["--lib"]])["deformconv"]
    rows = []
    print(f"{'case':8} {'pass':8} {'implementation':14} {'MB':>7} {'outputs':>8}  note")
    for case in cases.load():
        for direction in ("forward", "backward") if case.name in options.case else ():
            for name in ("deformconv", *implementations.OPERATORS):
                row = peak_memory.in_a_fresh_process(name, case, direction, library)
                rows.append(row)
                growth, outputs = (f"{row[key] / MB:.1f}" if key in row else "-" for key in ("growth", "outputs"))
                note = row.get("note", "")
                print(f"{case.name:8} {direction:8} {name:14} {growth:>7} {outputs:>8}  {note}", flush=True)
    print(f"\n{'case':8} {'pass':8} {'threads':>7} {'workspace':>10} {'bound':>8}  MB")
    for row in peak_memory.workspaces(library):
        rows.append(row)
        excess = "  BEYOND THE BOUND" if row["workspace"] > row["bound"] else ""
        print(f"{row['case']:8} {row['pass']:8} {row['threads']:>7} {row['workspace'] / MB:>10.2f} "
              f"{row['bound'] / MB:>8.2f}{excess}")
    if options.json:
        options.json.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
