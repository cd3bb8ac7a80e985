"""The roofline: what each case reaches, below what multiply-add peak and memory bandwidth allow."""

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from plots.measurement import NAMES, intensity
from plots.style import COLOURS, INK, plt

ABOVE, LEFT, RIGHT = (0, 7, "center"), (-8, -3, "right"), (8, -3, "left")
BELOW, FURTHER_BELOW = (0, -15, "center"), (0, -27, "center")
# Where names go: beside our mark, and where several cases are at the same place beside the other mark too.
PLACES = {
    "deformconv": {"s2": LEFT, "edvr8": BELOW, "bvsr16": RIGHT, "odd": RIGHT, "g8": RIGHT, "small": ABOVE,
                   "r50c3": BELOW, "r50c5": FURTHER_BELOW, "r50c4": BELOW, "bev256": FURTHER_BELOW,
                   "bev512": BELOW, "dw": RIGHT},
    "conv": {"s2": LEFT, "edvr8": LEFT, "bvsr16": ABOVE},
}
MARKS = {"deformconv": "o", "conv": "s"}


def draw(measurement):
    figure, axes = plt.subplots(figsize=(10, 5.6))
    points = {name: _points(measurement, name) for name in MARKS}
    every = np.array([point for named in points.values() for point in named.values()])
    low, high = every[:, 0].min() / 1.6, every[:, 0].max() * 1.6
    _roofs(axes, measurement, low, high)
    for case, (x, y) in points["deformconv"].items():
        if case in points["conv"]:
            axes.plot([x, x], [y, points["conv"][case][1]], color="#BBBBBB", linewidth=1, zorder=2)
    for name in MARKS:
        _marks(axes, name, points[name])
    axes.set(xscale="log", yscale="log", xlim=(low, high), xlabel="operations for each byte that has to be moved",
             ylim=(every[:, 1].min() / 1.7, measurement.peak_gflops * 1.4), ylabel="GFLOP/s")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.set_title(f"Forward pass: {measurement.caption()}", fontsize=10, loc="left", color=INK)
    axes.legend(loc="lower right")
    return figure


def _points(measurement, name):
    """(intensity, GFLOP/s) by case."""
    times = {case: measurement.milliseconds(case, "forward", name) for case in measurement.cases}
    return {case.name: (intensity(case), case.forward_flops / 1e6 / time) for case, time in times.items() if time}


def _marks(axes, name, points):
    axes.scatter(*zip(*points.values()), s=50, marker=MARKS[name], color=COLOURS[name], edgecolor="white",
                 linewidth=0.8, label=NAMES[name], zorder=3 + (name == "deformconv"))
    for case, point in points.items():
        place = PLACES[name].get(case, ABOVE if name == "deformconv" else None)
        if place:
            *offset, side = place
            axes.annotate(case, point, offset, textcoords="offset points", ha=side, fontsize=9, color=COLOURS[name],
                          zorder=5)


def _roofs(axes, measurement, low, high):
    peak, bandwidth = measurement.peak_gflops, measurement.bandwidth_gbs
    x = np.array([low, peak / bandwidth, high])
    axes.plot(x, np.minimum(peak, bandwidth * x), color=INK, linewidth=1.6, zorder=1)
    beside = {"textcoords": "offset points", "color": INK}
    axes.annotate(f"multiply-add peak, {peak:.0f} GFLOP/s", (high, peak), (-4, 5), ha="right", **beside)
    middle = np.sqrt(low * peak / bandwidth)
    axes.annotate(f"memory, {bandwidth:.0f} GB/s", (middle, bandwidth * middle), (8, -10), ha="left", **beside)
