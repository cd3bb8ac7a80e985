"""Cases computed by torchvision.ops.deform_conv2d, gradients by PyTorch's autograd.

The results are those of torchvision in float64, for float32 cases from the float32 inputs cast to double: so a float32
result can be held to its own error bound without torchvision's rounding in between. For that the sampling
coordinates have to be the same in both types: offsets are multiples of 1/1024, which float32 adds exactly.
"""

import zlib
from dataclasses import dataclass
from typing import Optional

import numpy as np
import torch
import torchvision
from torchvision.ops import deform_conv2d

FOLDER = "torchvision"
VERSIONS = f"torchvision {torchvision.__version__.split('+')[0]}, torch {torch.__version__.split('+')[0]}"
SOURCE = f"torchvision.ops.deform_conv2d in float64, {VERSIONS}"
GRID = 1024  # offsets are multiples of 1/GRID
EDGE = 2  # ... and at least EDGE/GRID away from integers, where the derivative jumps


@dataclass(frozen=True)
class Case:
    name: str
    dtype: str = "f32"
    batch: int = 1
    channels: int = 4
    outputs: int = 3
    size: tuple = (6, 7)
    kernel: tuple = (3, 3)
    stride: tuple = (1, 1)
    pad: tuple = (1, 1, 1, 1)  # top, left, bottom, right
    dilation: tuple = (1, 1)
    groups: int = 1
    deformable_groups: int = 1
    mask: Optional[str] = "random"
    bias: bool = True
    offsets: str = "fractional"
    reach: int = 2  # the largest whole step of an offset
    gradients: bool = True

    @property
    def output_size(self):
        top, left, bottom, right = self.pad
        padded = (self.size[0] + top + bottom, self.size[1] + left + right)
        return tuple(
            (extent - (d * (k - 1) + 1)) // s + 1
            for extent, k, s, d in zip(padded, self.kernel, self.stride, self.dilation)
        )


def tail_cases():
    """Channel counts on either side of the vector widths, as input and as output channels."""
    for dtype, counts in (("f32", (1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64)), ("f64", (1, 3, 4, 7, 8, 9, 17))):
        for count in counts:
            small = {"dtype": dtype, "size": (4, 5), "kernel": (2, 2), "pad": (0, 0, 0, 0)}
            yield Case(f"{dtype}_channels_{count}", channels=count, outputs=2, **small)
            yield Case(f"{dtype}_outputs_{count}", channels=2, outputs=count, **small)


