//! The rows of the benchmark: a table for the reader, JSON lines for programs.

use crate::common::kinds::{Dtype, Layout, Pass};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// One measured row, or one that the library refused, with its reason.
#[derive(Serialize)]
pub struct Row {
    pub case: String,
    pub pass: Pass,
    pub dtype: Dtype,
    pub layout: Layout,
    pub threads: usize,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Measured(Measured),
    Refused { refused: String },
}

#[derive(Serialize)]
pub struct Measured {
    /// Instruction set of the plan, and of the peak.
    pub isa: &'static str,
    pub kernel: &'static str,
    pub tile_positions: u32,
    pub flops: u64,
    pub calls: usize,
    pub min_ms: f64,
    pub median_ms: f64,
    /// At the minimum.
    pub gflops: f64,
    /// FMA peak of the instruction set for as many threads, the best of the same rounds.
    pub peak_gflops: Option<f64>,
    pub share_of_peak: Option<f64>,
}

/// Prints rows as they come, and writes them to a file if there is one.
pub struct Report {
    json: Option<File>,
}

impl Report {
    pub fn new(json: Option<&Path>) -> Result<Self, String> {
        let create = |path: &Path| File::create(path).map_err(|e| format!("{}: {e}", path.display()));
        println!(
            "{:<8} {:<8} {:<5} {:<6} {:>7} {:<7} {:>9} {:>9} {:>8} {:>8} {:>6}  kernel",
            "case", "pass", "dtype", "layout", "threads", "isa", "min ms", "median ms", "GFLOP/s", "FMA peak", "share"
        );
        Ok(Self { json: json.map(create).transpose()? })
    }

    pub fn add(&mut self, row: &Row) -> Result<(), String> {
        let names = (row.pass.name(), row.dtype.name(), row.layout.name());
        print!("{:<8} {:<8} {:<5} {:<6} {:>7} ", row.case, names.0, names.1, names.2, row.threads);
        match &row.outcome {
            Outcome::Refused { refused } => println!("{refused}"),
            Outcome::Measured(m) => {
                let peak = m.peak_gflops.map_or("-".into(), |peak| format!("{peak:.1}"));
                let share = m.share_of_peak.map_or("-".into(), |share| format!("{:.1}%", 100.0 * share));
                println!(
                    "{:<7} {:>9.3} {:>9.3} {:>8.1} {peak:>8} {share:>6}  {}",
                    m.isa, m.min_ms, m.median_ms, m.gflops, m.kernel
                );
            }
        }
        let Some(json) = &mut self.json else { return Ok(()) };
        let line = serde_json::to_string(row).expect("rows are plain data");
        writeln!(json, "{line}").map_err(|e| format!("--json: {e}"))
    }
}
