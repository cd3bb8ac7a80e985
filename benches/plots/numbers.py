"""The table of times in a page, between its marks."""

from plots.measurement import NAMES

# Ours with lower instruction sets than the processor has.
LOWER = {"deformconv-avx2": "with AVX2"}
BEGIN, END = "<!-- numbers: written by benches/plot.py -->\n", "<!-- end of numbers -->\n"


def write(measurement, pages):
    """Into each of the pages that has the marks."""
    for page in pages:
        text = page.read_text()
        if BEGIN in text:
            head, rest = text.split(BEGIN)
            _, tail = rest.split(END)
            page.write_text(head + BEGIN + _section(measurement) + END + tail)
            print(page)


def _section(measurement):
    forward = [name for name in NAMES if name in measurement.versions]
    backward = [name for name in ("deformconv", "torchvision", "conv") if name in measurement.versions]
    lower = [name for name in LOWER if name in measurement.versions]
    shares = ["share of peak", *(LOWER[name] for name in lower)]
    titles = ["case", "", *map(_title, forward), *shares, *(f"{_title(name)}, backward" for name in backward)]
    lines = [_line(titles), "|---" * len(titles) + "|"]
    for case in measurement.cases:
        cells = [_cell(measurement, case, "forward", name) for name in forward]
        cells += [_share(measurement, case, name) for name in ("deformconv", *lower)]
        cells += [_cell(measurement, case, "backward", name) for name in backward]
        lines.append(_line([case.name, _shape(case), *cells]))
    peers = [name for name in forward if name not in ("deformconv", "conv")]
    versions = ", ".join(f"{NAMES[name]} {measurement.versions[name]}" for name in peers)
    plain = measurement.versions.get("conv", "PyTorch, not measured")
    source = f"{measurement.caption()}; ms, the least of several turns taken in one process. Multiply-add peak "
    source += f"{measurement.peak_gflops:.0f} GFLOP/s, memory {measurement.bandwidth_gbs:.1f} GB/s (triad). {versions}; "
    source += f"the plain convolution is that of {plain}, which has no gradients of offset and mask to compute. *Share of "
    source += "peak* is ours, forward, of the peak found in the same turns"
    source += "".join(f", *{LOWER[name]}* the same of those kernels and that peak" for name in lower) + "."
    return f"{source}\n\n" + "\n".join(lines) + "\n"


def _title(name):
    return {"deformconv": "ours", "conv": "plain"}.get(name, NAMES[name])


def _line(cells):
    return "| " + " | ".join(cells) + " |"


def _cell(measurement, case, direction, name):
    time = measurement.milliseconds(case, direction, name)
    if time is None:
        return "-"
    text = f"{time:.0f}" if time >= 99.5 else f"{time:#.3g}"
    return f"**{text}**" if name == "deformconv" else text


def _share(measurement, case, name):
    share = measurement.row(case, "forward", name).get("share_of_peak")
    return f"{100 * share:.0f} %" if share else "-"


def _shape(case):
    text = "×".join(map(str, case.x)) + f" → {case.out_channels}"
    if case.kernel != (3, 3):
        text += f", {case.kernel[0]}×{case.kernel[1]}"
    if case.stride != (1, 1):
        text += f", stride {case.stride[0]}" + (f"×{case.stride[1]}" if case.stride[0] != case.stride[1] else "")
    if case.groups > 1:
        text += ", depthwise" if case.groups == case.x[1] else f", {case.groups} groups"
    return text + (f", D = {case.deformable_groups}" if case.deformable_groups > 1 else "")
