"""The structs of deformconv.h, field for field (tests/test_structs.py compares them with the header)."""

from ctypes import Structure, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_void_p

MAX_RANK = 5
LAYOUT_STRIDED = 1
ABI_VERSION = 4096

F32, F64, F16, BF16 = range(4)  # DCN_F32, ...
FORWARD, BACKWARD = range(2)  # DCN_PASS_FORWARD, DCN_PASS_BACKWARD
GRADIENTS = ("x", "offset", "mask", "weight", "bias")  # bit i of `accumulate` is DCN_GRAD_ of GRADIENTS[i]


class TensorDesc(Structure):
    """dcn_tensor_desc"""

    _fields_ = [
        ("dtype", c_int32),
        ("rank", c_int32),
        ("layout", c_int32),
        ("reserved0", c_uint32),
        ("dims", c_int64 * MAX_RANK),
        ("strides", c_int64 * MAX_RANK),
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
        ("grad_y", TensorDesc),
        ("grad_x", TensorDesc),
        ("grad_offset", TensorDesc),
        ("grad_mask", TensorDesc),
        ("grad_weight", TensorDesc),
        ("grad_bias", TensorDesc),
    ]


class Executor(Structure):
    """dcn_executor"""

    _fields_ = [
        ("ctx", c_void_p),
        ("concurrency", c_uint32),
        ("reserved0", c_uint32),
        ("parallel_for", c_void_p),
        ("reserved", c_void_p * 2),
    ]


class Allocator(Structure):
    """dcn_allocator"""

    _fields_ = [("ctx", c_void_p), ("alloc", c_void_p), ("free", c_void_p), ("reserved", c_void_p * 2)]


class Logger(Structure):
    """dcn_logger"""

    _fields_ = [("ctx", c_void_p), ("log", c_void_p), ("reserved", c_void_p * 2)]


class ContextConfig(Structure):
    """dcn_context_config"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("num_threads", c_int32),
        ("ascend_device", c_int32),
        ("max_isa", c_char_p),
        ("executor", Executor),
        ("allocator", Allocator),
        ("logger", Logger),
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


class BackwardArgs(Structure):
    """dcn_backward_args"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("x", c_void_p),
        ("offset", c_void_p),
        ("mask", c_void_p),
        ("weight", c_void_p),
        ("packed_weight", c_void_p),
        ("packed_weight_size", c_size_t),
        ("grad_y", c_void_p),
        ("grad_x", c_void_p),
        ("grad_offset", c_void_p),
        ("grad_mask", c_void_p),
        ("grad_weight", c_void_p),
        ("grad_bias", c_void_p),
        ("accumulate", c_uint32),
        ("reserved0", c_uint32),
        ("workspace", c_void_p),
        ("workspace_size", c_size_t),
        ("stream", c_void_p),
    ]
