"""The operators deformconv::modulated_deform_conv2d and ..._backward: schemas, CPU kernels, fake kernels."""

import os

import torch

from .. import _structs as structs
from .._plan import output_shape, plan
from .._problem import Problem, Settings, tensor

DTYPES = {
    torch.float32: structs.F32,
    torch.float64: structs.F64,
    torch.float16: structs.F16,
    torch.bfloat16: structs.BF16,
}
SETTINGS = "SymInt[2] stride, SymInt[2] padding, SymInt[2] dilation, SymInt groups, SymInt deformable_groups"

library = torch.library.Library("deformconv", "DEF")
library.define(
    "modulated_deform_conv2d("
    f"Tensor x, Tensor offset, Tensor? mask, Tensor weight, Tensor? bias, {SETTINGS}) -> Tensor",
    tags=(torch.Tag.pt2_compliant_tag,),
)
# Returns the gradients that are wanted, of x, offset, mask, weight and bias in this order.
library.define(
    "modulated_deform_conv2d_backward("
    f"Tensor grad_y, Tensor x, Tensor offset, Tensor? mask, Tensor weight, {SETTINGS}, bool[5] wanted) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def describe(name, t):
    if t is None:
        return None
    if t.dtype not in DTYPES:
        raise ValueError(f"{name} is {t.dtype}, expected one of {', '.join(str(dtype) for dtype in DTYPES)}")
    return tensor(name, DTYPES[t.dtype], t.shape, t.stride())


def address(t):
    return None if t is None else t.data_ptr()


def num_threads():
    """As many threads as PyTorch's own operators use, unless the environment says how many the library is to use."""
    return 0 if os.environ.get("DCN_NUM_THREADS") else torch.get_num_threads()


def empty_output(x, shape):
    """y, channels last where x is."""
    channels_last = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
    return x.new_empty(shape).contiguous(memory_format=torch.channels_last) if channels_last else x.new_empty(shape)


def empty_gradients(x, offset, mask, weight, wanted):
    """Each wanted gradient by name, on the strides of its tensor where no two elements share memory there."""
    like = dict(x=x, offset=offset, mask=mask, weight=weight, bias=weight)
    return {
        name: weight.new_empty(weight.shape[:1]) if name == "bias" else torch.empty_like(like[name])
        for name, want in zip(structs.GRADIENTS, wanted)
        if want
    }


@torch.library.impl(library, "modulated_deform_conv2d", "CPU")
def forward(x, offset, mask, weight, bias, *settings):
    tensors = dict(x=x, offset=offset, mask=mask, weight=weight, bias=bias)
    problem = Problem(Settings.of(*settings), **{name: describe(name, t) for name, t in tensors.items()})
    y = empty_output(x, output_shape(problem))
    run = plan(problem._replace(y=describe("y", y)), structs.FORWARD, num_threads())
    run.forward(**{name: address(t) for name, t in tensors.items()}, y=address(y))
    return y


@torch.library.impl(library, "modulated_deform_conv2d_backward", "CPU")
def backward(grad_y, x, offset, mask, weight, *settings_and_wanted):
    *settings, wanted = settings_and_wanted
    tensors = dict(x=x, offset=offset, mask=mask, weight=weight, grad_y=grad_y)
    gradients = empty_gradients(x, offset, mask, weight, wanted)
    problem = Problem(
        Settings.of(*settings),
        **{name: describe(name, t) for name, t in tensors.items()},
        **{f"grad_{name}": describe(f"grad_{name}", t) for name, t in gradients.items()},
    )
    plan(problem, structs.BACKWARD, num_threads()).backward(
        **{name: address(t) for name, t in tensors.items()},
        **{f"grad_{name}": address(t) for name, t in gradients.items()},
    )
    return list(gradients.values())


@torch.library.register_fake("deformconv::modulated_deform_conv2d", lib=library)
def fake_forward(x, offset, mask, weight, bias, stride, padding, dilation, groups, deformable_groups):
    spatial = (
        (x.shape[2 + i] + 2 * padding[i] - (dilation[i] * (weight.shape[2 + i] - 1) + 1)) // stride[i] + 1
        for i in (0, 1)
    )
    return empty_output(x, (x.shape[0], weight.shape[0], *spatial))


@torch.library.register_fake("deformconv::modulated_deform_conv2d_backward", lib=library)
def fake_backward(grad_y, x, offset, mask, weight, stride, padding, dilation, groups, deformable_groups, wanted):
    return list(empty_gradients(x, offset, mask, weight, wanted).values())
