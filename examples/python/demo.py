#!/usr/bin/env python3
"""deformconv from Python: random problems against a naive computation in numpy, and what an error looks like."""

import sys

import numpy as np
from deformconv_ctypes import DeformConvError, build_info, modulated_deform_conv2d


def sample(image, py, px):
    """Bilinear sampling; a corner outside the image counts 0."""
    height, width = image.shape
    total = np.zeros_like(py)
    for a in (0, 1):
        for b in (0, 1):
            y, x = np.floor(py).astype(int) + a, np.floor(px).astype(int) + b
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            value = np.where(inside, image[y.clip(0, height - 1), x.clip(0, width - 1)], 0)
            total += (1 - abs(py - y)) * (1 - abs(px - x)) * value
    return total


def naive(x, offset, mask, weight, bias, stride, padding, dilation, groups, deformable_groups):
    """The definition of the operator, term by term."""
    (_, channels, _, _), (outputs, fan_in, kh, kw), (batch, _, rows, columns) = x.shape, weight.shape, offset.shape
    p, q = np.mgrid[:rows, :columns].astype(x.dtype)
    y = np.zeros((batch, outputs, rows, columns), x.dtype) + bias[:, None, None]
    for n, c, i, j in np.ndindex(batch, channels, kh, kw):
        tap = (c * deformable_groups // channels) * kh * kw + i * kw + j
        py = p * stride[0] - padding[0] + i * dilation[0] + offset[n, 2 * tap]
        px = q * stride[1] - padding[1] + j * dilation[1] + offset[n, 2 * tap + 1]
        value = mask[n, tap] * sample(x[n, c], py, px)
        group = c // fan_in
        members = slice(group * outputs // groups, (group + 1) * outputs // groups)
        y[n, members] += weight[members, c % fan_in, i, j, None, None] * value
    return y


def compare(name, dtype, channels_last):
    """One problem; True if the largest error is within the library's bound."""
    random = np.random.default_rng(1)
    settings = dict(stride=(2, 1), padding=(2, 1), dilation=(1, 2), groups=2, deformable_groups=4)
    shapes = dict(
        x=(2, 8, 15, 13), offset=(2, 4 * 2 * 15, 8, 11), mask=(2, 4 * 15, 8, 11), weight=(6, 4, 5, 3), bias=(6,)
    )
    # Multiples of 1/256: coordinates are the same in f32 and f64.
    tensors = {k: np.round(random.normal(size=shape) * 256) / 256 for k, shape in shapes.items()}
    given = {k: array.astype(dtype) for k, array in tensors.items()}
    if channels_last:  # same values, other strides
        for k in ("x", "offset", "mask"):
            given[k] = np.ascontiguousarray(given[k].transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    got = modulated_deform_conv2d(**given, **settings)

    expected = naive(**tensors, **settings)
    magnitudes = {k: array if k == "offset" else abs(array) for k, array in tensors.items()}
    terms = 4 * tensors["weight"][0].size + 1
    bound = np.finfo(dtype).eps * (8 + 2 * np.sqrt(terms)) * naive(**magnitudes, **settings)
    if dtype == np.float64:
        bound *= 2  # the naive sum is rounded as well
    right = bool(np.all(abs(got - expected) <= bound))
    error = np.max(abs(got - expected) / bound)
    print(f"{name}: y {got.shape}, largest error {error:.3f} of the bound: {'right' if right else 'WRONG'}")
    return right


def main():
    print(build_info())
    right = compare("float32, NCHW", np.float32, channels_last=False)
    right &= compare("float32, NHWC", np.float32, channels_last=True)
    right &= compare("float64, NCHW", np.float64, channels_last=False)
    try:
        x, weight = np.zeros((1, 4, 8, 8), np.float32), np.zeros((4, 4, 3, 3), np.float32)
        modulated_deform_conv2d(x, np.zeros((1, 17, 6, 6), np.float32), None, weight)
        print("an offset of 17 channels was not refused: WRONG")
        right = False
    except DeformConvError as error:
        print(f"an offset of 17 channels for 3x3 taps: {error}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
