"""Finds libdeformconv, loads it, and turns its statuses into exceptions.

ctypes.CDLL releases the GIL during every call.
"""

import ctypes
import os
from ctypes import POINTER, c_char_p, c_int32, c_size_t, c_uint32, c_void_p
from pathlib import Path

from . import _structs as structs

SONAME = "libdeformconv.so.0.1"


class DeformConvError(RuntimeError):
    """A call that the library refused or could not finish; `status` is the name of its dcn_status."""

    def __init__(self, status, message):
        super().__init__(f"{message} ({status})")
        self.status = status


class ArgumentError(DeformConvError, ValueError):
    """A DeformConvError for which an argument is to blame."""


ARGUMENT_STATUSES = {
    "DCN_ERROR_NULL_POINTER",
    "DCN_ERROR_INVALID_ARGUMENT",
    "DCN_ERROR_INVALID_SHAPE",
    "DCN_ERROR_INVALID_STRIDE",
    "DCN_ERROR_OVERLAP",
    "DCN_ERROR_MISALIGNED",
}


def load():
    """The library that DEFORMCONV_LIBRARY names, else the one in this package, else the installed one."""
    packaged = Path(__file__).with_name("libdeformconv.so")
    path = os.environ.get("DEFORMCONV_LIBRARY") or (str(packaged) if packaged.exists() else SONAME)
    try:
        loaded = ctypes.CDLL(path)
        abi = loaded.dcn_abi_version()
    except (OSError, AttributeError) as error:
        raise ImportError(f"deformconv cannot load its library, {path}: {error}") from error
    if abi != structs.ABI_VERSION:
        raise ImportError(f"{path} has ABI {abi}, expected {structs.ABI_VERSION}")
    declare(loaded)
    return loaded


def declare(library):
    signatures = {
        "dcn_build_info": (c_char_p,),
        "dcn_status_string": (c_char_p, c_int32),
        "dcn_last_error_message": (c_size_t, c_char_p, c_size_t),
        "dcn_context_create": (c_int32, POINTER(structs.ContextConfig), POINTER(c_void_p)),
        "dcn_context_destroy": (None, c_void_p),
        "dcn_output_shape": (c_int32, POINTER(structs.Problem), POINTER(structs.TensorDesc)),
        "dcn_plan_create": (c_int32, c_void_p, POINTER(structs.Problem), POINTER(c_void_p)),
        "dcn_plan_destroy": (None, c_void_p),
        "dcn_plan_forward": (c_int32, c_void_p, POINTER(structs.ForwardArgs)),
        "dcn_plan_backward": (c_int32, c_void_p, POINTER(structs.BackwardArgs)),
        "dcn_version": (c_uint32,),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


library = load()


def check(status):
    """Raises what a status other than DCN_OK stands for. To be called by the thread that made the call."""
    if status == 0:
        return
    name = library.dcn_status_string(status).decode()
    message = ctypes.create_string_buffer(library.dcn_last_error_message(None, 0) + 1)
    library.dcn_last_error_message(message, len(message))
    kind = ArgumentError if name in ARGUMENT_STATUSES else DeformConvError
    raise kind(name, message.value.decode())


def build_info():
    """Release, target and profile of the library, for bug reports."""
    return library.dcn_build_info().decode()
