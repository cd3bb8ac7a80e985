"""Element types by name."""

import numpy as np
import pytest

DTYPES = ("float32", "float64", "float16", "bfloat16")


def numpy_dtype(name):
    """The numpy type of a name; bfloat16 comes from ml_dtypes."""
    if name != "bfloat16":
        return np.dtype(name)
    reason = "bfloat16 arrays of numpy: ml_dtypes is not installed"
    return np.dtype(pytest.importorskip("ml_dtypes", reason=reason).bfloat16)
