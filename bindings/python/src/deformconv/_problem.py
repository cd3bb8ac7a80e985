"""What a plan is made for: settings and tensors without their data, hashable."""

from __future__ import annotations

import operator
from ctypes import sizeof
from typing import NamedTuple

from . import _structs as structs


class Tensor(NamedTuple):
    """Element type, shape, and strides in elements."""

    dtype: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def to_c(self):
        rank = len(self.shape)
        desc = structs.TensorDesc(dtype=self.dtype, rank=rank, layout=structs.LAYOUT_STRIDED)
        desc.dims[:rank], desc.strides[:rank] = self.shape, self.strides
        return desc


class Settings(NamedTuple):
    """Settings of the convolution, (vertical, horizontal) where there are two."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    deformable_groups: int

    @classmethod
    def of(cls, stride, padding, dilation, groups, deformable_groups):
        """Settings from the arguments of a caller: an int, or a sequence of one or two."""
        return cls(
            pair("stride", stride, least=1),
            pair("padding", padding, least=0),
            pair("dilation", dilation, least=1),
            number("groups", groups, least=1),
            number("deformable_groups", deformable_groups, least=1),
        )


class Problem(NamedTuple):
    """As dcn_problem."""

    settings: Settings
    x: Tensor
    offset: Tensor
    mask: Tensor | None
    weight: Tensor
    bias: Tensor | None = None
    y: Tensor | None = None
    grad_y: Tensor | None = None
    grad_x: Tensor | None = None
    grad_offset: Tensor | None = None
    grad_mask: Tensor | None = None
    grad_weight: Tensor | None = None
    grad_bias: Tensor | None = None

    def to_c(self, *passes):
        """The dcn_problem of plans that can run these passes."""
        c = structs.Problem(struct_size=sizeof(structs.Problem), passes=sum(1 << p for p in passes))
        settings = self.settings
        c.stride_h, c.stride_w = settings.stride
        c.pad_top, c.pad_left = c.pad_bottom, c.pad_right = settings.padding
        c.dilation_h, c.dilation_w = settings.dilation
        c.groups, c.deformable_groups = settings.groups, settings.deformable_groups
        for name, tensor in zip(self._fields[1:], self[1:]):
            if tensor is not None:
                setattr(c, name, tensor.to_c())
        return c


def number(name, value, least):
    value = operator.index(value)
    # To the library 0 is the default; to a caller in Python it is a mistake. Above 63 bits ctypes would cut.
    if not least <= value < 2**63:
        raise ValueError(f"{name} is {value}, expected at least {least} and below 2^63")
    return value


def pair(name, value, least):
    values = tuple(value) if hasattr(value, "__iter__") else (value,)
    if len(values) not in (1, 2):
        raise ValueError(f"{name} is {value}, expected an int or a pair of them")
    return number(name, values[0], least), number(name, values[-1], least)


def tensor(name, dtype, shape, strides):
    if len(shape) > structs.MAX_RANK:
        raise ValueError(f"{name} has {len(shape)} dimensions, expected at most 4")
    return Tensor(dtype, tuple(shape), tuple(strides))
