//! The FMA peak: what this processor does when it does nothing but multiply and add in registers.
//!
//! Every share of peak that the benchmarks print is a share of this, measured in the same run. The loops are assembly,
//! so that no compiler merges, vectorises or spills them: twelve independent chains of fused multiply-adds, enough to
//! hide a latency of four cycles on three pipelines. For "scalar" it is what a compiler may make of plain code for any
//! processor of the architecture: SSE2, a multiplication and then an addition, on x86-64; NEON on AArch64.
//!
//! A module of the Rust benchmark, and by itself a small shared library (`cargo build --release --example fma_peak`)
//! through which `peers.py` measures the same loops.

use std::ffi::{CStr, c_char};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Independent chains in a loop.
const CHAINS: u64 = 12;

/// Counts operand 13 down and jumps back while it is not 0.
#[cfg(target_arch = "x86_64")]
macro_rules! count_down {
    () => {
        "dec {13}\njnz 2b"
    };
}

/// Counts operand 13 down and jumps back while it is not 0.
#[cfg(target_arch = "aarch64")]
macro_rules! count_down {
    () => {
        "subs {13}, {13}, #1\nb.ne 2b"
    };
}

/// What is done to one chain: instructions, each the text before and after the chain's operand.
macro_rules! step {
    ($chain:literal, $($before:literal, $after:literal),+) => {
        concat!($($before, $chain, $after, "\n"),+)
    };
}

/// The loops of an architecture. A row: the library's name for the instruction set, the features it needs, type x
/// lanes, the class of its registers and what they start as, and what `step` does to each of the `CHAINS`. Operand 12
/// is the factor, operand 13 the counter.
macro_rules! fma_loops {
    {$(
        $isa:literal [$($feature:tt),+] $type:ident x $lanes:literal in $class:ident = $start:expr, $($part:literal),+;
    )+} => {
        pub(super) const ALL: &[super::FmaLoop] = &[$({
            $(#[target_feature(enable = $feature)])+
            unsafe fn run(iterations: u64) {
                let start = $start;
                // SAFETY: changes nothing but the registers named; the caller knows that the instructions exist.
                unsafe {
                    std::arch::asm!(
                        "2:",
                        step!(0, $($part),+), step!(1, $($part),+), step!(2, $($part),+), step!(3, $($part),+),
                        step!(4, $($part),+), step!(5, $($part),+), step!(6, $($part),+), step!(7, $($part),+),
                        step!(8, $($part),+), step!(9, $($part),+), step!(10, $($part),+), step!(11, $($part),+),
                        count_down!(),
                        inout($class) start => _, inout($class) start => _, inout($class) start => _,
                        inout($class) start => _, inout($class) start => _, inout($class) start => _,
                        inout($class) start => _, inout($class) start => _, inout($class) start => _,
                        inout($class) start => _, inout($class) start => _, inout($class) start => _,
                        in($class) start,
                        inout(reg) iterations => _,
                        options(nomem, nostack),
                    );
                }
            }
            super::FmaLoop {
                isa: $isa,
                is_f64: size_of::<$type>() == 8,
                lanes: $lanes,
                run,
                is_available: || $(is_detected!($feature))&&+,
            }
        }),+];
    };
}

/// The loops of this architecture.
#[cfg(target_arch = "x86_64")]
mod loops {
    use std::arch::is_x86_feature_detected as is_detected;
    use std::arch::x86_64::*;

    fma_loops! {
        "scalar" ["sse2"] f32 x 4 in xmm_reg = _mm_set1_ps(1e-3), "mulps {", "}, {12}", "addps {", "}, {12}";
        "scalar" ["sse2"] f64 x 2 in xmm_reg = _mm_set1_pd(1e-3), "mulpd {", "}, {12}", "addpd {", "}, {12}";
        "avx2" ["avx2", "fma"] f32 x 8 in ymm_reg = _mm256_set1_ps(1e-3), "vfmadd231ps {", "}, {12}, {12}";
        "avx2" ["avx2", "fma"] f64 x 4 in ymm_reg = _mm256_set1_pd(1e-3), "vfmadd231pd {", "}, {12}, {12}";
        "avx512" ["avx512f"] f32 x 16 in zmm_reg = _mm512_set1_ps(1e-3), "vfmadd231ps {", "}, {12}, {12}";
        "avx512" ["avx512f"] f64 x 8 in zmm_reg = _mm512_set1_pd(1e-3), "vfmadd231pd {", "}, {12}, {12}";
    }
}

/// The loops of this architecture.
#[cfg(target_arch = "aarch64")]
mod loops {
    use std::arch::aarch64::{vdupq_n_f32, vdupq_n_f64};
    use std::arch::is_aarch64_feature_detected as is_detected;

    fma_loops! {
        "scalar" ["neon"] f32 x 4 in vreg = vdupq_n_f32(1e-3), "fmla {", ":v}.4s, {12:v}.4s, {12:v}.4s";
        "scalar" ["neon"] f64 x 2 in vreg = vdupq_n_f64(1e-3), "fmla {", ":v}.2d, {12:v}.2d, {12:v}.2d";
        "neon" ["neon"] f32 x 4 in vreg = vdupq_n_f32(1e-3), "fmla {", ":v}.4s, {12:v}.4s, {12:v}.4s";
        "neon" ["neon"] f64 x 2 in vreg = vdupq_n_f64(1e-3), "fmla {", ":v}.2d, {12:v}.2d, {12:v}.2d";
    }
}

/// The loops of this architecture: none, so no share of peak is printed.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod loops {
    pub(super) const ALL: &[super::FmaLoop] = &[];
}

