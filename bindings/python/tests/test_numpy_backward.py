"""numpy arrays, backward."""

import numpy as np
import pytest

from deformconv import Gradients, modulated_deform_conv2d_backward
from deformconv._structs import GRADIENTS
from reference import assert_backward, random_case
from support import DTYPES, numpy_dtype
from test_numpy import LAYOUTS


def with_grad_y(case, random):
    """The arguments of the backward function."""
    tensors = {name: array for name, array in case.tensors.items() if name != "bias"}
    shape = (len(tensors["x"]), len(tensors["weight"]), *tensors["offset"].shape[2:])
    return dict(tensors, **case.settings, grad_y=random.normal(size=shape).astype(tensors["x"].dtype))


def drawn(seed, dtype="float32", **options):
    random = np.random.default_rng(seed)
    case = random_case(random, numpy_dtype(dtype), **options)
    return case, with_grad_y(case, random)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(12))
def test_random_problems(dtype, seed):
    case, arguments = drawn(seed, dtype, mask=seed % 4 != 0)
    gradients = modulated_deform_conv2d_backward(**arguments)
    assert (gradients.mask is None) == (seed % 4 == 0)
    got = {name: array for name, array in gradients._asdict().items() if array is not None}
    assert all(array.dtype == numpy_dtype(dtype) for array in got.values())
    assert_backward(case, arguments["grad_y"], got, dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_inputs_and_gradients(layout):
    case, arguments = drawn(200)
    arguments = {k: LAYOUTS[layout](v) if isinstance(v, np.ndarray) else v for k, v in arguments.items()}
    shapes = {name: case.tensors[name].shape for name in GRADIENTS}
    out = Gradients(**{name: LAYOUTS[layout](np.full(shape, np.nan, np.float32)) for name, shape in shapes.items()})
    gradients = modulated_deform_conv2d_backward(**arguments, out=out)
    assert all(got is given for got, given in zip(gradients, out))
    assert_backward(case, arguments["grad_y"], gradients._asdict(), "float32")


@pytest.mark.parametrize("name", GRADIENTS)
def test_one_gradient_alone_has_the_same_bits(name):
    _, arguments = drawn(201)
    alone = modulated_deform_conv2d_backward(**arguments, wanted=(name,))
    assert [other for other, array in alone._asdict().items() if array is not None] == [name]
    together = modulated_deform_conv2d_backward(**arguments)
    np.testing.assert_array_equal(getattr(alone, name), getattr(together, name))


def test_accumulate_adds_to_what_is_given():
    _, arguments = drawn(202, "float64")
    fresh = modulated_deform_conv2d_backward(**arguments)
    out = Gradients(*(np.full_like(array, 100.0) if i % 2 else None for i, array in enumerate(fresh)))
    added = modulated_deform_conv2d_backward(**arguments, out=out, accumulate=True)
    for i, (got, first) in enumerate(zip(added, fresh)):
        np.testing.assert_allclose(got, first + 100.0 if i % 2 else first, rtol=1e-12)
    again = modulated_deform_conv2d_backward(**arguments, out=out)
    for got, first in zip(again, fresh):
        np.testing.assert_array_equal(got, first)


def test_an_empty_batch_has_zero_weight_gradients():
    _, arguments = drawn(203, batch=0)
    gradients = modulated_deform_conv2d_backward(**arguments)
    assert gradients.x.shape == arguments["x"].shape
    assert not gradients.weight.any() and not gradients.bias.any()


def test_refused():
    _, arguments = drawn(204)
    with pytest.raises(ValueError, match="wanted names"):
        modulated_deform_conv2d_backward(**arguments, wanted=("x", "grad_x"))
    with pytest.raises(ValueError, match=r"grad_y\.dims"):
        modulated_deform_conv2d_backward(**arguments | dict(grad_y=arguments["grad_y"][..., :-1]))
    with pytest.raises(ValueError, match="out.weight is read-only"):
        read_only = np.broadcast_to(np.float32(0), arguments["weight"].shape)
        modulated_deform_conv2d_backward(**arguments, out=Gradients(weight=read_only))
    with pytest.raises(ValueError, match="mask"):
        out = Gradients(mask=np.zeros_like(arguments["mask"]))
        modulated_deform_conv2d_backward(**arguments | dict(mask=None), out=out)
