"""Modulated deformable convolution (DCNv2) on CPUs.

This module takes numpy arrays; `deformconv.torch` takes PyTorch tensors, with autograd.
"""

from importlib.metadata import version as _version

from ._arrays import Gradients, modulated_deform_conv2d, modulated_deform_conv2d_backward
from ._library import ArgumentError, DeformConvError, build_info

__version__ = _version("deformconv")
__all__ = [
    "ArgumentError",
    "DeformConvError",
    "Gradients",
    "build_info",
    "modulated_deform_conv2d",
    "modulated_deform_conv2d_backward",
]
