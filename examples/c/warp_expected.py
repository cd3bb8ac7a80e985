#!/usr/bin/env python3
"""Computes the pictures that warp.c must give, with another program: torchvision, in f64.

    pip install torch torchvision numpy
    python3 warp_expected.py swirl|lens in.ppm out.ppm
"""

import sys

import numpy as np
import torch
import torchvision

KERNEL, TAPS = 3, 9


def swirl(y, x):
    angle = np.pi * np.maximum(1 - np.hypot(y, x), 0) ** 2
    return np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y


def lens(y, x):
    scale = np.minimum(0.4 + 0.6 * (y * y + x * x), 1)
    return scale * y, scale * x


def offset_field(height, width, warp):
    """How far each tap moves, in pixels: [1, 2 * TAPS, height, width]."""
    p, q = np.mgrid[:height, :width].astype(float)
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    rim = 0.95 * min(middle_y, middle_x)
    field = []
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            y, x = warp((p + i / 2 - middle_y) / rim, (q + j / 2 - middle_x) / rim)
            y, x = np.clip(y * rim + middle_y, 0, height - 1), np.clip(x * rim + middle_x, 0, width - 1)
            field += [y - (p + i), x - (q + j)]
    return torch.from_numpy(np.stack(field)[None])


def main(warp, source, target):
    with open(source, "rb") as file:
        file.readline()
        width, height = map(int, file.readline().split())
        file.readline()
        pixels = np.frombuffer(file.read(), np.uint8).reshape(height, width, 3)
    x = torch.from_numpy(pixels.astype(float)).permute(2, 0, 1)[None].contiguous()
    row = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64) / 4
    weight = (row[:, None] * row).expand(3, 1, KERNEL, KERNEL).contiguous()
    y = torchvision.ops.deform_conv2d(x, offset_field(height, width, warp), weight, padding=1)
    with open(target, "wb") as file:
        file.write(b"P6\n%d %d\n255\n" % (width, height))
        file.write((y[0].permute(1, 2, 0) + 0.5).clip(0, 255).to(torch.uint8).numpy().tobytes())


if __name__ == "__main__":
    main({"swirl": swirl, "lens": lens}[sys.argv[1]], *sys.argv[2:])
