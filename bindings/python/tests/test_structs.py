"""The ctypes mirrors have the layout and the constants of the header, by a C compiler's word."""

import ctypes
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deformconv import _structs as structs

INCLUDE = Path(__file__).resolve().parents[3] / "include"
CONSTANTS = {
    "DCN_LAYOUT_STRIDED": structs.LAYOUT_STRIDED,
    "DCN_ABI_VERSION": structs.ABI_VERSION,
    "DCN_F32": structs.F32,
    "DCN_F64": structs.F64,
    "DCN_F16": structs.F16,
    "DCN_BF16": structs.BF16,
    "DCN_PASS_FORWARD": structs.FORWARD,
    "DCN_PASS_BACKWARD": structs.BACKWARD,
    **{f"DCN_GRAD_{name.upper()}": 1 << bit for bit, name in enumerate(structs.GRADIENTS)},
}


def mirrors():
    """Every struct of _structs, by the name it has in C."""
    own = [v for v in vars(structs).values() if isinstance(v, type) and v.__module__ == structs.__name__]
    assert all(v.__doc__.startswith("dcn_") for v in own)
    return {v.__doc__: v for v in own}


def c_program():
    """A program that prints a line for each struct, field and constant: name, then numbers."""
    lines = ["#include <deformconv/deformconv.h>", "#include <stdio.h>", "int main(void) {"]
    for name, mirror in mirrors().items():
        lines.append(f'printf("{name} %zu\\n", sizeof(struct {name}));')
        for field, *_ in mirror._fields_:
            member = f"((struct {name} *)0)->{field}"
            lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof(struct {name}, {field}), sizeof({member}));')
    lines += [f'printf("{name} %lld\\n", (long long){name});' for name in CONSTANTS]
    return "\n".join([*lines, "return 0; }"])


@pytest.fixture(scope="module")
def header(tmp_path_factory):
    """What the program prints, by name."""
    compiler = next((c for c in (os.environ.get("CC"), "cc", "gcc", "clang") if c and shutil.which(c)), None)
    if compiler is None or not INCLUDE.is_dir():
        pytest.skip("the comparison of the ctypes structs with the header: no C compiler, or no header")
    folder = tmp_path_factory.mktemp("header")
    source, program = folder / "layout.c", folder / "layout"
    source.write_text(c_program())
    subprocess.run([compiler, f"-I{INCLUDE}", source, "-o", program], check=True)
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: [int(n) for n in numbers] for name, *numbers in map(str.split, lines)}


def test_every_struct_and_field_is_where_the_header_has_it(header):
    for name, mirror in mirrors().items():
        assert header[name] == [ctypes.sizeof(mirror)], name
        for field, *_ in mirror._fields_:
            own = getattr(mirror, field)
            assert header[f"{name}.{field}"] == [own.offset, own.size], f"{name}.{field}"


def test_no_field_of_the_header_is_left_out():
    text = (INCLUDE / "deformconv" / "deformconv.h").read_text()
    for name, mirror in mirrors().items():
        body = re.search(rf"typedef struct {name} {{(.*?)}} {name};", text, re.DOTALL)[1]
        declarations = re.sub(r"//.*", "", body).split(";")
        fields = [re.search(r"\(\*(\w+)\)|(\w+)(?:\[\d+\])?$", d.strip()) for d in declarations if d.strip()]
        assert [f[1] or f[2] for f in fields] == [field for field, *_ in mirror._fields_], name


def test_constants_are_those_of_the_header(header):
    assert {name: header[name] for name in CONSTANTS} == {name: [value] for name, value in CONSTANTS.items()}
