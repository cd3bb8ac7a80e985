"""The memory bandwidth, measured by the loop of `bandwidth.rs`."""

import ctypes


class MemoryBandwidth:
    def __init__(self, library, threads):
        self.measure = ctypes.CDLL(str(library)).memory_bandwidth
        self.measure.argtypes = [ctypes.c_size_t, ctypes.c_double]
        self.measure.restype = ctypes.c_double
        self.threads, self.samples = threads, []

    def sample(self):
        self.samples.append(self.measure(self.threads, 0.1) / 1e9)

    def best(self):
        """GB/s, of all samples so far."""
        return max(self.samples)
