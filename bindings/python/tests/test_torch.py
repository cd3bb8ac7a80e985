"""PyTorch tensors: values, gradients, layouts, errors."""

import inspect
import runpy
from pathlib import Path

import numpy as np
import pytest

from reference import assert_backward, assert_forward, random_case
from support import DTYPES

torch = pytest.importorskip("torch", reason="PyTorch from Python: torch is not installed")

from deformconv import _structs as structs  # noqa: E402
from deformconv.torch import (  # noqa: E402
    DeformConv2d,
    ModulatedDeformConv2dFunction,
    _ops,
    modulated_deform_conv2d,
)

CALLS = {"function": modulated_deform_conv2d, "Function.apply": ModulatedDeformConv2dFunction.apply}


def to_torch(case, dtype="float32", requires_grad=()):
    """The tensors of a case by name, and the case as the dtype rounds it."""
    tensors = {k: None if a is None else torch.from_numpy(a).to(getattr(torch, dtype)) for k, a in case.tensors.items()}
    rounded = case.with_tensors(lambda name, _: tensors[name].double().numpy())
    for name in requires_grad:
        tensors[name].requires_grad_()
    return tensors, rounded


def array(t):
    return t.detach().double().numpy()


def drawn(seed, dtype="float32", requires_grad=(), **options):
    case = random_case(np.random.default_rng(seed), **options)
    tensors, rounded = to_torch(case, dtype, requires_grad)
    return tensors, case.settings, rounded


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
def test_values_and_gradients(call, dtype, seed):
    names = [name for name in structs.GRADIENTS if (name, seed % 4) != ("mask", 0) and (name, seed % 3) != ("bias", 0)]
    tensors, settings, case = drawn(400 + seed, dtype, names, mask="mask" in names, bias="bias" in names)
    y = CALLS[call](*tensors.values(), *settings.values())
    assert y.dtype == tensors["x"].dtype
    assert_forward(case, array(y), dtype)
    grad_y = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed)).to(y.dtype)
    y.backward(grad_y)
    assert_backward(case, array(grad_y), {name: array(tensors[name].grad) for name in names}, dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_bias_may_be_float32_beside_smaller_types(dtype):
    tensors, settings, case = drawn(410, dtype)
    tensors["bias"] = tensors["bias"].float().requires_grad_()
    y = modulated_deform_conv2d(**tensors, **settings)
    assert y.dtype == getattr(torch, dtype)
    assert_forward(case, array(y), dtype)
    y.sum().backward()
    assert tensors["bias"].grad.dtype == torch.float32
    assert_backward(case, np.ones(y.shape), {"bias": array(tensors["bias"].grad)}, dtype)


def test_the_signature_is_that_of_mx_driving():
    expected = ["x", "offset", "mask", "weight", "bias", "stride", "padding", "dilation", "groups", "deformable_groups"]
    for function in (modulated_deform_conv2d, ModulatedDeformConv2dFunction.forward):
        parameters = inspect.signature(function).parameters
        assert list(parameters) == expected
        defaults = [p.default for p in parameters.values() if p.default is not p.empty]
        assert defaults == [None, 1, 0, 1, 1, 1]
    assert issubclass(ModulatedDeformConv2dFunction, torch.autograd.Function)


@pytest.mark.parametrize("call", CALLS)
def test_settings_are_ints_or_tuples_and_have_defaults(call):
    x, offset, weight = torch.ones(1, 2, 9, 9), torch.zeros(1, 18, 5, 5), torch.ones(2, 2, 3, 3)
    mask = torch.ones(1, 9, 5, 5)
    by_tuple = CALLS[call](x, offset, mask, weight, None, (2, 2), (1, 1), (1, 1), 1, 1)
    assert torch.equal(by_tuple, CALLS[call](x, offset, None, weight, stride=2, padding=1))
    assert torch.equal(by_tuple[..., 1:-1, 1:-1], torch.full((1, 2, 3, 3), 18.0))
    assert CALLS[call](x, torch.zeros(1, 18, 7, 7), None, weight).shape == (1, 2, 7, 7)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mask", [True, False])
def test_gradcheck(mask, bias):
    names = [n for n in structs.GRADIENTS if (n != "mask" or mask) and (n != "bias" or bias)]
    tensors, settings, _ = drawn(420, "float64", mask=mask, bias=bias)
    with torch.no_grad():  # away from the edges of cells, where the gradient of the offset jumps
        tensors["offset"] = torch.floor(tensors["offset"]) + 0.25 + 0.5 * torch.rand_like(tensors["offset"])
    for name in names:
        tensors[name].requires_grad_()
    assert torch.autograd.gradcheck(lambda *t: modulated_deform_conv2d(*t, **settings), tuple(tensors.values()))


@pytest.mark.parametrize("name", structs.GRADIENTS)
def test_only_the_wanted_gradients_are_computed(name, monkeypatch):
    tensors, settings, case = drawn(430, requires_grad=[name])
    computed = []
    empty_gradients = _ops.empty_gradients
    monkeypatch.setattr(_ops, "empty_gradients", lambda *a: computed.append(empty_gradients(*a)) or computed[-1])
    y = modulated_deform_conv2d(**tensors, **settings)
    y.sum().backward()
    assert [list(gradients) for gradients in computed] == [[name]]
    assert [n for n, t in tensors.items() if t.grad is not None] == [name]
    assert_backward(case, np.ones(y.shape), {name: array(tensors[name].grad)}, "float32")


def test_without_grad_there_is_no_graph():
    tensors, settings, _ = drawn(440, requires_grad=structs.GRADIENTS)
    with torch.no_grad():
        assert not modulated_deform_conv2d(**tensors, **settings).requires_grad
    with torch.inference_mode():
        assert modulated_deform_conv2d(**tensors, **settings).is_inference()


def test_second_derivatives_are_refused():
    tensors, settings, _ = drawn(441, "float64", requires_grad=["x", "weight"])
    y = modulated_deform_conv2d(**tensors, **settings)
    (grad_x,) = torch.autograd.grad(y.sum(), tensors["x"], create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        grad_x.sum().backward()


class TestLayouts:
    def moved(self, tensors):
        """The same values: x and mask channels last, offset a slice of something larger, weight on reversed axes."""
        wide = torch.cat([tensors["offset"]] * 2, 1)
        return dict(
            tensors,
            x=tensors["x"].to(memory_format=torch.channels_last),
            mask=tensors["mask"].to(memory_format=torch.channels_last),
            offset=wide[:, : wide.shape[1] // 2],
            weight=tensors["weight"].permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
        )

    def test_values_and_gradients(self):
        tensors, settings, case = drawn(450)
        moved = {name: t.detach().requires_grad_() for name, t in self.moved(tensors).items()}
        y = modulated_deform_conv2d(**moved, **settings)
        assert_forward(case, array(y), "float32")
        y.sum().backward()  # grad_y is an expanded scalar
        assert_backward(case, np.ones(y.shape), {name: array(t.grad) for name, t in moved.items()}, "float32")

    def test_nothing_is_copied(self, monkeypatch):
        tensors, settings, _ = drawn(451)
        moved = self.moved(tensors)
        seen = {}

        class Recorder:
            def forward(self, **addresses):
                seen.update(addresses)

            def backward(self, **addresses):
                seen.update(addresses)

        problems = []
        monkeypatch.setattr(_ops, "plan", lambda problem, *_: problems.append(problem) or Recorder())
        y = modulated_deform_conv2d(**moved, **settings)
        for name, t in moved.items():
            assert seen[name] == t.data_ptr(), name
            assert getattr(problems[0], name).strides == t.stride(), name
        assert seen["y"] == y.data_ptr()
        leaves = {name: t.detach().requires_grad_() for name, t in moved.items()}
        seen.clear()
        modulated_deform_conv2d(**leaves, **settings).sum().backward()
        assert all(seen[name] == leaves[name].data_ptr() for name in ("x", "offset", "mask", "weight"))
        assert problems[-1].grad_y.strides == (0, 0, 0, 0)

    @pytest.mark.parametrize("channels_last", [True, False])
    def test_the_result_has_the_layout_of_x(self, channels_last):
        x = torch.randn(2, 4, 6, 5).to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
        y = modulated_deform_conv2d(x, torch.zeros(2, 18, 6, 5), None, torch.randn(8, 4, 3, 3), padding=1)
        assert y.is_contiguous() != channels_last
        assert y.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_an_empty_batch():
    tensors, settings, _ = drawn(460, requires_grad=structs.GRADIENTS, batch=0)
    y = modulated_deform_conv2d(**tensors, **settings)
    assert y.shape[0] == 0
    y.sum().backward()
    assert not tensors["weight"].grad.any() and not tensors["bias"].grad.any()
    assert tensors["x"].grad.shape == tensors["x"].shape


@pytest.mark.parametrize("call", CALLS)
def test_autocast_computes_in_float32(call):
    tensors, settings, case = drawn(470, requires_grad=["weight"])
    tensors["x"] = tensors["x"].bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = CALLS[call](*tensors.values(), *settings.values())
    assert y.dtype == torch.float32
    case.tensors["x"] = array(tensors["x"])
    assert_forward(case, array(y), "float32")
    y.sum().backward()
    assert tensors["x"].grad.dtype == torch.bfloat16
    assert_backward(case, np.ones(y.shape), {"weight": array(tensors["weight"].grad)}, "float32")


class TestErrors:
    def test_the_librarys_message(self):
        tensors, settings, _ = drawn(480)
        with pytest.raises(ValueError, match=r"offset\.dims is"):
            modulated_deform_conv2d(**tensors | dict(offset=tensors["offset"][:, 1:]), **settings)
        with pytest.raises(ValueError, match="weight.*dtype"):
            modulated_deform_conv2d(**tensors | dict(weight=tensors["weight"].double()), **settings)
        with pytest.raises(ValueError, match="x is torch.int64, expected one of torch.float32"):
            modulated_deform_conv2d(**tensors | dict(x=tensors["x"].long()), **settings)
        with pytest.raises(ValueError, match="stride is 0, expected at least 1"):
            modulated_deform_conv2d(**tensors, **settings | dict(stride=0))

    def test_other_devices(self):
        from torch._subclasses.fake_tensor import FakeTensorMode

        tensors, settings, _ = drawn(481)
        with pytest.raises(ValueError, match="weight is on meta, expected cpu, as x"):
            modulated_deform_conv2d(**tensors | dict(weight=tensors["weight"].to("meta")), **settings)
        with FakeTensorMode():  # stands in for a machine that has such a device
            away = {name: torch.empty(t.shape, device="cuda") for name, t in tensors.items()}
            with pytest.raises(ValueError, match="x is on cuda:0, expected the CPU"):
                modulated_deform_conv2d(**away, **settings)


def test_as_many_threads_as_pytorch_uses(monkeypatch):
    x, offset, weight = torch.randn(1, 4, 5, 5), torch.zeros(1, 2, 5, 5), torch.randn(4, 4, 1, 1)
    asked = []
    make = _ops.plan
    monkeypatch.setattr(_ops, "plan", lambda *a: asked.append(a[2]) or make(*a))
    before = torch.get_num_threads()
    monkeypatch.delenv("DCN_NUM_THREADS", raising=False)
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            modulated_deform_conv2d(x, offset, None, weight)
    finally:
        torch.set_num_threads(before)
    monkeypatch.setenv("DCN_NUM_THREADS", "2")
    modulated_deform_conv2d(x, offset, None, weight)
    assert asked == [1, 3, 0]


class TestModule:
    def test_computes_what_the_function_does(self):
        layer = DeformConv2d(8, 12, (3, 1), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)
        x, offset, mask = torch.randn(2, 8, 9, 7), torch.randn(2, 12, 5, 7), torch.rand(2, 6, 5, 7)
        expected = modulated_deform_conv2d(
            x, offset, mask, layer.weight, layer.bias, (2, 1), (1, 0), (1, 2), groups=2, deformable_groups=2
        )
        assert torch.equal(layer(x, offset, mask), expected)
        assert layer(x, offset).shape == expected.shape

    def test_trains(self):
        torch.manual_seed(0)
        layer = DeformConv2d(4, 4, 3, padding=1)
        x, offset, mask = torch.randn(8, 4, 8, 8), torch.randn(8, 18, 8, 8), torch.rand(8, 9, 8, 8)
        with torch.no_grad():
            target = DeformConv2d(4, 4, 3, padding=1)(x, offset, mask)
        optimiser = torch.optim.Adam(layer.parameters(), 0.02)
        losses = []
        for _ in range(150):
            optimiser.zero_grad()
            losses.append(torch.nn.functional.mse_loss(layer(x, offset, mask), target))
            losses[-1].backward()
            optimiser.step()
        assert losses[-1] < 1e-3 * losses[0]

    def test_initial_weights_are_within_their_bound(self):
        layer = DeformConv2d(16, 32, 3, groups=4)
        bound = 1 / 6
        assert all(0.9 * bound < p.abs().max() <= bound for p in (layer.weight,))
        assert layer.bias.abs().max() <= bound
        assert DeformConv2d(16, 32, 3, bias=False).bias is None

    def test_groups_must_divide(self):
        with pytest.raises(ValueError, match="groups is 3"):
            DeformConv2d(4, 6, 3, groups=3)


def test_the_published_example_runs(capsys):
    runpy.run_path(str(Path(__file__).resolve().parents[3] / "examples" / "python" / "published_example.py"))
    printed = capsys.readouterr().out
    assert printed.startswith("output [16, 64, 50, 100]")
    assert "stride 1: offset.dims is [16, 18, 50, 100], expected [16, 18, 100, 200]" in printed
