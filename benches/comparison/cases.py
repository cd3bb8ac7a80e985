"""The benchmark cases of `cases.json`, which the Rust benchmark reads too, and their inputs."""

import dataclasses
import json
import math
import pathlib

import numpy as np


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    x: tuple
    out_channels: int
    kernel: tuple = (3, 3)
    stride: tuple = (1, 1)
    padding: tuple = (1, 1)
    dilation: tuple = (1, 1)
    groups: int = 1
    deformable_groups: int = 1

    @property
    def out_size(self):
        return tuple(
            (size + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1
            for size, pad, dilation, kernel, stride in zip(
                self.x[2:], self.padding, self.dilation, self.kernel, self.stride))

    @property
    def taps(self):
        return math.prod(self.kernel)

    @property
    def depth(self):
        """Products of a sample and a weight in one element of y."""
        return self.x[1] // self.groups * self.taps

    @property
    def forward_flops(self):
        return 2 * self.x[0] * self.out_channels * math.prod(self.out_size) * self.depth

    def flops(self, direction):
        return self.forward_flops * (1 if direction == "forward" else 2)

    def shapes(self):
        n, c = self.x[:2]
        samples = self.deformable_groups * self.taps
        return {
            "x": self.x,
            "offset": (n, 2 * samples, *self.out_size),
            "mask": (n, samples, *self.out_size),
            "weight": (self.out_channels, c // self.groups, *self.kernel),
            "bias": (self.out_channels,),
            "y": (n, self.out_channels, *self.out_size),
        }

    def inputs(self, dtype):
        """The same for every run: offsets normal with a deviation of 2 pixels, the mask uniform in 0..1."""
        random = np.random.default_rng(0)
        shapes = self.shapes()
        inputs = {name: aligned_empty(shape, dtype) for name, shape in shapes.items()}
        for name, values in inputs.items():
            draw = random.random if name == "mask" else random.standard_normal
            draw(dtype=dtype, out=values)
        inputs["offset"] *= 2
        inputs["weight"] /= math.sqrt(self.depth)
        inputs["grad_y"] = inputs.pop("y")
        return inputs


def load():
    text = pathlib.Path(__file__).parent.with_name("cases.json").read_text()
    hashable = (lambda value: tuple(value) if isinstance(value, list) else value)
    return [Case(**{key: hashable(value) for key, value in entry.items()}) for entry in json.loads(text)]


def aligned_empty(shape, dtype):
    """Memory that starts on a cache line, as the tensors of the frameworks do and numpy's do not."""
    count = math.prod(np.atleast_1d(shape))
    size = int(count) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start:start + size].view(dtype).reshape(shape)
