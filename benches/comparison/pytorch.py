"""torchvision's `deform_conv2d`, and PyTorch's plain convolution of the same shape, which samples nothing."""

import torch
import torchvision


class _PyTorch:
    directions = ("forward", "backward")

    def __init__(self, threads):
        # Process-wide: one number of threads at a time is compared.
        torch.set_num_threads(threads)

    def prepare(self, case, direction, inputs):
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        if direction == "forward":
            @torch.no_grad()
            def run():
                return {"y": self.operator(case, tensors)}
        else:
            wanted = {name: tensors[name].requires_grad_() for name in self.differentiable}
            y = self.operator(case, tensors)

            def run():
                grads = torch.autograd.grad(y, list(wanted.values()), tensors["grad_y"], retain_graph=True)
                return {f"grad_{name}": grad for name, grad in zip(wanted, grads)}
        return run


class Torchvision(_PyTorch):
    name = "torchvision"
    version = torchvision.__version__
    computes_the_operator = True
    differentiable = ("x", "offset", "mask", "weight", "bias")

    @staticmethod
    def operator(case, t):
        return torchvision.ops.deform_conv2d(
            t["x"], t["offset"], t["weight"], t["bias"], case.stride, case.padding, case.dilation, t["mask"])


class PlainConvolution(_PyTorch):
    name = "conv"
    version = f"torch {torch.__version__}"
    differentiable = ("x", "weight", "bias")
    computes_the_operator = False

    @staticmethod
    def operator(case, t):
        return torch.nn.functional.conv2d(
            t["x"], t["weight"], t["bias"], case.stride, case.padding, case.dilation, case.groups)
