"""What `pip install` puts in place."""

import ctypes.util
import os
import re
import subprocess
import sys
from importlib.metadata import files, metadata
from pathlib import Path

import deformconv
from deformconv import _library

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_package_runs_outside_the_source_tree():
    assert not Path(deformconv.__file__).resolve().is_relative_to(REPOSITORY / "bindings")


def test_the_library_is_in_the_package():
    packaged = Path(deformconv.__file__).with_name("libdeformconv.so")
    assert packaged.is_file()
    if not os.environ.get("DEFORMCONV_LIBRARY"):
        assert _library.library._name == str(packaged)
    assert packaged.name in {file.name for file in files("deformconv")}


def test_metadata_is_complete():
    about = metadata("deformconv")
    assert about["Name"] == "deformconv"
    assert about["Summary"] and about["Requires-Python"] and about.get_payload()
    assert about["License-Expression"] == "Apache-2.0" and about.get_all("License-File") == ["LICENSE"]
    assert set(about.get_all("Provides-Extra")) >= {"torch", "test"}


def test_the_version_is_the_librarys():
    number = _library.library.dcn_version()
    assert deformconv.__version__ == f"{number >> 22}.{number >> 12 & 0x3FF}.{number & 0xFFF}"
    assert deformconv.__version__ in deformconv.build_info()


def test_numpy_users_do_not_pay_for_pytorch():
    program = "import sys, deformconv; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def import_with(library):
    environment = dict(os.environ, DEFORMCONV_LIBRARY=str(library))
    run = subprocess.run([sys.executable, "-c", "import deformconv"], env=environment, capture_output=True, text=True)
    assert run.returncode != 0
    return run.stderr.splitlines()[-1]


def test_a_library_that_cannot_be_loaded_is_named():
    assert "/nowhere/libdeformconv.so" in import_with("/nowhere/libdeformconv.so")


def test_another_library_is_not_taken_for_it():
    other = ctypes.util.find_library("c")
    message = import_with(other)
    assert message.startswith("ImportError: deformconv cannot load") and "dcn_abi_version" in message


def test_the_example_of_the_readme_runs():
    readme = (REPOSITORY / "bindings" / "python" / "README.md").read_text()
    names = {}
    exec(re.search(r"```python\n(import deformconv\n.*?)```", readme, re.DOTALL)[1], names)
    assert names["y"].tolist() == [[[[0.5, 1.5, 2.5, 1.5], [4.5, 5.5, 6.5, 3.5], [8.5, 9.5, 10.5, 5.5]]]]
    assert names["gradients"].x.shape == names["x"].shape and names["gradients"].offset is None
