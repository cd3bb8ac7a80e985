"""Whether two implementations computed the same thing."""

import numpy as np

# Largest difference of an element, as a multiple of the root mean square of the tensor. Some peers round a coordinate
# differently, which moves a sample by up to 2^-16 pixel in f32; an operator with another convention, at the border
# say, is off by 0.1 and more.
BOUND = {"float32": 1e-4, "float64": 1e-12}


def difference(outputs, reference):
    """The largest difference over all tensors that both have."""
    assert outputs.keys() == reference.keys()
    return max(_difference(outputs[name], reference[name]) for name in outputs)


def _difference(got, expected):
    assert got.shape == expected.shape, f"{got.shape} instead of {expected.shape}"
    scale = np.sqrt(np.mean(np.square(expected, dtype=np.float64)))
    # A NaN must not pass for small.
    return float(np.nan_to_num(np.abs(got - expected).max() / scale, nan=np.inf))


def as_arrays(outputs):
    """Copies, since the next run may write over them; an implementation without a batch gives a list of images."""
    stack = (lambda v: np.stack([np.asarray(image) for image in v]) if isinstance(v, list) else np.array(v))
    return {name: stack(value) for name, value in outputs.items()}
