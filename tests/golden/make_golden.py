#!/usr/bin/env python3
"""Remakes the golden cases beside this file from the programs they come from.

    make_golden.py            write torchvision/*.safetensors and onnx/*.safetensors
    make_golden.py --check    remake them in a temporary folder and compare with the committed ones

The versions that made the committed files are pinned in requirements.txt. If this interpreter does not have exactly
those, they are installed into a throw-away virtual environment, which is gone when the script ends.
"""

import argparse
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"


def pinned_versions_present():
    for line in REQUIREMENTS.read_text().split():
        package, version = line.split("==")
        try:
            installed = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return False
        if installed.split("+")[0] != version:  # a local part such as +cpu names a build, not another version
            return False
    return True


def rerun_in_throw_away_venv():
    with tempfile.TemporaryDirectory(prefix="golden-venv-") as folder:
        venv.create(folder, with_pip=True)
        python = os.path.join(folder, "bin", "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)], check=True)
        return subprocess.run([python, __file__, *sys.argv[1:]]).returncode


def write_cases(folder):
    """Writes every case below `folder` and returns the paths relative to it."""
    import onnx_cases
    import torchvision_cases
    from case_file import write_case

    written = []
    for module in (torchvision_cases, onnx_cases):
        (folder / module.FOLDER).mkdir(parents=True, exist_ok=True)
        for name, tensors, metadata in module.cases():
            path = Path(module.FOLDER) / f"{name}.safetensors"
            assert path not in written, f"two cases are named {path}"
            write_case(folder / path, tensors, metadata)
            written.append(path)
    return written


def committed_cases():
    return sorted(path.relative_to(HERE) for path in HERE.glob("*/*.safetensors"))


def remake():
    written = write_cases(HERE)
    for path in set(committed_cases()).difference(written):
        (HERE / path).unlink()
    size = sum((HERE / path).stat().st_size for path in written)
    print(f"{len(written)} cases, {size / 1e6:.2f} MB")


def check():
    from case_file import difference

    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        remade = Path(folder)
        if sorted(write_cases(remade)) != committed_cases():
            sys.exit("the committed files are not the cases that this script writes")
        differences = {path: difference(HERE / path, remade / path) for path in committed_cases()}
    for path, what in differences.items():
        if what:
            print(f"{path}: {what}")
    if any(differences.values()):
        sys.exit(1)
    print(f"{len(differences)} cases agree with the committed ones")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed files instead of writing them")
    arguments = parser.parse_args()
    if not pinned_versions_present():
        sys.exit(rerun_in_throw_away_venv())
    check() if arguments.check else remake()


if __name__ == "__main__":
    main()
