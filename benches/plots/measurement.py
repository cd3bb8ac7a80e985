"""What `peers.py --json` wrote."""

import json
import math
import re

from comparison import cases

NAMES = {"deformconv": "deformconv", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "ncnn",
         "torchvision": "torchvision", "conv": "plain convolution"}
ISAS = {"avx2": "AVX2", "avx512": "AVX-512", "neon": "NEON"}


class Measurement:
    def __init__(self, path):
        first, *rows = map(json.loads, path.read_text().splitlines())
        self.path, self.machine = path, first
        self.rows = {(row["case"], row["pass"], row["implementation"]): row for row in rows}
        self.cases = [case for case in cases.load() if self.milliseconds(case, "forward", "deformconv")]
        ours = [row for row in rows if row["implementation"] == "deformconv"]
        self.isa = ours[0]["isa"]
        self.peak_gflops = max(row["peak_gflops"][self.isa] for row in ours if "min_ms" in row)
        self.bandwidth_gbs = max(row["bandwidth_gbs"] for row in ours if "min_ms" in row)
        # Without what says how it was built.
        self.versions = {row["implementation"]: re.split("[+-]", row["version"])[0] for row in rows}

    def row(self, case, direction, name):
        return self.rows.get((case.name, direction, name), {})

    def milliseconds(self, case, direction, name):
        """The least time, or None where it was not timed."""
        return self.row(case, direction, name).get("min_ms")

    def caption(self):
        machine = self.machine
        return f"{machine['processor']}, one thread, f32, {ISAS.get(self.isa, self.isa)}, {machine['date']}"


def intensity(case):
    """Operations for each byte that any implementation has to move: inputs read once, y written once."""
    return case.forward_flops / (4 * sum(math.prod(shape) for shape in case.shapes().values()))
