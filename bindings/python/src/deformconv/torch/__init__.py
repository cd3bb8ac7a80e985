"""The operator for PyTorch tensors on the CPU, with autograd and torch.compile."""

from ._function import ModulatedDeformConv2dFunction, modulated_deform_conv2d
from ._module import DeformConv2d
from ._torchvision import patch_torchvision, unpatch_torchvision

__all__ = [
    "DeformConv2d",
    "ModulatedDeformConv2dFunction",
    "modulated_deform_conv2d",
    "patch_torchvision",
    "unpatch_torchvision",
]