def shape_cases():
    """Every number of the operator's geometry, alone and together."""
    yield Case("f32_single_element", channels=1, outputs=1, size=(1, 1), kernel=(1, 1), pad=(0, 0, 0, 0), reach=0)
    yield Case("f32_kernel_1x1", kernel=(1, 1), pad=(0, 0, 0, 0))
    yield Case("f32_kernel_1x1_stride_2", kernel=(1, 1), stride=(2, 2), pad=(0, 0, 0, 0), deformable_groups=4)
    yield Case("f64_kernel_1x1_padded", "f64", kernel=(1, 1))
    yield Case("f32_kernel_1x3", kernel=(1, 3), pad=(0, 1, 0, 1))
    yield Case("f32_kernel_3x1", kernel=(3, 1), pad=(1, 0, 1, 0))
    yield Case("f64_kernel_2x5", "f64", kernel=(2, 5), pad=(0, 2, 0, 2))
    yield Case("f32_kernel_4x3", kernel=(4, 3))
    yield Case("f32_kernel_7x7", channels=2, outputs=2, size=(4, 5), kernel=(7, 7), pad=(3, 3, 3, 3))
    yield Case("f32_kernel_larger_than_image", size=(2, 3), kernel=(5, 4), pad=(2, 2, 2, 2))
    yield Case("f32_stride_2", stride=(2, 2))
    yield Case("f32_stride_1x3", stride=(1, 3))
    yield Case("f64_stride_3x2", "f64", stride=(3, 2))
    yield Case("f32_stride_beyond_kernel", size=(11, 12), kernel=(2, 2), stride=(4, 5), pad=(0, 0, 0, 0))
    yield Case("f32_pad_0", pad=(0, 0, 0, 0))
    yield Case("f32_pad_2x0", pad=(2, 0, 2, 0))
    yield Case("f64_pad_beyond_kernel", "f64", size=(3, 4), kernel=(2, 2), pad=(3, 4, 3, 4))
    yield Case("f32_pad_four_sides", pad=(1, 0, 2, 3))
    yield Case("f64_pad_four_sides", "f64", pad=(0, 2, 1, 0), stride=(2, 1))
    yield Case("f32_dilation_2", dilation=(2, 2), pad=(2, 2, 2, 2))
    yield Case("f32_dilation_1x3", dilation=(1, 3), pad=(1, 3, 1, 3))
    yield Case("f64_dilation_3x2", "f64", dilation=(3, 2), pad=(2, 2, 2, 2))
    for dtype in ("f32", "f64"):
        yield Case(f"{dtype}_all_different", dtype, batch=2, channels=6, outputs=4, size=(9, 8), kernel=(2, 3),
                   stride=(2, 1), pad=(1, 2, 1, 2), dilation=(3, 2), groups=2, deformable_groups=3)
    yield Case("f32_one_row", size=(1, 9), kernel=(1, 3), pad=(0, 1, 0, 1))
    yield Case("f32_one_column", size=(9, 1), kernel=(3, 1), pad=(1, 0, 1, 0))
    yield Case("f32_63_positions", channels=2, outputs=2, size=(7, 9))
    yield Case("f32_64_positions", channels=2, outputs=2, size=(8, 8))
    yield Case("f32_65_positions", channels=2, outputs=2, size=(5, 13))
    yield Case("f32_many_positions", channels=2, outputs=2, size=(17, 19), kernel=(2, 2), pad=(0, 0, 0, 0))


def group_cases():
    """Groups up to depthwise; deformable groups inside groups, across them and straddling them."""
    for dtype, groups, deformable, channels, outputs in (
        ("f32", 1, 2, 6, 3), ("f32", 1, 3, 6, 4), ("f32", 1, 6, 6, 3), ("f32", 2, 1, 6, 4), ("f32", 3, 1, 6, 9),
        ("f32", 2, 2, 6, 4), ("f32", 2, 6, 6, 4), ("f32", 2, 3, 6, 4), ("f64", 2, 3, 6, 4), ("f32", 3, 2, 6, 6),
        ("f64", 3, 2, 6, 3), ("f32", 6, 4, 12, 6), ("f32", 4, 6, 12, 8), ("f32", 4, 2, 8, 4), ("f32", 6, 1, 6, 6),
        ("f32", 6, 2, 6, 6), ("f32", 6, 6, 6, 6), ("f64", 6, 3, 6, 12), ("f32", 4, 1, 4, 12), ("f32", 17, 1, 17, 17),
    ):
        yield Case(f"{dtype}_groups_{groups}_deformable_{deformable}_channels_{channels}_outputs_{outputs}", dtype,
                   channels=channels, outputs=outputs, groups=groups, deformable_groups=deformable,
                   size=(4, 5), kernel=(2, 3), pad=(1, 1, 1, 1))


