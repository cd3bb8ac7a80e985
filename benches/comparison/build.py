"""Builds what is compared: the release library and the loops that measure the machine; and virtual environments."""

import json
import os
import pathlib
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).parents[2]
TARGET = ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target")


def libraries(wanted):
    """Paths of the shared libraries that cargo makes of the targets `wanted`."""
    command = ["cargo", "build", "--release", "--message-format=json-render-diagnostics"]
    command += [argument for target in wanted for argument in target]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    built = {}
    for message in map(json.loads, output.splitlines()):
        if message["reason"] == "compiler-artifact":
            shared = [f for f in message["filenames"] if f.endswith((".so", ".dylib"))]
            built |= {message["target"]["name"]: shared[0]} if shared else {}
    return built


def run_again_in(name, requirements):
    """Makes a virtual environment in cargo's target directory with what the file pins.

    Runs this script there, without --install.
    """
    directory = TARGET / name
    python = directory / "bin" / "python"
    if not python.exists():
        venv.create(directory, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
    arguments = [a for a in sys.argv if a != "--install"]
    os.execv(python, [python, *arguments])
