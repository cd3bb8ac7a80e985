//! Turns: round 0 warms up, every later one is measured.

use super::peak::FmaLoop;
use std::time::{Duration, Instant};

/// A turn repeats a short call for as long as this, so that its caches and clocks are its own.
const TURN: Duration = Duration::from_millis(10);

/// Measurements of the peak in a round: new threads do not always get a processor each at once.
const PEAK_TRIALS: usize = 3;

/// Seconds of each call of one row.
#[derive(Default)]
pub struct Times {
    seconds: Vec<f64>,
}

impl Times {
    /// Rounds 1 and 2 always run, unless the warm-up alone used up the budget: then it is the measurement.
    pub fn take_turn(
        &mut self,
        round: usize,
        budget: Duration,
        mut call: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let spent: f64 = self.seconds.iter().sum();
        if spent > budget.as_secs_f64() && (round > 2 || self.seconds.len() == 1) {
            return Ok(());
        }
        if round == 1 {
            self.seconds.clear();
        }
        let turn = Instant::now();
        while self.seconds.is_empty() || turn.elapsed() < TURN {
            let start = Instant::now();
            call()?;
            self.seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(())
    }

    pub fn calls(&self) -> usize {
        self.seconds.len()
    }

    pub fn minimum(&self) -> f64 {
        self.seconds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        if n % 2 == 1 { sorted[n / 2] } else { (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0 }
    }
}

/// The FMA peaks of one type, by instruction set and number of threads.
pub struct Peaks {
    is_f64: bool,
    /// Measurements in a round, and how long each of them takes.
    trials: usize,
    duration: Duration,
    samples: Vec<Sample>,
}

struct Sample {
    isa: &'static str,
    threads: usize,
    round: usize,
    flops_per_second: f64,
}

impl Peaks {
    pub fn new(is_f64: bool) -> Self {
        Self { is_f64, trials: PEAK_TRIALS, duration: TURN, samples: Vec::new() }
    }

    /// For calls that are timed in batches of this duration: a neighbour disturbs most of the longer measurements,
    /// while the best of many short ones is undisturbed.
    pub fn of_batches(is_f64: bool, duration: Duration) -> Self {
        let trials = TURN.div_duration_f64(duration).ceil() as usize;
        Self { is_f64, trials, duration, samples: Vec::new() }
    }

    /// Measures in each round, however many rows ask for it.
    pub fn sample(&mut self, isa: &'static str, threads: usize, round: usize) {
        if self.samples.iter().any(|s| (s.isa, s.threads, s.round) == (isa, threads, round)) {
            return;
        }
        let Some(fma_loop) = FmaLoop::find(isa, self.is_f64) else { return };
        for _ in 0..self.trials {
            let flops_per_second = fma_loop.flops_per_second(threads, self.duration);
            self.samples.push(Sample { isa, threads, round, flops_per_second });
        }
    }

    /// The best, if this processor and architecture have a loop for the instruction set.
    pub fn best(&self, isa: &str, threads: usize) -> Option<f64> {
        let of = self.samples.iter().filter(|s| s.isa == isa && s.threads == threads);
        of.map(|s| s.flops_per_second).max_by(f64::total_cmp)
    }
}
