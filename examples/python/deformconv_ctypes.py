"""The forward pass of deformconv for numpy arrays, through ctypes.

Arrays of any strides are passed as they are: nothing is copied on the way in or out.
"""

import ctypes
import os
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_void_p, sizeof
from pathlib import Path

import numpy as np

SONAME = "libdeformconv.so.0.1"
DTYPES = {np.dtype(np.float32): 0, np.dtype(np.float64): 1}  # DCN_F32, DCN_F64
LAYOUT_STRIDED = 1
PASS_FORWARD_BIT = 1


class TensorDesc(Structure):
    """dcn_tensor_desc"""

    _fields_ = [
        ("dtype", c_int32),
        ("rank", c_int32),
        ("layout", c_int32),
        ("reserved0", c_uint32),
        ("dims", c_int64 * 5),
        ("strides", c_int64 * 5),
        ("reserved", c_int64 * 4),
    ]


class Problem(Structure):
    """dcn_problem"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("backend", c_int32),
        ("flags", c_uint32),
        ("passes", c_uint32),
        ("reserved0", c_uint32),
        ("stride_h", c_int64),
        ("stride_w", c_int64),
        ("pad_top", c_int64),
        ("pad_left", c_int64),
        ("pad_bottom", c_int64),
        ("pad_right", c_int64),
        ("dilation_h", c_int64),
        ("dilation_w", c_int64),
        ("groups", c_int64),
        ("deformable_groups", c_int64),
        ("x", TensorDesc),
        ("offset", TensorDesc),
        ("mask", TensorDesc),
        ("weight", TensorDesc),
        ("bias", TensorDesc),
        ("y", TensorDesc),
        ("gradients", TensorDesc * 6),
    ]


class ForwardArgs(Structure):
    """dcn_forward_args"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("x", c_void_p),
        ("offset", c_void_p),
        ("mask", c_void_p),
        ("weight", c_void_p),
        ("packed_weight", c_void_p),
        ("packed_weight_size", c_size_t),
        ("bias", c_void_p),
        ("y", c_void_p),
        ("workspace", c_void_p),
        ("workspace_size", c_size_t),
        ("stream", c_void_p),
    ]


class DeformConvError(Exception):
    """A call that the library refused: the status's name and the message."""


def load():
    """The library: the one that DEFORMCONV_LIBRARY names, this repository's own build, or the installed one."""
    built = Path(__file__).parents[2] / "build" / "prefix" / "lib" / SONAME
    lib = ctypes.CDLL(os.environ.get("DEFORMCONV_LIBRARY") or (str(built) if built.exists() else SONAME))
    lib.dcn_last_error_message.argtypes = [c_char_p, c_size_t]
    lib.dcn_last_error_message.restype = c_size_t
    lib.dcn_status_string.argtypes = [c_int32]
    lib.dcn_status_string.restype = c_char_p
    lib.dcn_build_info.restype = c_char_p
    lib.dcn_output_shape.argtypes = [POINTER(Problem), POINTER(TensorDesc)]
    lib.dcn_modulated_deform_conv2d.argtypes = [c_void_p, POINTER(Problem), POINTER(ForwardArgs)]
    return lib


LIB = load()


def check(status):
    if status != 0:
        message = ctypes.create_string_buffer(LIB.dcn_last_error_message(None, 0) + 1)
        LIB.dcn_last_error_message(message, len(message))
        raise DeformConvError(f"{LIB.dcn_status_string(status).decode()}: {message.value.decode()}")


def build_info():
    return LIB.dcn_build_info().decode()


def describe(array):
    """The descriptor of an array on its own strides; all zero, which means absent, for None."""
    if array is None:
        return TensorDesc()
    if array.dtype not in DTYPES:
        raise TypeError(f"dtype {array.dtype}, expected float32 or float64")
    if array.ndim > 4 or any(stride % array.itemsize for stride in array.strides):
        raise ValueError("an array of at most four dimensions, on strides of whole elements, was expected")
    desc = TensorDesc(dtype=DTYPES[array.dtype], rank=array.ndim, layout=LAYOUT_STRIDED)
    desc.dims[: array.ndim] = array.shape
    desc.strides[: array.ndim] = [stride // array.itemsize for stride in array.strides]
    return desc


def address(array):
    return None if array is None else array.ctypes.data


def modulated_deform_conv2d(
    x, offset, mask, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1, deformable_groups=1
):
    """y [N, O, Ho, Wo] from x [N, C, H, W], offset [N, 2*D*K, Ho, Wo], mask [N, D*K, Ho, Wo] or None,
    weight [O, C/G, kh, kw], bias [O] or None."""
    problem = Problem(
        struct_size=sizeof(Problem), passes=PASS_FORWARD_BIT, groups=groups, deformable_groups=deformable_groups
    )
    problem.stride_h, problem.stride_w = stride
    problem.pad_top, problem.pad_left = problem.pad_bottom, problem.pad_right = padding
    problem.dilation_h, problem.dilation_w = dilation
    problem.x, problem.offset, problem.mask = describe(x), describe(offset), describe(mask)
    problem.weight, problem.bias = describe(weight), describe(bias)
    check(LIB.dcn_output_shape(byref(problem), byref(problem.y)))
    y = np.empty(problem.y.dims[:4], x.dtype)
    args = ForwardArgs(
        struct_size=sizeof(ForwardArgs),
        x=address(x),
        offset=address(offset),
        mask=address(mask),
        weight=address(weight),
        bias=address(bias),
        y=address(y),
    )
    check(LIB.dcn_modulated_deform_conv2d(None, byref(problem), byref(args)))
    return y
