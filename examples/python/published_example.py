#!/usr/bin/env python3
"""The example of the documentation of mx_driving.modulated_deform_conv2d, on the CPU.

Word for word but for three things: the import, `.npu()` is left out, and stride is 2, since the printed 1 does not give the
printed output size.
"""

import torch
from deformconv.torch import ModulatedDeformConv2dFunction, modulated_deform_conv2d

n, c_in, h_in, w_in = 16, 64, 100, 200
c_out, k, h_out, w_out = 64, 3, 50, 100

x = torch.randn((n, c_in, h_in, w_in))
offset = torch.randn((n, 2 * k * k, h_out, w_out))
mask = torch.randn((n, k * k, h_out, w_out))
weight = torch.randn((c_out, c_in, k, k))
bias = None
stride = 2
padding = 1
dilation = 1
groups = 1
deformable_groups = 1

output = modulated_deform_conv2d(x, offset, mask, weight, bias,
  stride, padding, dilation, groups, deformable_groups)
output = ModulatedDeformConv2dFunction.apply(x, offset, mask, weight, bias,
  stride, padding, dilation, groups, deformable_groups)

print(f"output {list(output.shape)}, mean square {output.square().mean():.1f}")

# As it is printed there:
try:
    stride = 1
    modulated_deform_conv2d(x, offset, mask, weight, bias,
      stride, padding, dilation, groups, deformable_groups)
except ValueError as error:
    print(f"stride 1: {error}")
