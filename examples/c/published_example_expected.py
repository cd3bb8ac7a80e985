#!/usr/bin/env python3
"""Computes what published_example.c must give, with another program: torchvision, in f64.

    pip install torch torchvision numpy
    python3 published_example_expected.py > published_example_expected.h

The numbers of the generator are so chosen that coordinates are exact in f32: both programs sample at the same places. The
sum of the magnitudes of all terms, which the contract's error bound multiplies, is the same convolution of the
magnitudes.
"""

import numpy as np
import torch
import torchvision

N, C, H, W, O, OUT_H, OUT_W, TAPS = 16, 64, 100, 200, 64, 50, 100, 9
X, OFFSET, MASK, WEIGHT = range(4)  # seeds
TERMS = 4 * C * TAPS  # of one output element: four corners for each channel and tap
SAMPLES = 12  # elements that are compared one by one


def numbers(seed, *shape):
    """As number() of published_example.c."""
    h = np.arange(np.prod(shape), dtype=np.uint32) + np.uint32(seed * 0x9E3779B9 % 2**32)
    h = (h ^ h >> 16) * np.uint32(0x85EBCA6B)
    h = (h ^ h >> 13) * np.uint32(0xC2B2AE35)
    h ^= h >> 16
    return torch.from_numpy(((h >> 16).astype(np.float64) - 32768) / 32768).reshape(shape)


def main():
    x = numbers(X, N, C, H, W)
    offset = 4 * numbers(OFFSET, N, 2 * TAPS, OUT_H, OUT_W)
    mask = (numbers(MASK, N, TAPS, OUT_H, OUT_W) + 1) / 2
    weight = numbers(WEIGHT, O, C, 3, 3) / 32

    def conv(x, weight):
        return torchvision.ops.deform_conv2d(x, offset, weight, stride=2, padding=1, mask=mask).flatten()

    y, terms = conv(x, weight), conv(x.abs(), weight.abs())
    print(f"""/* Made by published_example_expected.py with torchvision {torchvision.__version__.split("+")[0]}, f64; do not edit. */
#ifndef PUBLISHED_EXAMPLE_EXPECTED_H
#define PUBLISHED_EXAMPLE_EXPECTED_H

#include <stddef.h>

/* |got - expected| <= 2^-23 * (8 + 2 * sqrt(n)) * (sum of the magnitudes of the n = {TERMS} terms of an element): the
 * library's error bound for f32. The bound of a sum over elements is the sum of their bounds. */
#define ERROR_BOUND ({8 + 2 * TERMS**0.5:.17g} / 8388608.0)

static const double expected_sum = {y.sum():.17g};
static const double expected_magnitudes = {y.abs().sum():.17g};
static const double expected_terms = {terms.sum():.17g};
static const struct expected_element {{
    size_t index;
    double value, terms;
}} expected_elements[] = {{""")
    for k in range(SAMPLES):
        i = k * (len(y) - 1) // (SAMPLES - 1)
        print(f"    {{{i}, {y[i]:.17g}, {terms[i]:.17g}}},")
    print("};\n\n#endif")


if __name__ == "__main__":
    main()
