"""Times of the other implementations as multiples of ours, a group of bars for each case."""

from plots.measurement import NAMES
from plots.style import COLOURS, INK, plt

# In this order within a group.
SHOWN = {"forward": ("onnxruntime", "openvino", "ncnn", "torchvision", "conv"), "backward": ("torchvision", "conv")}


def draw(measurement, direction):
    shown = SHOWN[direction]
    figure, axes = plt.subplots(figsize=(11, 4.6))
    width = 0.82 / len(shown)
    for i, name in enumerate(shown):
        places, ratios = zip(*_ratios(measurement, direction, name))
        places = [place + (i - (len(shown) - 1) / 2) * width for place in places]
        # From 1, which is ours: up is slower, down is faster.
        heights = [ratio - 1 for ratio in ratios]
        axes.bar(places, heights, width * 0.92, bottom=1, color=COLOURS[name], label=NAMES[name])
        for place, ratio in zip(places, ratios):
            axes.annotate(_short(ratio), (place, ratio), (0, 2 if ratio >= 1 else -2), textcoords="offset points",
                          ha="center", va="bottom" if ratio >= 1 else "top", fontsize=7, rotation=90)
    axes.axhline(1, color=COLOURS["deformconv"], linewidth=2)
    axes.annotate("deformconv", (1, 1), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                  color=COLOURS["deformconv"], va="center", annotation_clip=False)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.6, high * 2)
    axes.set_xlim(-0.6, len(measurement.cases) - 0.4)
    axes.set_xticks(range(len(measurement.cases)), [case.name for case in measurement.cases])
    axes.tick_params(axis="x", length=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("time, in multiples of ours")
    title = f"{direction.capitalize()} pass: {measurement.caption()}"
    axes.set_title(title, fontsize=10, loc="left", pad=24, color=INK)
    axes.legend(ncols=len(shown), loc="lower left", bbox_to_anchor=(-0.01, 0.99), columnspacing=1.4, handlelength=1.2)
    return figure


def _ratios(measurement, direction, name):
    """(number of the case, time in multiples of ours)."""
    for place, case in enumerate(measurement.cases):
        ours, theirs = (measurement.milliseconds(case, direction, who) for who in ("deformconv", name))
        if ours and theirs:
            yield place, theirs / ours


def _short(ratio):
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.1f}" if ratio >= 1.95 else f"{ratio:.2f}"
