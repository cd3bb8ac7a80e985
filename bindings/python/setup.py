"""Builds the wheel: the package, and in it the shared library that cargo builds or DEFORMCONV_LIBRARY names."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.errors import SetupError

HERE = Path(__file__).resolve().parent
CRATE = HERE.parents[1]
LIBRARY = "libdeformconv.so"
# setuptools packs what it finds here; a folder that outlives the build would keep modules that are long gone.
BUILD = tempfile.TemporaryDirectory()


def version():
    """The version of the library; a source distribution carries it in PKG-INFO."""
    for file, pattern in ((CRATE / "Cargo.toml", r'^version = "(.+)"'), (HERE / "PKG-INFO", r"^Version: (.+)$")):
        found = file.exists() and re.search(pattern, file.read_text(), re.MULTILINE)
        if found:
            return found[1]
    raise SetupError(f"no version: {CRATE / 'Cargo.toml'} is not there")


def cargo(*arguments):
    """What a cargo command prints on standard output."""
    program = shutil.which("cargo") or shutil.which("cargo", path=str(Path.home() / ".cargo" / "bin"))
    if program is None:
        raise SetupError(
            "deformconv is built with Rust (https://rustup.rs), and there is no cargo; "
            f"or let DEFORMCONV_LIBRARY name a {LIBRARY} that is already built"
        )
    return subprocess.run([program, *arguments], cwd=CRATE, check=True, stdout=subprocess.PIPE).stdout


def shared_library():
    """The library that DEFORMCONV_LIBRARY names, or the repository's, built now."""
    if named := os.environ.get("DEFORMCONV_LIBRARY"):
        if not Path(named).is_file():
            raise SetupError(f"DEFORMCONV_LIBRARY is {named}, which is not a file")
        return Path(named)
    if not (CRATE / "Cargo.toml").exists():
        raise SetupError(
            f"outside the repository there is no library to build; let DEFORMCONV_LIBRARY name a {LIBRARY}"
        )
    cargo("build", "--release", "--locked", "--lib")
    metadata = json.loads(cargo("metadata", "--format-version=1", "--no-deps", "--locked"))
    return Path(metadata["target_directory"]) / "release" / LIBRARY


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        into = HERE / "src" if self.editable_mode else Path(self.build_lib)
        shutil.copyfile(shared_library(), into / "deformconv" / LIBRARY)

    def get_outputs(self, include_bytecode=True):
        return [*super().get_outputs(include_bytecode), str(Path(self.build_lib) / "deformconv" / LIBRARY)]


class WheelForAnyPython(bdist_wheel):
    """Any Python 3, but only this platform: the library is native, and no extension module."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


class SourceWithoutLibrary(sdist):
    """A library that an editable installation left in src belongs to one machine."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, [file for file in files if not file.endswith(".so")])


class NativeDistribution(Distribution):
    def has_ext_modules(self):
        return True


setup(
    version=version(),
    distclass=NativeDistribution,
    options={"build": {"build_base": BUILD.name}},
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelForAnyPython, "sdist": SourceWithoutLibrary},
)
