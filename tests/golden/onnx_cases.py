"""The node tests that the ONNX project publishes for DeformConv, under the names of the contract."""

import warnings

import onnx
from onnx.backend.test.case.node import collect_testcases

FOLDER = "onnx"
INPUT_NAMES = ("x", "weight", "offset", "bias", "mask")


def cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # collecting one operator's tests computes every other operator's too
        tests = collect_testcases("DeformConv")
    for test in tests:
        (node,) = test.model.graph.node
        ((inputs, (y,)),) = test.data_sets
        present = [name for name, wired in zip(INPUT_NAMES, node.input) if wired]
        assert len(present) == len(inputs)
        yield test.name.removeprefix("test_"), dict(zip(present, inputs)) | {"y": y}, metadata(node)


def metadata(node):
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    strides = attributes.get("strides", [1, 1])
    dilations = attributes.get("dilations", [1, 1])
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    numbers = {
        "stride_h": strides[0],
        "stride_w": strides[1],
        "pad_top": top,
        "pad_left": left,
        "pad_bottom": bottom,
        "pad_right": right,
        "dilation_h": dilations[0],
        "dilation_w": dilations[1],
        "groups": attributes.get("group", 1),
        "deformable_groups": attributes.get("offset_group", 1),
    }
    source = {"source": f"ONNX node tests of DeformConv, onnx {onnx.__version__}"}
    return {name: str(number) for name, number in numbers.items()} | source
