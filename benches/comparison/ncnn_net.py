"""ncnn's `DeformableConv2D`: one image at a time, no groups of either kind, f32."""

import pathlib
import tempfile

import ncnn


class Ncnn:
    name = "ncnn"
    version = ncnn.__version__
    computes_the_operator = True
    directions = ("forward",)

    def __init__(self, threads):
        self.threads = threads

    def prepare(self, case, direction, inputs):
        if case.groups != 1 or case.deformable_groups != 1:
            raise NotImplementedError("groups")
        if inputs["x"].dtype != "float32":
            raise NotImplementedError("f32 only")
        net = self._net(case, inputs)
        names = ("x", "offset", "mask")
        images = [{name: ncnn.Mat(inputs[name][n]) for name in names} for n in range(case.x[0])]

        def run():
            rows = []
            for image in images:
                extractor = net.create_extractor()
                for name in names:
                    extractor.input(name, image[name])
                status, y = extractor.extract("y")
                assert status == 0, f"ncnn returned {status}"
                rows.append(y)
            return {"y": rows}
        return run

    def _net(self, case, inputs):
        net = ncnn.Net()
        net.opt.num_threads = self.threads
        net.opt.use_vulkan_compute = False
        for reduced in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
            if hasattr(net.opt, f"use_{reduced}"):
                setattr(net.opt, f"use_{reduced}", False)
        plain_f32 = bytes(4)
        model = plain_f32 + inputs["weight"].tobytes() + inputs["bias"].tobytes()
        with tempfile.TemporaryDirectory() as directory:
            param_file, model_file = pathlib.Path(directory, "param"), pathlib.Path(directory, "bin")
            param_file.write_text(_param(case, inputs["weight"].size))
            model_file.write_bytes(model)
            assert net.load_param(str(param_file)) == 0 and net.load_model(str(model_file)) == 0
        return net


def _param(case, weights):
    values = {
        0: case.out_channels, 1: case.kernel[1], 11: case.kernel[0], 2: case.dilation[1], 12: case.dilation[0],
        3: case.stride[1], 13: case.stride[0], 4: case.padding[1], 15: case.padding[1], 14: case.padding[0],
        16: case.padding[0], 5: 1, 6: weights,
    }
    layers = [f"Input {name} 0 1 {name}" for name in ("x", "offset", "mask")]
    layers.append("DeformableConv2D conv 3 1 x offset mask y " + " ".join(f"{k}={v}" for k, v in values.items()))
    return f"7767517\n{len(layers)} 4\n" + "\n".join(layers) + "\n"