def operand_cases():
    """Optional operands, batches and the values that a mask and an offset may take."""
    for dtype in ("f32", "f64"):
        yield Case(f"{dtype}_plain", dtype)
        yield Case(f"{dtype}_no_mask", dtype, mask=None)
        yield Case(f"{dtype}_no_bias", dtype, bias=False)
        yield Case(f"{dtype}_no_mask_no_bias", dtype, mask=None, bias=False)
        yield Case(f"{dtype}_mask_zero", dtype, mask="zero")
        yield Case(f"{dtype}_mask_negative", dtype, mask="negative")
        yield Case(f"{dtype}_mask_some_zeros", dtype, mask="some zeros")
        yield Case(f"{dtype}_offset_large", dtype, reach=12)
        yield Case(f"{dtype}_offset_all_outside", dtype, offsets="outside")
        yield Case(f"{dtype}_offset_integer", dtype, offsets="integer", gradients=False)
        yield Case(f"{dtype}_offset_zero", dtype, offsets="zero", gradients=False)
        yield Case(f"{dtype}_offset_zero_unpadded", dtype, offsets="zero", pad=(0, 0, 0, 0))
        yield Case(f"{dtype}_offset_integer_not_on_border", dtype, offsets="integer not on border", pad=(0, 0, 0, 0))
    yield Case("f32_batch_2", batch=2)
    yield Case("f64_batch_3_no_mask", "f64", batch=3, size=(4, 5), mask=None)
    yield Case("f32_batch_5_groups_2_deformable_3", batch=5, channels=6, outputs=4, size=(3, 4), kernel=(2, 2),
               groups=2, deformable_groups=3)
    yield Case("f32_batch_33", batch=33, channels=1, outputs=1, size=(3, 3), kernel=(2, 2), pad=(0, 0, 0, 0))


def network_cases():
    """The shapes that networks use, scaled down."""
    strided = {"size": (8, 8), "stride": (2, 2), "bias": False}
    yield Case("f32_drivingsdk_64_channels", channels=64, outputs=64, **strided)
    yield Case("f32_resnet_32_channels_deformable_4", channels=32, outputs=16, deformable_groups=4, **strided)
    yield Case("f32_resnext_64_channels_groups_32", channels=64, outputs=64, groups=32, **strided)


CASE_LISTS = (tail_cases, shape_cases, group_cases, operand_cases, network_cases)


def cases():
    torch.set_num_threads(1)
    for case_list in CASE_LISTS:
        for case in case_list():
            inputs = make_inputs(case)
            check_coordinates(case, inputs["offset"])
            results = compute(case, inputs, torch.float64)
            if case.dtype == "f32":
                check_float32(case, results, compute(case, inputs, torch.float32))
            yield case.name, inputs | results, metadata(case)


