"""Memory that one run needs, measured in a process of its own."""

import concurrent.futures
import ctypes
import gc
import multiprocessing
import re

import numpy as np

from comparison import agreement, cases, implementations
from comparison.ours import Deformconv


def in_a_fresh_process(name, case, direction, library):
    """A row for one run: bytes, or a note why there are none."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=1, mp_context=spawn) as process:
        return process.submit(_measure, name, case, direction, library).result()


def _measure(name, case, direction, library):
    row = {"case": case.name, "pass": direction, "implementation": name}
    if name == Deformconv.name:
        candidate = Deformconv(library, threads=1)
    else:
        found, missing = implementations.installed([name])
        if missing:
            return row | {"note": f"not installed ({missing[name]})"}
        candidate = found[0](1)
    row["version"] = candidate.version
    if direction not in candidate.directions:
        return row | {"note": f"does not do this: {direction}"}
    inputs = case.inputs(np.dtype("float32"))
    try:
        run = candidate.prepare(case, direction, inputs)
    except NotImplementedError as error:
        return row | {"note": f"does not do this: {error}"}
    before = _settle()
    outputs = run()
    row["growth"] = _status("VmHWM") - before
    row["outputs"] = sum(array.nbytes for array in agreement.as_arrays(outputs).values())
    return row


def _settle():
    """Gives back what earlier steps left, makes the present state the peak, and returns it."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return _status("VmRSS")


def _status(name):
    """Bytes of a line of /proc/self/status."""
    with open("/proc/self/status") as file:
        return int(re.search(rf"{name}:\s*(\d+) kB", file.read())[1]) * 1024


def workspaces(library):
    """What the library asks for as a workspace, and at most may, for each case, pass and number of threads."""
    for threads in (1, 2):
        ours = Deformconv(library, threads)
        for case in cases.load():
            for direction in ours.directions:
                yield {"case": case.name, "pass": direction, "threads": threads,
                       "workspace": ours.workspace_size(case, direction), "bound": _bound(case, direction, threads)}


def _bound(case, direction, threads):
    """8 MiB a thread, and a copy of x for each image in flight; backward as much again for the
    gradient of x, and two copies of grad_weight."""
    shapes = case.shapes()
    size = (lambda name: 4 * int(np.prod(shapes[name])))
    in_flight = min(threads, case.x[0])
    weights = 2 * size("weight") * (direction == "backward")
    images = in_flight * size("x") // case.x[0] * (2 if direction == "backward" else 1)
    return threads * (8 << 20) + weights + images
