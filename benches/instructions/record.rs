//! The committed counts, `counts.json`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::process::Command;
use std::{env, fs};

/// A count may differ from the committed one by so much.
const TOLERANCE: f64 = 0.02;

/// Counts, and what they depend on besides the sources.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    rustc: String,
    valgrind: String,
    /// Of each run, by the name of the row; of each kernel in all runs.
    instructions: BTreeMap<String, u64>,
}

/// From the root of the repository, where cargo and scripts/instructions.sh run this. The directory that it was
/// compiled in may be another one, where several share a target directory.
const PATH: &str = "benches/instructions/counts.json";

/// Cargo runs its programs with the toolchain that built them.
fn rustc() -> Result<String, String> {
    let rustc = env::var_os("RUSTC").unwrap_or("rustc".into());
    let output = Command::new(rustc).arg("--version").output().map_err(|e| format!("rustc: {e}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Record {
    /// Of this machine, without counts.
    pub fn new(valgrind: String) -> Result<Self, String> {
        Ok(Self { rustc: rustc()?, valgrind, instructions: BTreeMap::new() })
    }

    pub fn add(&mut self, what: String, instructions: u64) {
        self.instructions.insert(what, instructions);
    }

    pub fn load() -> Result<Self, String> {
        let text = fs::read_to_string(PATH).map_err(|e| format!("{PATH}: {e}"))?;
        serde_json::from_str(&text).map_err(|e| format!("{PATH}: {e}"))
    }

    pub fn save(&self) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).expect("a record is plain data");
        fs::write(PATH, text + "\n").map_err(|e| format!("{PATH}: {e}"))
    }

    /// Why counts cannot be compared with those of another record, if they cannot.
    pub fn incomparable(&self, other: &Self) -> Option<String> {
        let differing = [(&self.rustc, &other.rustc), (&self.valgrind, &other.valgrind)];
        let (here, there) = differing.into_iter().find(|(here, there)| here != there)?;
        Some(format!("here is {here}, the committed counts are of {there}"))
    }

    /// What is not in both records, or differs by more than the tolerance: a line each.
    pub fn differences(&self, committed: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (what, &count) in &self.instructions {
            match committed.instructions.get(what) {
                None => lines.push(format!("{what}: {count} instructions, not committed")),
                Some(&before) if change(count, before).abs() > TOLERANCE => {
                    let percent = 100.0 * change(count, before);
                    lines.push(format!("{what}: {count} instructions, {percent:+.1} % against the committed {before}"));
                }
                Some(_) => {}
            }
        }
        let gone = committed.instructions.keys().filter(|what| !self.instructions.contains_key(*what));
        lines.extend(gone.map(|what| format!("{what}: committed, but no longer counted")));
        lines
    }

    /// The largest change, of either sign.
    pub fn largest_change(&self, committed: &Self) -> Option<(&str, f64)> {
        let changes = self.instructions.iter().filter_map(|(what, &count)| {
            committed.instructions.get(what).map(|&before| (what.as_str(), change(count, before)))
        });
        changes.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
    }

    pub fn len(&self) -> usize {
        self.instructions.len()
    }
}

fn change(count: u64, before: u64) -> f64 {
    count as f64 / before as f64 - 1.0
}
