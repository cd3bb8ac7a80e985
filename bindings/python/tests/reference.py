"""The operator and its gradients, straight from their definition, in float64; and the error that a result may have."""

from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """Arguments by the names of modulated_deform_conv2d: tensors and settings, the latter all pairs and ints."""

    tensors: dict
    settings: dict

    def with_tensors(self, change):
        """The same case with each tensor passed through change(name, tensor)."""
        return Case({k: None if a is None else change(k, a) for k, a in self.tensors.items()}, self.settings)


def random_case(random, dtype=np.float64, mask=True, bias=True, batch=2):
    """A small problem with every field drawn. Coordinates are the same in float32 and float64."""
    kernel, stride, padding, dilation = (random.integers(least, 4, 2) for least in (1, 1, 0, 1))
    groups, deformable_groups = random.choice([1, 2, 4], 2)
    size = (kernel - 1) * dilation + random.integers(1, 7, 2)
    out = (size + 2 * padding - (dilation * (kernel - 1) + 1)) // stride + 1
    channels, outputs, taps = 8, 4 * int(random.integers(1, 3)), int(kernel.prod())
    shapes = dict(
        x=(batch, channels, *size),
        offset=(batch, 2 * deformable_groups * taps, *out),
        mask=(batch, deformable_groups * taps, *out) if mask else None,
        weight=(outputs, channels // groups, *kernel),
        bias=(outputs,) if bias else None,
    )
    numbers = {k: None if s is None else np.round(random.normal(size=s) * 256) / 256 for k, s in shapes.items()}
    settings = {k: tuple(map(int, v)) for k, v in dict(stride=stride, padding=padding, dilation=dilation).items()}
    settings |= dict(groups=int(groups), deformable_groups=int(deformable_groups))
    return Case(numbers, settings).with_tensors(lambda _, array: array.astype(dtype))


def corners(py, px, height, width):
    """For each of four corners: rows and columns that may be read, weights, their derivatives by py and by px."""
    in_range = (py > -1) & (py < height) & (px > -1) & (px < width)
    top, left = np.floor(py), np.floor(px)
    ly, lx = py - top, px - left
    for a, b in np.ndindex(2, 2):
        row, column = top + a, left + b
        inside = in_range & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        wy, wx = (ly if a else 1 - ly), (lx if b else 1 - lx)
        weights = (wy * wx, (2 * a - 1) * wx, wy * (2 * b - 1))
        yield (
            np.clip(row, 0, height - 1).astype(int),
            np.clip(column, 0, width - 1).astype(int),
            *(np.where(inside, weight, 0) for weight in weights),
        )


def samples(case):
    """For each image, channel and tap: n, c, (i, j), channel of the mask, its values, and the corners."""
    tensors, settings = case
    x, offset, mask = tensors["x"], tensors["offset"], tensors["mask"]
    (batch, channels, height, width), (_, _, kh, kw) = x.shape, tensors["weight"].shape
    p, q = np.mgrid[: offset.shape[2], : offset.shape[3]]
    for n, c, i, j in np.ndindex(batch, channels, kh, kw):
        tap = (c * settings["deformable_groups"] // channels) * kh * kw + i * kw + j
        py = p * settings["stride"][0] - settings["padding"][0] + i * settings["dilation"][0] + offset[n, 2 * tap]
        px = q * settings["stride"][1] - settings["padding"][1] + j * settings["dilation"][1] + offset[n, 2 * tap + 1]
        values = np.ones(py.shape) if mask is None else mask[n, tap]
        yield n, c, (i, j), tap, values, list(corners(py, px, height, width))


def outputs_of(case, c):
    """Output channels that read channel c, and its index in their weights."""
    weight, groups = case.tensors["weight"], case.settings["groups"]
    group, size = c // weight.shape[1], weight.shape[0] // groups
    return slice(group * size, (group + 1) * size), c % weight.shape[1]


def forward(case, of=lambda array: array):
    """y; with of=abs, the sum of the magnitudes of its terms."""
    case = case.with_tensors(lambda name, array: array.astype(np.float64))
    x, weight, bias = (case.tensors[name] for name in ("x", "weight", "bias"))
    y = np.zeros((len(x), len(weight), *case.tensors["offset"].shape[2:]))
    if bias is not None:
        y += of(bias)[:, None, None]
    for n, c, (i, j), _, mask, four in samples(case):
        members, inner = outputs_of(case, c)
        value = sum(of(w * x[n, c, rows, columns]) for rows, columns, w, _, _ in four)
        y[n, members] += of(weight[members, inner, i, j, None, None]) * of(mask) * value
    return y


def backward(case, grad_y, of=lambda array: array):
    """Gradients by name, that of bias too; with of=abs, the sums of the magnitudes of their terms."""
    case = case.with_tensors(lambda name, array: array.astype(np.float64))
    grad_y = of(grad_y.astype(np.float64))
    x, weight = case.tensors["x"], case.tensors["weight"]
    grads = {k: np.zeros(a.shape) for k, a in case.tensors.items() if a is not None}
    grads["bias"] = grad_y.sum(axis=(0, 2, 3))
    for n, c, (i, j), tap, mask, four in samples(case):
        members, inner = outputs_of(case, c)
        column = np.tensordot(of(weight[members, inner, i, j]), grad_y[n, members], 1)
        for rows, columns, w, by_py, by_px in four:
            value = x[n, c, rows, columns]
            np.add.at(grads["x"][n, c], (rows, columns), of(w * mask) * column)
            if "mask" in grads:
                grads["mask"][n, tap] += column * of(w * value)
            grads["offset"][n, 2 * tap] += of(mask * by_py * value) * column
            grads["offset"][n, 2 * tap + 1] += of(mask * by_px * value) * column
            grads["weight"][members, inner, i, j] += (grad_y[n, members] * of(mask * w * value)).sum(axis=(1, 2))
    return grads


def term_counts(case):
    """An upper bound of the number of terms of an element of y and of each gradient."""
    x, weight, offset = (case.tensors[name] for name in ("x", "weight", "offset"))
    positions, taps = offset.shape[2] * offset.shape[3], weight.shape[2] * weight.shape[3]
    return dict(
        y=4 * weight[0].size + 1,
        x=4 * taps * positions * len(weight),
        offset=4 * x.shape[1] * len(weight),
        mask=4 * x.shape[1] * len(weight),
        weight=4 * len(x) * positions,
        bias=len(x) * positions,
    )


# Of the arithmetic, and of the format that a result is rounded to once.
EPSILON = dict(float64=2.0**-52, float32=2.0**-23, float16=2.0**-23, bfloat16=2.0**-23)
HALF_SPACING = dict(float64=0.0, float32=0.0, float16=2.0**-11, bfloat16=2.0**-8)
SMALLEST = dict(float64=0.0, float32=0.0, float16=2.0**-25, bfloat16=0.0)


def assert_close(got, expected, terms, count, dtype, what):
    """Holds a result to the library's error bound; the reference is itself rounded, hence the last summand."""
    expected = np.asarray(expected)
    bound = EPSILON[dtype] * (8 + 2 * np.sqrt(count)) * terms
    bound = bound + HALF_SPACING[dtype] * abs(expected) + SMALLEST[dtype] + 2.0**-52 * (8 + 2 * np.sqrt(count)) * terms
    error = abs(np.asarray(got, np.float64) - expected)
    assert got.shape == expected.shape, f"{what} has shape {got.shape}, expected {expected.shape}"
    assert np.all(error <= bound), f"{what}: an error is {np.max(error / np.maximum(bound, 1e-300)):.3g} of the bound"


def assert_forward(case, y, dtype):
    assert_close(y, forward(case), forward(case, of=abs), term_counts(case)["y"], dtype, "y")


def assert_backward(case, grad_y, gradients, dtype):
    """gradients: arrays by name; those that are not there are not compared."""
    expected, terms, counts = backward(case, grad_y), backward(case, grad_y, of=abs), term_counts(case)
    for name, got in gradients.items():
        assert_close(got, expected[name], terms[name], counts[name], dtype, f"grad_{name}")
