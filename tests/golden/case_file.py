"""One golden case as one safetensors file, the same bytes for the same case."""

import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

# Two machines' vector units may order the additions of a sum differently: results in f64 agree to a few roundings.
RESULT_TOLERANCE = 1e-12
INPUTS = ("x", "offset", "mask", "weight", "bias", "grad_y")


def write_case(path, tensors, metadata):
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    path.write_bytes(with_sorted_metadata(save(contiguous, metadata=metadata)))


def with_sorted_metadata(file):
    """safetensors writes metadata in the order of a randomly seeded hash map; sorting keeps the header's length."""
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode().ljust(length)
    assert len(text) == length
    return file[:8] + text + file[8 + length :]


def read_case(path):
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def difference(committed, remade):
    """What is different between two files of a case: inputs and metadata exactly, results up to rounding. None if nothing is."""
    (old, old_metadata), (new, new_metadata) = read_case(committed), read_case(remade)
    if old_metadata != new_metadata:
        return "metadata"
    if old.keys() != new.keys():
        return "the set of tensors"
    for name in old:
        if (old[name].shape, old[name].dtype) != (new[name].shape, new[name].dtype):
            return f"shape or dtype of {name}"
        slack = 0 if name in INPUTS else RESULT_TOLERANCE * max(1.0, np.abs(old[name]).max(initial=0))
        largest = np.abs(old[name] - new[name]).max(initial=0)
        if not largest <= slack:
            return f"{name} by {largest}"
    return None