/// The multiply-add loop for one instruction set and element type.
#[derive(Clone, Copy)]
pub struct FmaLoop {
    isa: &'static str,
    is_f64: bool,
    lanes: u64,
    /// Runs the loop that many times, at least once.
    run: unsafe fn(iterations: u64),
    is_available: fn() -> bool,
}

impl FmaLoop {
    /// The loop for an instruction set by the library's name for it, if there is one that this processor can run.
    pub fn find(isa: &str, is_f64: bool) -> Option<Self> {
        loops::ALL.iter().copied().find(|l| l.isa == isa && l.is_f64 == is_f64 && (l.is_available)())
    }

    /// Floating-point operations a second of `threads` threads that run for about `duration` at the same time.
    pub fn flops_per_second(&self, threads: usize, duration: Duration) -> f64 {
        const TRIAL: u64 = 20_000;
        self.seconds(1, TRIAL);
        let trial = self.seconds(1, TRIAL).max(1e-9);
        let iterations = (TRIAL as f64 * duration.as_secs_f64() / trial).ceil().max(1.0) as u64;
        let flops = threads as u64 * iterations * CHAINS * self.lanes * 2;
        flops as f64 / self.seconds(threads, iterations)
    }

    /// Seconds from the moment that all threads have started until the last one has done its iterations.
    fn seconds(&self, threads: usize, iterations: u64) -> f64 {
        // SAFETY: `find` hands out loops that this processor can run, and only those.
        let run = || unsafe { (self.run)(iterations) };
        let start = Barrier::new(threads);
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| {
                    start.wait();
                    run();
                });
            }
            start.wait();
            let began = Instant::now();
            run();
            began
        })
        .elapsed()
        .as_secs_f64()
    }
}

/// The peak in floating-point operations a second, for `peers.py`; 0 where this processor lacks the instruction set.
///
/// # Safety
///
/// `isa` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fma_peak(isa: *const c_char, is_f64: bool, threads: usize, seconds: f64) -> f64 {
    // SAFETY: the caller's promise.
    let isa = unsafe { CStr::from_ptr(isa) }.to_str().unwrap_or_default();
    let duration = Duration::from_secs_f64(seconds);
    FmaLoop::find(isa, is_f64).map_or(0.0, |l| l.flops_per_second(threads.max(1), duration))
}
