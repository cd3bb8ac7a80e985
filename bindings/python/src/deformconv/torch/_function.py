"""modulated_deform_conv2d with its gradients."""

import torch

from .._problem import Settings
from ._ops import library


def modulated_deform_conv2d(
    x, offset, mask, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, deformable_groups=1
):
    """Modulated deformable convolution (DCNv2), with the signature of mx_driving.modulated_deform_conv2d.

    x [N, C, H, W], offset [N, 2*D*K, Ho, Wo] in (y, x) pairs, mask [N, D*K, Ho, Wo] or None (1 everywhere), weight
    [O, C/groups, kh, kw], bias [O] or None, with K = kh*kw and D = deformable_groups; on the CPU, of any strides, of
    one floating-point type (bias may be float32 beside float16 and bfloat16). stride, padding and dilation are ints or
    (vertical, horizontal). Under torch.autocast it computes in float32, as mx_driving's does.

    Returns y [N, O, Ho, Wo], channels last where x is.
    """
    for name, t in dict(x=x, offset=offset, mask=mask, weight=weight, bias=bias).items():
        if (t is not None and t.device != x.device) or (t is x and t.device.type not in ("cpu", "meta")):
            raise ValueError(f"{name} is on {t.device}, expected {'the CPU' if t is x else f'{x.device}, as x'}")
    settings = Settings.of(stride, padding, dilation, groups, deformable_groups)
    return torch.ops.deformconv.modulated_deform_conv2d(x, offset, mask, weight, bias, *settings)


class ModulatedDeformConv2dFunction(torch.autograd.Function):
    """`apply` has the signature of mx_driving's; the operator takes its gradients from here too."""

    @staticmethod
    def forward(x, offset, mask, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, deformable_groups=1):
        return modulated_deform_conv2d(
            x, offset, mask, weight, bias, stride, padding, dilation, groups, deformable_groups
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, offset, mask, weight, bias, *settings = inputs
        ctx.save_for_backward(x, offset, mask, weight)
        ctx.settings = Settings.of(*settings)
        ctx.bias_dtype = None if bias is None else bias.dtype

    @staticmethod
    def backward(ctx, grad_y):
        wanted = list(ctx.needs_input_grad[:5])
        # Where autocast made the inputs float32 for the forward pass, they are cast again here.
        tensors = [None if t is None else t.to(grad_y.dtype) for t in ctx.saved_tensors]
        dtypes = [None if t is None else t.dtype for t in ctx.saved_tensors] + [ctx.bias_dtype]
        computed = iter(torch.ops.deformconv.modulated_deform_conv2d_backward(grad_y, *tensors, *ctx.settings, wanted))
        gradients = [next(computed).to(dtype) if want else None for want, dtype in zip(wanted, dtypes)]
        return (*gradients, None, None, None, None, None)


def no_second_derivative(ctx, *gradients):
    raise NotImplementedError("deformconv has no second derivatives: its backward pass cannot be differentiated")


torch.library.register_autograd(
    "deformconv::modulated_deform_conv2d",
    ModulatedDeformConv2dFunction.backward,
    setup_context=ModulatedDeformConv2dFunction.setup_context,
    lib=library,
)
torch.library.register_autograd("deformconv::modulated_deform_conv2d_backward", no_second_derivative, lib=library)
torch.library.register_autocast("deformconv::modulated_deform_conv2d", "cpu", torch.float32, lib=library)
