"""The operator for numpy arrays, on their own strides: nothing is copied on the way in or out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import _structs as structs
from ._plan import output_shape, plan
from ._problem import Problem, Settings, tensor

# bfloat16 is the type of that name of the package ml_dtypes.
DTYPES = {"float32": structs.F32, "float64": structs.F64, "float16": structs.F16, "bfloat16": structs.BF16}


class Gradients(NamedTuple):
    """Arrays by the name of the tensor they are the gradient of; None where there is none."""

    x: np.ndarray | None = None
    offset: np.ndarray | None = None
    mask: np.ndarray | None = None
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None


def describe(name, array):
    if array is None:
        return None
    if array.dtype.name not in DTYPES or not array.dtype.isnative:
        raise ValueError(f"{name} has dtype {array.dtype}, expected one of {', '.join(DTYPES)} in native byte order")
    steps = [(size, *divmod(stride, array.itemsize)) for size, stride in zip(array.shape, array.strides)]
    if any(rest and size > 1 for size, _, rest in steps):
        raise ValueError(f"{name} has strides of {array.strides} bytes, expected multiples of {array.itemsize}")
    return tensor(name, DTYPES[array.dtype.name], array.shape, [stride for _, stride, _ in steps])


def address(array):
    return None if array is None else array.__array_interface__["data"][0]


def given(array):
    return None if array is None else np.asarray(array)


def writeable(name, array):
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is {type(array).__name__}, expected a numpy array")
    if not array.flags.writeable:
        raise ValueError(f"{name} is read-only")
    return array


def modulated_deform_conv2d(
    x, offset, mask, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, deformable_groups=1, out=None
):
    """Modulated deformable convolution (DCNv2).

    x [N, C, H, W], offset [N, 2*D*K, Ho, Wo] in (y, x) pairs, mask [N, D*K, Ho, Wo] or None (1 everywhere), weight
    [O, C/groups, kh, kw], bias [O] or None, with K = kh*kw and D = deformable_groups: float32, float64, float16 or
    bfloat16 (of ml_dtypes), one type for all; bias may be float32 beside the smaller ones. stride, padding and dilation
    are ints or (vertical, horizontal).

    Returns y [N, O, Ho, Wo]: `out` if it is given, else a new array.
    """
    tensors = {name: given(a) for name, a in dict(x=x, offset=offset, mask=mask, weight=weight, bias=bias).items()}
    problem = Problem(
        Settings.of(stride, padding, dilation, groups, deformable_groups),
        **{name: describe(name, array) for name, array in tensors.items()},
    )
    y = np.empty(output_shape(problem), tensors["x"].dtype) if out is None else writeable("out", out)
    run = plan(problem._replace(y=describe("out", y)), structs.FORWARD)
    run.forward(**{name: address(array) for name, array in tensors.items()}, y=address(y))
    return y


def modulated_deform_conv2d_backward(
    grad_y,
    x,
    offset,
    mask,
    weight,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    deformable_groups=1,
    wanted=structs.GRADIENTS,
    out=Gradients(),
    accumulate=False,
):
    """The gradients of modulated_deform_conv2d, from grad_y [N, O, Ho, Wo], the gradient of its result.

    wanted names the gradients to compute, of x, offset, mask, weight and bias; that of an absent mask is None. A
    gradient goes to the array that `out` (a Gradients) holds for it, which makes it wanted, else to a new one. With
    accumulate, those in `out` are added to what is there.

    Returns Gradients.
    """
    if unknown := set(wanted) - set(structs.GRADIENTS):
        raise ValueError(f"wanted names {sorted(unknown)}, expected some of {structs.GRADIENTS}")
    tensors = {name: given(a) for name, a in dict(x=x, offset=offset, mask=mask, weight=weight, grad_y=grad_y).items()}
    gradients = {
        name: gradient(name, tensors, existing)
        for name, existing in zip(structs.GRADIENTS, out, strict=True)
        if existing is not None or (name in wanted and not (name == "mask" and mask is None))
    }
    problem = Problem(
        Settings.of(stride, padding, dilation, groups, deformable_groups),
        **{name: describe(name, array) for name, array in tensors.items()},
        **{f"grad_{name}": describe(f"out.{name}", array) for name, array in gradients.items()},
    )
    kept = sum(1 << bit for bit, existing in enumerate(out) if existing is not None)
    plan(problem, structs.BACKWARD).backward(
        accumulate=kept if accumulate else 0,
        **{name: address(array) for name, array in tensors.items()},
        **{f"grad_{name}": address(array) for name, array in gradients.items()},
    )
    return Gradients(**gradients)


def gradient(name, tensors, existing):
    """The array that the gradient of a tensor goes to."""
    if existing is not None:
        return writeable(f"out.{name}", existing)
    if name == "bias":
        return np.empty(tensors["weight"].shape[:1], tensors["weight"].dtype)
    return np.empty_like(tensors[name])
