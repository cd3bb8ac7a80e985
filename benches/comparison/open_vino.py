"""OpenVINO's `DeformableConvolution-8`, weights as constants, computed in the type of the inputs."""

import openvino
from openvino import opset8


class OpenVino:
    name = "openvino"
    version = openvino.__version__
    computes_the_operator = True
    directions = ("forward",)

    def __init__(self, threads):
        self.core = openvino.Core()
        self.config = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
            # The default may be bfloat16.
            "INFERENCE_PRECISION_HINT": "f32",
        }

    def prepare(self, case, direction, inputs):
        if inputs["x"].dtype != "float32":
            raise NotImplementedError("its CPU plugin computes f32")
        compiled = self.core.compile_model(_model(case, inputs), "CPU", self.config)
        request = compiled.create_infer_request()
        for name in ("x", "offset", "mask"):
            request.set_tensor(name, openvino.Tensor(inputs[name], shared_memory=True))

        def run():
            request.infer()
            return {"y": request.get_output_tensor().data}
        return run


def _model(case, inputs):
    names = ("x", "offset", "mask")
    parameters = {name: opset8.parameter(inputs[name].shape, inputs[name].dtype, name) for name in names}
    for name, parameter in parameters.items():
        parameter.output(0).set_names({name})
    stride, padding, dilation = list(case.stride), list(case.padding), list(case.dilation)
    y = opset8.deformable_convolution(
        parameters["x"], parameters["offset"], opset8.constant(inputs["weight"]), stride, padding, padding, dilation,
        parameters["mask"], "explicit", case.groups, case.deformable_groups,
        # Without it, samples between the border and one pixel outside are computed differently.
        bilinear_interpolation_pad=True)
    y = opset8.add(y, opset8.constant(inputs["bias"].reshape(1, -1, 1, 1)))
    return openvino.Model([y], list(parameters.values()), case.name)
