"""Interleaved timing: every implementation has its turn in every round, so that a slow moment hits them all."""

import gc
import statistics
import time

# A turn repeats a short call for as long as this, so that its caches and clocks are its own.
TURN_SECONDS = 0.01


class Times:
    def __init__(self):
        self.samples = []

    @property
    def minimum_ms(self):
        return min(self.samples) * 1e3

    @property
    def median_ms(self):
        return statistics.median(self.samples) * 1e3

    def take_turn(self, run):
        end = time.perf_counter() + TURN_SECONDS
        now = 0
        while now < end:
            began = time.perf_counter()
            run()
            now = time.perf_counter()
            self.samples.append(now - began)


def interleaved(runs, rounds, budget, between):
    """Times of each of `runs` (by name). Beyond two turns, one that has used up `budget` seconds sits out."""
    times = {name: Times() for name in runs}
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            between()
            for name, run in runs.items():
                if turn < 2 or sum(times[name].samples) < budget:
                    times[name].take_turn(run)
        between()
    finally:
        gc.enable()
    return times
