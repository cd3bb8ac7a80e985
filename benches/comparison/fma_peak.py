"""The FMA peak, measured by the loops of `peak.rs`."""

import ctypes

# Measurements in a round: new threads do not always get a processor each at once.
TRIALS = 3


class FmaPeak:
    def __init__(self, library, threads, is_f64):
        self.measure = ctypes.CDLL(str(library)).fma_peak
        self.measure.argtypes = [ctypes.c_char_p, ctypes.c_bool, ctypes.c_size_t, ctypes.c_double]
        self.measure.restype = ctypes.c_double
        self.threads, self.is_f64 = threads, is_f64
        self.samples = {isa: [] for isa in ("avx2", "avx512", "neon") if self._gflops(isa, 1e-3)}

    def _gflops(self, isa, seconds):
        return self.measure(isa.encode(), self.is_f64, self.threads, seconds) / 1e9

    def sample(self):
        for isa, samples in self.samples.items():
            samples += [self._gflops(isa, 0.01) for _ in range(TRIALS)]

    def forget(self):
        for samples in self.samples.values():
            samples.clear()

    def best(self):
        """GFLOP/s by instruction set."""
        return {isa: max(samples) for isa, samples in self.samples.items()}