def make_inputs(case):
    random = np.random.default_rng(zlib.crc32(case.name.encode()))  # a case stays the same when others come and go
    dtype = {"f32": np.float32, "f64": np.float64}[case.dtype]
    taps = case.kernel[0] * case.kernel[1]
    per_tap = (case.batch, case.deformable_groups * taps, *case.output_size)
    inputs = {
        "x": random.standard_normal((case.batch, case.channels, *case.size)),
        "offset": make_offset(case, random, (case.batch, 2 * per_tap[1], *case.output_size)),
        "weight": random.standard_normal((case.outputs, case.channels // case.groups, *case.kernel)),
    }
    if case.mask:
        inputs["mask"] = make_mask(case, random, per_tap)
    if case.bias:
        inputs["bias"] = random.standard_normal(case.outputs)
    if case.gradients:
        inputs["grad_y"] = random.standard_normal((case.batch, case.outputs, *case.output_size))
    return {name: tensor.astype(dtype) for name, tensor in inputs.items()}


def make_offset(case, random, shape):
    whole = random.integers(-case.reach, case.reach + 1, shape)
    fraction = random.integers(EDGE, GRID - EDGE + 1, shape) / GRID
    base = base_coordinates(case)
    extent = extents(case)
    match case.offsets:
        case "fractional":
            return whole + fraction
        case "outside":
            return np.where(whole < 0, -1 - base, extent - base) + np.where(whole < 0, -fraction, fraction)
        case "integer":
            return whole
        case "integer not on border":
            # torchvision has another derivative than the contract at exactly -1, the one integer where they differ.
            return np.where(base + whole == -1, whole + 1, whole)
        case "zero":
            return np.zeros(shape)
    raise ValueError(case.offsets)


def make_mask(case, random, shape):
    values = random.random(shape)
    match case.mask:
        case "random":
            return values
        case "zero":
            return np.zeros(shape)
        case "negative":
            return -values
        case "some zeros":
            return np.where(random.random(shape) < 0.5, 0.0, values)
    raise ValueError(case.mask)


def base_coordinates(case):
    """Where each tap samples before its offset is added, in the shape of one image's offset tensor."""
    (kernel_h, kernel_w), (top, left, _, _) = case.kernel, case.pad
    i, j, p, q = np.ix_(*(np.arange(n) for n in (kernel_h, kernel_w, *case.output_size)))
    y = p * case.stride[0] - top + i * case.dilation[0] + 0 * (j + q)
    x = q * case.stride[1] - left + j * case.dilation[1] + 0 * (i + p)
    taps = np.stack([y, x], axis=2).reshape(2 * kernel_h * kernel_w, *case.output_size)
    return np.tile(taps, (case.deformable_groups, 1, 1))


def extents(case):
    """The image's height for the Δy channels and its width for the Δx channels."""
    taps = case.deformable_groups * case.kernel[0] * case.kernel[1]
    return np.tile(case.size, taps).reshape(-1, 1, 1)


def check_coordinates(case, offset):
    base = base_coordinates(case)
    coordinates = base + offset.astype(np.float64)
    if case.dtype == "f32":
        assert np.array_equal(base.astype(np.float32) + offset, coordinates), f"{case.name}: float32 rounds a coordinate"
    if case.offsets == "outside":
        inside = (coordinates > -1) & (coordinates < extents(case))
        assert not inside.any(), f"{case.name}: a sample is in range"
    if not case.gradients:
        return
    assert not (coordinates == -1).any(), f"{case.name}: a gradient at -1"
    if case.offsets in ("fractional", "outside"):
        to_edge = np.abs(coordinates - np.rint(coordinates))
        assert to_edge.min() >= 1e-3, f"{case.name}: a gradient at a cell edge"


def compute(case, inputs, dtype):
    """torchvision's output, and the gradients of Σ y·grad_y if the case has a grad_y."""
    operands = {name: torch.from_numpy(tensor).to(dtype) for name, tensor in inputs.items() if name != "grad_y"}
    for operand in operands.values():
        operand.requires_grad_(case.gradients)
    y = convolve(case, **operands)
    results = {"y": y}
    if case.gradients:
        y.backward(torch.from_numpy(inputs["grad_y"]).to(dtype))
        results |= {f"grad_{name}": operand.grad for name, operand in operands.items()}
    return {name: result.detach().numpy() for name, result in results.items()}


def convolve(case, x, offset, weight, mask=None, bias=None):
    top, left, bottom, right = case.pad
    padding = (top, left)
    if case.pad != (top, left, top, left):
        # torchvision pads opposite sides alike. Zeros around the image are the same as zeros outside it.
        x = torch.nn.functional.pad(x, (left, right, top, bottom))
        padding = (0, 0)
    return deform_conv2d(x, offset, weight, bias, case.stride, padding, case.dilation, mask)


def check_float32(case, exact, rounded):
    """torchvision's own float32 results must be near: otherwise the two types did not sample at the same places."""
    for name, result in exact.items():
        np.testing.assert_allclose(
            rounded[name], result, rtol=1e-4, atol=1e-4 * np.abs(result).max(), err_msg=f"{case.name}: {name}"
        )


def metadata(case):
    top, left, bottom, right = case.pad
    numbers = {
        "stride_h": case.stride[0],
        "stride_w": case.stride[1],
        "pad_top": top,
        "pad_left": left,
        "pad_bottom": bottom,
        "pad_right": right,
        "dilation_h": case.dilation[0],
        "dilation_w": case.dilation[1],
        "groups": case.groups,
        "deformable_groups": case.deformable_groups,
    }
    return {name: str(number) for name, number in numbers.items()} | {"source": SOURCE}
