"""How the pictures look: colours that colour-blind readers can tell apart (Okabe and Ito), a light background, the same
bytes from the same numbers."""

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt

COLOURS = {"deformconv": "#0072B2", "onnxruntime": "#E69F00", "openvino": "#009E73", "ncnn": "#CC79A7",
           "torchvision": "#D55E00", "conv": "#7F7F7F"}
INK, GRID = "#222222", "#DDDDDD"

plt.rcParams.update({
    "svg.hashsalt": "deformconv", "font.family": "DejaVu Sans", "font.size": 10, "text.color": INK,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.axisbelow": True,
    "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False,
    "figure.facecolor": "white", "savefig.facecolor": "white", "legend.frameon": False,
})


def save(figure, directory, name, kind):
    path = directory / f"{name}.{kind}"
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Date": None} if kind == "svg" else None)
    plt.close(figure)
    print(path)
