"""Which implementations there are, and which of them are installed here."""

import importlib

# (name, module, class)
PEERS = [
    ("torchvision", "comparison.pytorch", "Torchvision"),
    ("onnxruntime", "comparison.onnx_runtime", "OnnxRuntime"),
    ("openvino", "comparison.open_vino", "OpenVino"),
    ("ncnn", "comparison.ncnn_net", "Ncnn"),
    ("conv", "comparison.pytorch", "PlainConvolution"),
]
NAMES = [name for name, _, _ in PEERS]
# Those that compute the same operator.
OPERATORS = [name for name in NAMES if name != "conv"]


def installed(names):
    """Classes of the peers that import, and the reasons of those that do not."""
    found, missing = [], {}
    for name, module, attribute in PEERS:
        if name not in names:
            continue
        try:
            found.append(getattr(importlib.import_module(module), attribute))
        except ImportError as error:
            missing[name] = str(error)
    return found, missing
