"""Against torchvision.ops.deform_conv2d, and under it."""

import subprocess
import sys

import numpy as np
import pytest

from reference import Case, random_case

torch = pytest.importorskip("torch", reason="the comparison with torchvision from Python: torch is not installed")
torchvision = pytest.importorskip(
    "torchvision", reason="the comparison with torchvision from Python: torchvision is not installed"
)

from torchvision.ops import deform_conv2d  # noqa: E402

from deformconv.torch import DeformConv2d, _torchvision, modulated_deform_conv2d, patch_torchvision, unpatch_torchvision  # noqa: E402  # noqa: E402
from test_torch import to_torch  # noqa: E402

TOLERANCE = {"float32": dict(rtol=2e-5, atol=2e-4), "float64": dict(rtol=1e-12, atol=1e-11)}


def ours(x, offset, mask, weight, bias, settings):
    return modulated_deform_conv2d(x, offset, mask, weight, bias, **settings)


def theirs(x, offset, mask, weight, bias, settings):
    return deform_conv2d(x, offset, weight, bias, settings["stride"], settings["padding"], settings["dilation"], mask)


def run(function, tensors, settings, grad_seed=0):
    """y and the gradients."""
    leaves = {name: None if t is None else t.detach().requires_grad_() for name, t in tensors.items()}
    y = function(**leaves, settings=settings)
    y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(grad_seed)).to(y.dtype))
    return dict({f"grad_{name}": t.grad for name, t in leaves.items() if t is not None}, y=y.detach())


def problem(seed, dtype):
    """A random problem; offsets are a step away from where the derivatives jump or conventions differ."""
    random = np.random.default_rng(seed)
    case = random_case(random, mask=seed % 4 != 0, bias=seed % 3 != 0, batch=int(random.integers(1, 4)))
    offset = case.tensors["offset"]
    case = Case(case.tensors | dict(offset=np.floor(offset) + np.clip(offset % 1, 1 / 16, 15 / 16)), case.settings)
    return to_torch(case, dtype)[0], case.settings


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("seed", range(60))
def test_values_and_gradients_are_torchvisions(dtype, seed):
    tensors, settings = problem(600 + seed, dtype)
    got, expected = run(ours, tensors, settings), run(theirs, tensors, settings)
    assert got.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(
            got[name], expected[name], **TOLERANCE[dtype], msg=lambda m, name=name: f"{name}: {m}"
        )


@pytest.fixture
def kernels(monkeypatch):
    """Counts the calls that reach deformconv."""
    calls = []
    real = _torchvision.modulated_deform_conv2d
    monkeypatch.setattr(_torchvision, "modulated_deform_conv2d", lambda *a: calls.append(1) or real(*a))
    yield calls
    unpatch_torchvision()


def test_patched_gives_our_bits_and_unpatched_theirs(kernels):
    tensors, settings = problem(701, "float32")
    before = run(theirs, tensors, settings)
    assert not kernels
    with patch_torchvision():
        patched = run(theirs, tensors, settings)
    assert len(kernels) == 1
    for name, expected in run(ours, tensors, settings).items():
        assert torch.equal(patched[name], expected), name
    for name, after in run(theirs, tensors, settings).items():
        assert torch.equal(after, before[name]), name
    assert len(kernels) == 1


def test_patches_nest_and_can_be_taken_back_at_once(kernels):
    tensors, settings = problem(702, "float32")
    counts = []

    def count():
        kernels.clear()
        theirs(**tensors, settings=settings)
        counts.append(len(kernels))

    outer = patch_torchvision()
    with patch_torchvision():
        count()
    count()
    outer.undo()
    count()
    outer.undo()
    patch_torchvision(), patch_torchvision()
    unpatch_torchvision()
    count()
    assert counts == [1, 1, 0, 0]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_patched_without_autograd(mode, kernels):
    tensors, settings = problem(703, "float32")
    with patch_torchvision(), mode():
        y = theirs(**tensors, settings=settings)
    assert kernels
    assert torch.equal(y, ours(**tensors, settings=settings))


def test_patched_takes_what_autocast_makes_of_a_model(kernels):
    """torchvision has no CPU kernel for bfloat16, which is what layers before it give under autocast."""
    tensors, settings = problem(703, "float32")
    tensors["x"] = tensors["x"].bfloat16()
    with patch_torchvision(), torch.autocast("cpu", torch.bfloat16):
        y = theirs(**tensors, settings=settings)
    assert kernels and y.dtype == torch.float32
    assert torch.equal(y, ours(**tensors | dict(x=tensors["x"].float()), settings=settings))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")
def test_a_model_reaches_our_kernels_without_an_edit(kernels):
    model = torchvision.ops.DeformConv2d(4, 6, 3, padding=1)
    x, offset, mask = torch.randn(2, 4, 8, 8), torch.randn(2, 18, 8, 8), torch.rand(2, 9, 8, 8)
    expected = model(x, offset, mask)
    scripted = torch.jit.script(model)
    with patch_torchvision():
        for variant in (model, scripted, torch.compile(model, backend="aot_eager", fullgraph=True)):
            kernels.clear()
            y = variant(x, offset, mask)
            y.sum().backward()
            assert kernels
            torch.testing.assert_close(y, expected)


def test_modules_have_the_same_parameters():
    theirs_, ours_ = torchvision.ops.DeformConv2d(4, 6, 3, 2, 1), DeformConv2d(4, 6, 3, 2, 1)
    ours_.load_state_dict(theirs_.state_dict())
    x, offset, mask = torch.randn(2, 4, 9, 9), torch.randn(2, 18, 5, 5), torch.rand(2, 9, 5, 5)
    torch.testing.assert_close(ours_(x, offset, mask), theirs_(x, offset, mask))


def test_patching_prints_nothing():
    program = "import deformconv.torch as d; p = d.patch_torchvision(); p.undo(); d.patch_torchvision()"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
