"""numpy arrays, forward."""

import numpy as np
import pytest

import deformconv
from deformconv import ArgumentError, DeformConvError, _arrays, modulated_deform_conv2d
from reference import assert_forward, random_case
from support import DTYPES, numpy_dtype


def nhwc(array):
    """Channels innermost in memory."""
    return array if array.ndim < 2 else np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


def reversed_rows(array):
    return np.ascontiguousarray(array[::-1])[::-1]


def every_other(array):
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


LAYOUTS = {"as it is": lambda array: array, "nhwc": nhwc, "reversed": reversed_rows, "every other": every_other}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(12))
def test_random_problems(dtype, seed):
    case = random_case(np.random.default_rng(seed), numpy_dtype(dtype), mask=seed % 4 != 0, bias=seed % 3 != 0)
    y = modulated_deform_conv2d(**case.tensors, **case.settings)
    assert y.dtype == numpy_dtype(dtype)
    assert_forward(case, y, dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_same_values(layout):
    case = random_case(np.random.default_rng(100), np.float32)
    moved = case.with_tensors(lambda name, array: LAYOUTS[layout](array))
    y = modulated_deform_conv2d(**moved.tensors, **moved.settings)
    assert_forward(case, y, "float32")


def test_broadcast_inputs():
    case = random_case(np.random.default_rng(101), np.float32)
    broadcast = case.with_tensors(lambda name, array: np.broadcast_to(array[:1], array.shape))
    assert 0 in broadcast.tensors["x"].strides
    assert_forward(broadcast, modulated_deform_conv2d(**broadcast.tensors, **broadcast.settings), "float32")


def test_the_library_gets_the_arrays_own_addresses(monkeypatch):
    seen = {}

    class Recorder:
        def forward(self, **addresses):
            seen.update(addresses)

    monkeypatch.setattr(_arrays, "plan", lambda *problem: Recorder())
    case = random_case(np.random.default_rng(102), np.float32)
    case = case.with_tensors(lambda name, array: reversed_rows(every_other(array)))
    out = modulated_deform_conv2d(**case.tensors, **case.settings)
    for name, array in dict(case.tensors, y=out).items():
        assert seen[name] == array.ctypes.data, name


def test_lists_are_taken_as_arrays():
    y = modulated_deform_conv2d([[[[1.0, 2.0]]]], np.zeros((1, 2, 1, 2)), None, [[[[3.0]]]], bias=[0.5])
    assert y.tolist() == [[[[3.5, 6.5]]]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_out_is_written_on_its_own_strides(layout):
    case = random_case(np.random.default_rng(103), np.float32)
    expected = modulated_deform_conv2d(**case.tensors, **case.settings)
    out = LAYOUTS[layout](np.full_like(expected, np.nan))
    around = out.base if layout == "every other" else out
    assert modulated_deform_conv2d(**case.tensors, **case.settings, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert np.isnan(around).sum() == around.size - out.size


def test_settings_are_ints_or_pairs():
    x, weight = np.ones((1, 2, 9, 9), np.float32), np.ones((2, 2, 3, 3), np.float32)
    offset = np.zeros((1, 18, 5, 5), np.float32)
    as_ints = modulated_deform_conv2d(x, offset, None, weight, None, 2, 1, 1)
    as_pairs = modulated_deform_conv2d(x, offset, None, weight, stride=(2, 2), padding=[1, 1], dilation=(np.int64(1),))
    np.testing.assert_array_equal(as_ints, as_pairs)
    assert as_ints[0, 0, 2, 2] == 18


def test_an_empty_batch():
    case = random_case(np.random.default_rng(105), np.float32, batch=0)
    y = modulated_deform_conv2d(**case.tensors, **case.settings)
    assert y.shape == (0, len(case.tensors["weight"]), *case.tensors["offset"].shape[2:])


X, OFFSET = np.zeros((1, 4, 8, 8), np.float32), np.zeros((1, 18, 6, 6), np.float32)
MASK, WEIGHT = np.ones((1, 9, 6, 6), np.float32), np.zeros((4, 4, 3, 3), np.float32)
ODD = np.zeros((4, 4, 3, 3), dtype=[("a", "i1"), ("b", "f4")])["b"]
REFUSED = {
    "channels of the offset": (
        dict(offset=OFFSET[:, 1:]),
        r"offset\.dims is \[1, 17, 6, 6\], expected \[1, 18, 6, 6\]",
    ),
    "dtypes that differ": (dict(weight=WEIGHT.astype(np.float64)), "weight.*dtype"),
    "integers": (dict(x=X.astype(np.int32)), "x has dtype int32, expected one of float32"),
    "foreign byte order": (dict(x=X.astype(">f4")), "x has dtype >f4"),
    "broken strides": (dict(weight=ODD), "weight has strides .* expected multiples of 4"),
    "no tensor": (dict(x=X[0]), "x"),
    "too many dimensions": (dict(x=X[None, None]), "x has 6 dimensions"),
    "an image that is too small": (dict(x=X[:, :, :2]), r"H .* is 0 \+ 2 \+ 0 = 2, expected at least"),
    "stride 0": (dict(stride=0), "stride is 0, expected at least 1"),
    "negative padding": (dict(padding=(0, -1)), "padding is -1, expected at least 0"),
    "three strides": (dict(stride=(1, 1, 1)), "stride is .* expected an int or a pair"),
    "groups 0": (dict(groups=0), "groups is 0"),
    "deformable_groups 3": (dict(deformable_groups=3), "deformable_groups"),
    "beyond 64 bits": (dict(dilation=2**64 + 1), "dilation is .*, expected"),
    "a small out": (dict(out=np.zeros((1, 4, 6, 5), np.float32)), r"y\.dims is \[1, 4, 6, 5\]"),
    "an out that overlaps itself": (dict(out=np.lib.stride_tricks.as_strided(X, (1, 4, 6, 6), (0, 0, 0, 4))), "y"),
    "an out that is an input": (dict(x=np.zeros((1, 4, 6, 6), np.float32), padding=1, out="x"), "y"),
    "a read-only out": (dict(out=np.broadcast_to(np.float32(0), (1, 4, 6, 6))), "out is read-only"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    change, message = REFUSED[what]
    arguments = dict(x=X, offset=OFFSET, mask=MASK, weight=WEIGHT) | change
    if isinstance(arguments.get("out"), str):
        arguments["out"] = arguments[arguments["out"]]
    with pytest.raises(ValueError, match=message):
        modulated_deform_conv2d(**arguments)


def test_out_must_be_an_array():
    with pytest.raises(TypeError, match="out is list"):
        modulated_deform_conv2d(X, OFFSET, MASK, WEIGHT, out=[])


def test_a_refused_argument_is_both_kinds_of_error():
    with pytest.raises(ArgumentError) as refused:
        modulated_deform_conv2d(X, OFFSET[:, 1:], MASK, WEIGHT)
    assert isinstance(refused.value, ValueError) and isinstance(refused.value, DeformConvError)
    assert refused.value.status == "DCN_ERROR_INVALID_SHAPE"


def test_the_published_example_is_refused_with_the_size_it_should_have():
    with pytest.raises(ValueError, match="100.*200"):
        deformconv.modulated_deform_conv2d(
            np.zeros((1, 64, 100, 200), np.float32),
            np.zeros((1, 18, 50, 100), np.float32),
            np.zeros((1, 9, 50, 100), np.float32),
            np.zeros((64, 64, 3, 3), np.float32),
            None,
            1,
            1,
            1,
            1,
            1,
        )
