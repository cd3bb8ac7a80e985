"""deformconv through its shared library: the structs of the header in ctypes, one plan a case."""

import ctypes
import weakref
from ctypes import byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

from comparison.cases import aligned_empty

DTYPES = {"float32": 0, "float64": 1}
PASSES = {"forward": 0, "backward": 1}
TENSORS = ("x", "offset", "mask", "weight", "bias", "y")
GEOMETRY = ("stride_h", "stride_w", "pad_top", "pad_left", "pad_bottom", "pad_right", "dilation_h", "dilation_w",
            "groups", "deformable_groups")
GRADIENTS = ("grad_x", "grad_offset", "grad_mask", "grad_weight", "grad_bias")


class TensorDesc(ctypes.Structure):
    _fields_ = [("dtype", c_int32), ("rank", c_int32), ("layout", c_int32), ("reserved0", c_uint32),
                ("dims", c_int64 * 5), ("strides", c_int64 * 5), ("reserved", c_int64 * 4)]


class _Sized(ctypes.Structure):
    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(self), **fields)


class Problem(_Sized):
    _fields_ = ([("struct_size", c_size_t), ("backend", c_int32), ("flags", c_uint32), ("passes", c_uint32),
                 ("reserved0", c_uint32)]
                + [(name, c_int64) for name in GEOMETRY]
                + [(name, TensorDesc) for name in (*TENSORS, "grad_y", *GRADIENTS)])


class ContextConfig(_Sized):
    # The executor, allocator and logger (5, 5 and 4 words) stay zero.
    _fields_ = [("struct_size", c_size_t), ("num_threads", c_int32), ("ascend_device", c_int32), ("max_isa", c_char_p),
                ("callbacks", c_void_p * 14)]


class PlanInfo(_Sized):
    _fields_ = [("struct_size", c_size_t), ("isa", c_char_p), ("forward_kernel", c_char_p),
                ("backward_kernel", c_char_p), ("forward_flops", c_uint64), ("backward_flops", c_uint64),
                ("packed_layout", c_uint64 * 2), ("tile_positions", c_uint32), ("max_tasks", c_uint32)]


class PackArgs(_Sized):
    _fields_ = [("struct_size", c_size_t), ("pass_", c_int32), ("reserved0", c_uint32), ("weight", c_void_p),
                ("packed", c_void_p), ("packed_size", c_size_t), ("workspace", c_void_p), ("workspace_size", c_size_t),
                ("stream", c_void_p)]


_INPUTS = [("struct_size", c_size_t)]
_INPUTS += [(name, c_void_p) for name in ("x", "offset", "mask", "weight", "packed_weight")]
_INPUTS += [("packed_weight_size", c_size_t)]
_WORKSPACE = [("workspace", c_void_p), ("workspace_size", c_size_t), ("stream", c_void_p)]


class ForwardArgs(_Sized):
    _fields_ = _INPUTS + [("bias", c_void_p), ("y", c_void_p)] + _WORKSPACE


class BackwardArgs(_Sized):
    _fields_ = (_INPUTS + [("grad_y", c_void_p)] + [(name, c_void_p) for name in GRADIENTS]
                + [("accumulate", c_uint32), ("reserved0", c_uint32)] + _WORKSPACE)


class Deformconv:
    name = "deformconv"
    computes_the_operator = True
    directions = ("forward", "backward")

    def __init__(self, library, threads, max_isa=None, name=name):
        self.name = name
        self.library = ctypes.CDLL(str(library))
        self.library.dcn_build_info.restype = c_char_p
        self.library.dcn_status_string.restype = c_char_p
        self.version = self.library.dcn_build_info().decode()
        config = ContextConfig(num_threads=threads, max_isa=max_isa and max_isa.encode())
        self.context = c_void_p()
        self._call("dcn_context_create", byref(config), byref(self.context))
        weakref.finalize(self, self.library.dcn_context_destroy, c_void_p(self.context.value))
        self.isa = None

    def _call(self, function, *arguments):
        status = getattr(self.library, function)(*arguments)
        if status:
            message = ctypes.create_string_buffer(1000)
            self.library.dcn_last_error_message(message, c_size_t(len(message)))
            name = self.library.dcn_status_string(status).decode()
            error = NotImplementedError if name == "DCN_ERROR_UNSUPPORTED" else RuntimeError
            raise error(f"{function}: {name}: {message.value.decode()}")

    def _size(self, size_query, plan, number):
        size = c_size_t()
        self._call(size_query, plan, c_int32(number), byref(size))
        return size.value

    def _buffer(self, size_query, plan, number):
        return aligned_empty(self._size(size_query, plan, number), np.uint8)

    def workspace_size(self, case, direction, dtype=np.float32):
        """Bytes of workspace that a run of the pass needs."""
        descriptions = {name: np.broadcast_to(dtype(0), shape) for name, shape in case.shapes().items()}
        plan = self._plan(_problem(case, descriptions, PASSES[direction]))
        return self._size("dcn_plan_workspace_size", plan, PASSES[direction])

    def _pack(self, plan, number, weight):
        packed = self._buffer("dcn_plan_packed_weight_size", plan, number)
        arguments = PackArgs(
            pass_=number, weight=weight.ctypes.data, packed=packed.ctypes.data, packed_size=packed.size)
        self._call("dcn_plan_pack_weight", plan, byref(arguments))
        return packed

    def _plan(self, problem):
        plan = c_void_p()
        self._call("dcn_plan_create", self.context, byref(problem), byref(plan))
        weakref.finalize(plan, self.library.dcn_plan_destroy, c_void_p(plan.value))
        return plan

    def prepare(self, case, direction, inputs):
        """A plan, packed weights and workspace made once; the closure only runs the pass."""
        number = PASSES[direction]
        plan = self._plan(_problem(case, inputs, number))
        info = PlanInfo()
        self._call("dcn_plan_get_info", plan, byref(info))
        self.isa = info.isa.decode()
        workspace = self._buffer("dcn_plan_workspace_size", plan, number)
        packed = self._pack(plan, number, inputs["weight"])
        takes, gives = {
            "forward": (("x", "offset", "mask", "bias"), {"y": case.shapes()["y"]}),
            "backward": (("x", "offset", "mask", "grad_y"), {f"grad_{t}": case.shapes()[t] for t in TENSORS[:-1]}),
        }[direction]
        outputs = {name: aligned_empty(shape, inputs["x"].dtype) for name, shape in gives.items()}
        arrays = {name: inputs[name] for name in takes} | outputs | {"packed_weight": packed, "workspace": workspace}
        arguments = (ForwardArgs if direction == "forward" else BackwardArgs)(
            packed_weight_size=packed.size, workspace_size=workspace.size,
            **{name: array.ctypes.data for name, array in arrays.items()})

        def run(keep_alive=arrays):
            self._call(f"dcn_plan_{direction}", plan, byref(arguments))
            return outputs
        return run


def _problem(case, inputs, number):
    problem = Problem(
        passes=1 << number, groups=case.groups, deformable_groups=case.deformable_groups,
        stride_h=case.stride[0], stride_w=case.stride[1], dilation_h=case.dilation[0], dilation_w=case.dilation[1],
        pad_top=case.padding[0], pad_bottom=case.padding[0], pad_left=case.padding[1], pad_right=case.padding[1])
    for name in TENSORS[:-1]:
        shape = inputs[name].shape
        desc = TensorDesc(dtype=DTYPES[str(inputs[name].dtype)], rank=len(shape))
        desc.dims[:len(shape)] = shape
        setattr(problem, name, desc)
    return problem
