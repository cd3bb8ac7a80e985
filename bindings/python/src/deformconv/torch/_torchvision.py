"""deformconv under torchvision.ops.deform_conv2d.

torchvision's operator gets other CPU kernels in PyTorch's dispatcher, so that every way to call it is served: imported
names, DeformConv2d modules, scripted and compiled models.
"""

import warnings

import torch

from ._function import modulated_deform_conv2d

_patches = []


class Patch:
    """What patch_torchvision did. Leaving it as a context, or undo(), takes it back."""

    def __init__(self):
        self._library = torch.library.Library("torchvision", "IMPL")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"[\s\S]*Overriding a previously registered kernel")
            for key in ("CPU", "AutogradCPU"):
                self._library.impl("deform_conv2d", _deform_conv2d, key)
        _patches.append(self)

    def undo(self):
        if self in _patches:
            _patches.remove(self)
            self._library._destroy()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.undo()


def patch_torchvision():
    """Puts deformconv's CPU kernels under torchvision.ops.deform_conv2d, forward and backward.

    Lasts until unpatch_torchvision(), or as long as the context where it is used in a `with` statement.
    """
    import torchvision  # noqa: F401 - defines the operator

    return Patch()


def unpatch_torchvision():
    """Takes back all that patch_torchvision did."""
    for patch in tuple(_patches):
        patch.undo()


def _deform_conv2d(
    input, weight, offset, mask, bias, stride_h, stride_w, pad_h, pad_w, dil_h, dil_w, groups, offset_groups, use_mask
):
    """torchvision::deform_conv2d; without use_mask, mask is a placeholder."""
    return modulated_deform_conv2d(
        input,
        offset,
        mask if use_mask else None,
        weight,
        bias,
        (stride_h, stride_w),
        (pad_h, pad_w),
        (dil_h, dil_w),
        groups,
        offset_groups,
    )
