"""One comparison: for each case, type and number of threads, check the results, then take turns."""

import datetime
import json
import os
import platform
import sys

import numpy as np

from comparison import agreement, build, cases, implementations, rounds, table
from comparison.fma_peak import FmaPeak
from comparison.memory_bandwidth import MemoryBandwidth
from comparison.ours import Deformconv

DTYPES = {"f32": "float32", "f64": "float64"}


def compare(options):
    all_cases = cases.load()
    wanted_cases = _known("--case", options.case, [case.name for case in all_cases])
    peers, missing = implementations.installed(_known("--peers", options.peers, implementations.NAMES))
    _find_libraries(options)
    for peer in peers:
        print(f"{peer.name}: {peer.version}")
    for name, reason in missing.items():
        print(f"{name}: not compared, because not installed ({reason})")
    chosen = [case for case in all_cases if case.name in wanted_cases]
    rows = []
    log = options.json.open("w") if options.json else open(os.devnull, "w")
    print(json.dumps(_machine()), file=log, flush=True)
    table.print_head()
    for threads in map(_count, options.threads):
        candidates = [peer(threads) for peer in peers]
        if not options.peers_only:
            candidates = _ours(options, threads) + candidates
        for dtype in options.dtype:
            limits = FmaPeak(options.peak, threads, dtype == "f64"), MemoryBandwidth(options.bandwidth, threads)
            for direction in options.passes:
                for case in chosen:
                    added = _compare_case(case, direction, dtype, threads, candidates, limits, options)
                    print(*map(json.dumps, added), sep="\n", file=log, flush=True)
                    rows += added
    table.print_summary(rows)
    return 1 if any(row.get("wrong") for row in rows) else 0


def _ours(options, threads):
    """Ours with the best kernels, first, and with those of lower instruction sets."""
    lower = [Deformconv(options.lib, threads, isa, f"{Deformconv.name}-{isa}") for isa in options.also_isa]
    return [Deformconv(options.lib, threads, options.isa), *lower]


def _known(option, chosen, names):
    """The names chosen, or all; the program ends where one is unknown."""
    unknown = set(chosen or []) - set(names)
    if unknown:
        sys.exit(f"{option}: {', '.join(unknown)} is none of: {', '.join(names)}")
    return chosen or names


def _find_libraries(options):
    wanted = []
    if not options.lib and not options.peers_only:
        wanted.append(["--lib"])
    if not options.peak:
        wanted.append(["--example", "fma_peak"])
    if not options.bandwidth:
        wanted.append(["--example", "memory_bandwidth"])
    built = build.libraries(wanted) if wanted else {}
    options.lib = options.lib or built.get("deformconv")
    options.peak = options.peak or built["fma_peak"]
    options.bandwidth = options.bandwidth or built["memory_bandwidth"]


def _machine():
    """The first line of the JSON: when and where the rows were measured."""
    with open("/proc/cpuinfo") as file:
        facts = dict(map(str.strip, line.split(":", 1)) for line in file if ":" in line)
    processor = facts.get("model name", platform.machine())
    if "cpu family" in facts:
        processor += f", family {facts['cpu family']} model {facts['model']}"
    return {"date": datetime.date.today().isoformat(), "processor": processor, "python": platform.python_version()}


def _count(threads):
    return len(os.sched_getaffinity(0)) if threads == "all" else int(threads)


def _compare_case(case, direction, dtype, threads, candidates, limits, options):
    inputs = case.inputs(np.dtype(DTYPES[dtype]))
    rows, runs, reference = {}, {}, None
    for candidate in candidates:
        row = rows[candidate.name] = {
            "case": case.name, "pass": direction, "dtype": dtype, "threads": threads,
            "implementation": candidate.name, "version": candidate.version}
        try:
            run, outputs = _first_run(candidate, case, direction, inputs)
        except NotImplementedError as error:
            row["note"] = f"does not do this: {error}"
            continue
        if candidate.computes_the_operator:
            # Ours comes first where it takes part.
            reference = reference or outputs
            row |= _agreement(outputs, reference, DTYPES[dtype])
        if isinstance(candidate, Deformconv):
            row["isa"] = candidate.isa
        if not row.get("wrong"):
            runs[candidate.name] = run
    peak, bandwidth = limits
    peak.forget()
    bandwidth.sample()
    times = rounds.interleaved(runs, options.rounds, options.budget, peak.sample)
    _add_times(case, rows, times, {"peak_gflops": peak.best(), "bandwidth_gbs": bandwidth.best()})
    for row in rows.values():
        table.print_row(row)
    return list(rows.values())


def _first_run(candidate, case, direction, inputs):
    if direction not in candidate.directions:
        raise NotImplementedError(direction)
    run = candidate.prepare(case, direction, inputs)
    return run, agreement.as_arrays(run())


def _agreement(outputs, reference, dtype):
    difference = agreement.difference(outputs, reference)
    if difference <= agreement.BOUND[dtype]:
        return {"difference": difference}
    note = f"WRONG, not timed: differs by {difference:.1e} of the rms"
    return {"difference": difference, "wrong": True, "note": note}


def _add_times(case, rows, times, limits):
    peak = limits["peak_gflops"]
    print(f"# {case.name}: {case.forward_flops / 1e9:.3f} GFLOP forward; FMA peak GFLOP/s: "
          + ", ".join(f"{isa} {gflops:.1f}" for isa, gflops in peak.items()))
    ours = times.get(Deformconv.name)
    for name, measured in times.items():
        row = rows[name]
        gflops = case.flops(row["pass"]) / 1e6 / measured.minimum_ms
        row |= {"min_ms": measured.minimum_ms, "median_ms": measured.median_ms, "calls": len(measured.samples),
                "gflops": gflops} | limits
        if ours:
            row["ratio_to_ours"] = measured.minimum_ms / ours.minimum_ms
        if row.get("isa") in peak:
            row["share_of_peak"] = gflops / peak[row["isa"]]
            row["note"] = f"{row['isa']}, {row['share_of_peak']:.0%} of its FMA peak"
