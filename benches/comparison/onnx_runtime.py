"""ONNX Runtime's `DeformConv` (opset 19), weights as initialisers, outputs bound beforehand."""

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from comparison.cases import aligned_empty

OPSET = 19


class OnnxRuntime:
    name = "onnxruntime"
    version = onnxruntime.__version__
    computes_the_operator = True
    directions = ("forward",)

    def __init__(self, threads):
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        # Its waiting threads would take the processor from whoever runs next.
        self.options.add_session_config_entry("session.force_spinning_stop", "1")
        self.options.log_severity_level = 3

    def prepare(self, case, direction, inputs):
        session = onnxruntime.InferenceSession(
            _model(case, inputs), self.options, providers=["CPUExecutionProvider"])
        y = aligned_empty(case.shapes()["y"], inputs["x"].dtype)
        binding = session.io_binding()
        for name in ("x", "offset", "mask"):
            binding.bind_cpu_input(name, inputs[name])
        binding.bind_output("y", "cpu", 0, y.dtype, y.shape, y.ctypes.data)

        def run():
            session.run_with_iobinding(binding)
            return {"y": y}
        return run


def _model(case, inputs):
    kind = helper.np_dtype_to_tensor_dtype(inputs["x"].dtype)
    assert kind in (TensorProto.FLOAT, TensorProto.DOUBLE)
    node = helper.make_node(
        "DeformConv", ["x", "weight", "offset", "bias", "mask"], ["y"], kernel_shape=case.kernel, strides=case.stride,
        pads=case.padding * 2, dilations=case.dilation, group=case.groups, offset_group=case.deformable_groups)
    value = (lambda name: helper.make_tensor_value_info(name, kind, case.shapes()[name]))
    constants = [numpy_helper.from_array(inputs[name], name) for name in ("weight", "bias")]
    graph = helper.make_graph([node], case.name, [value(n) for n in ("x", "offset", "mask")], [value("y")], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    return model.SerializeToString()
