"""torch.library registration: fake tensors, torch.compile, torch.export."""

import shutil

import pytest

from support import DTYPES

torch = pytest.importorskip("torch", reason="torch.compile from Python: torch is not installed")

from deformconv._structs import GRADIENTS  # noqa: E402
from deformconv.torch import DeformConv2d, ModulatedDeformConv2dFunction, modulated_deform_conv2d  # noqa: E402
from test_torch import drawn  # noqa: E402

# aot_eager traces forward and backward, and runs the operators; inductor compiles what is around them too.
BACKENDS = ["aot_eager"] + (["inductor"] if shutil.which("g++") or shutil.which("clang++") else [])


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()


def test_inductor_was_tried():
    if "inductor" not in BACKENDS:
        pytest.skip("torch.compile with inductor from Python: no C++ compiler")


@pytest.mark.parametrize("seed", range(4))
def test_opcheck(seed):
    tensors, settings, _ = drawn(500 + seed, requires_grad=["x", "offset", "weight"], mask=seed % 2 == 0)
    if seed == 3:
        tensors["x"] = tensors["x"].detach().to(memory_format=torch.channels_last).requires_grad_()
    operators = torch.ops.deformconv
    arguments = (*tensors.values(), *settings.values())
    torch.library.opcheck(operators.modulated_deform_conv2d.default, arguments)
    y = modulated_deform_conv2d(*arguments)
    wanted = [True, True, tensors["mask"] is not None, seed % 2 == 0, True]
    inputs = [None if t is None else t.detach() for t in tensors.values()]
    arguments = (torch.randn_like(y), *inputs[:4], *settings.values(), wanted)
    torch.library.opcheck(operators.modulated_deform_conv2d_backward.default, arguments)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", GRADIENTS + (None,))
def test_fake_tensors_have_shape_strides_and_type_of_real_ones(name, channels_last):
    tensors, settings, _ = drawn(510, requires_grad=[name] if name else [])
    if channels_last:
        tensors = {n: t.to(memory_format=torch.channels_last) if t.dim() == 4 else t for n, t in tensors.items()}
        tensors = {n: t.detach().requires_grad_(n == name) for n, t in tensors.items()}
    meta = {n: t.detach().to("meta").requires_grad_(n == name) for n, t in tensors.items()}
    real, fake = (modulated_deform_conv2d(**t, **settings) for t in (tensors, meta))
    if name:
        real.sum().backward(), fake.sum().backward()
        real, fake = tensors[name].grad, meta[name].grad
    assert (fake.shape, fake.stride(), fake.dtype) == (real.shape, real.stride(), real.dtype)
    assert fake.device.type == "meta"


def gradients_of(function, tensors, settings):
    leaves = {n: None if t is None else t.detach().requires_grad_() for n, t in tensors.items()}
    y = function(*leaves.values(), *settings.values())
    (y * y).sum().backward()
    return y.detach(), [None if t is None else t.grad for t in leaves.values()]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("call", ["function", "Function.apply"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_compiled_forward_and_backward(backend, call, dtype):
    function = modulated_deform_conv2d if call == "function" else ModulatedDeformConv2dFunction.apply
    tensors, settings, _ = drawn(520, dtype)
    compiled = torch.compile(lambda *a: function(*a) + 1, backend=backend, fullgraph=True)
    y, gradients = gradients_of(compiled, tensors, settings)
    expected_y, expected = gradients_of(lambda *a: function(*a) + 1, tensors, settings)
    torch.testing.assert_close(y, expected_y)
    for got, one in zip(gradients, expected):
        torch.testing.assert_close(got, one)


@pytest.mark.parametrize("call", ["function", "Function.apply"])
def test_compiled_under_autocast(call):
    function = modulated_deform_conv2d if call == "function" else ModulatedDeformConv2dFunction.apply
    tensors, settings, _ = drawn(530)
    tensors["x"] = tensors["x"].bfloat16()

    def under_autocast(*arguments):
        with torch.autocast("cpu", torch.bfloat16):
            return function(*arguments)

    y, gradients = gradients_of(torch.compile(under_autocast, backend="aot_eager", fullgraph=True), tensors, settings)
    expected_y, expected = gradients_of(under_autocast, tensors, settings)
    assert y.dtype == torch.float32 and torch.equal(y, expected_y)
    for got, one in zip(gradients, expected):
        assert got.dtype == one.dtype
        torch.testing.assert_close(got, one)


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.field = torch.nn.Conv2d(4, 27, 3, padding=1)
        self.layer = DeformConv2d(4, 6, 3, padding=1)

    def forward(self, x):
        offset, mask = self.field(x).split([18, 9], 1)
        return self.layer(x, offset, mask.sigmoid())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_module_with_dynamic_shapes_is_compiled_once(backend):
    model = Layer()
    compiled = torch.compile(model, backend=backend, dynamic=True, fullgraph=True)
    for batch, height, width in ((2, 9, 7), (3, 12, 11), (5, 8, 10)):
        x = torch.randn(batch, 4, height, width)
        with torch._dynamo.config.patch(error_on_recompile=batch != 2):
            y = compiled(x)
        torch.testing.assert_close(y, model(x))
        y.sum().backward()


def test_a_module_can_be_exported():
    model, x = Layer().eval(), torch.randn(2, 4, 9, 7)
    exported = torch.export.export(model, (x,))
    assert any("deformconv.modulated_deform_conv2d" in str(node.target) for node in exported.graph.nodes)
    torch.testing.assert_close(exported.module()(x), model(x))
