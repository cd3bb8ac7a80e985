//! The committed counts, `counts.json`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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
    /// By the name of the row.
    instructions: BTreeMap<String, u64>,
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/counts.json")
}

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

    pub fn add(&mut self, row: String, instructions: u64) {
        self.instructions.insert(row, instructions);
    }

    pub fn load() -> Result<Self, String> {
        let text = fs::read_to_string(path()).map_err(|e| format!("{}: {e}", path().display()))?;
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path().display()))
    }

    pub fn save(&self) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).expect("a record is plain data");
        fs::write(path(), text + "\n").map_err(|e| format!("{}: {e}", path().display()))
    }

    /// Why counts cannot be compared with those of another record, if they cannot.
    pub fn incomparable(&self, other: &Self) -> Option<String> {
        let differing = [(&self.rustc, &other.rustc), (&self.valgrind, &other.valgrind)];
        let (here, there) = differing.into_iter().find(|(here, there)| here != there)?;
        Some(format!("here is {here}, the committed counts are of {there}"))
    }

    /// The rows that are not in both records, or that differ by more than the tolerance: a line each.
    pub fn differences(&self, committed: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (row, &count) in &self.instructions {
            match committed.instructions.get(row) {
                None => lines.push(format!("{row}: {count} instructions, not committed")),
                Some(&before) if change(count, before).abs() > TOLERANCE => {
                    let percent = 100.0 * change(count, before);
                    lines.push(format!("{row}: {count} instructions, {percent:+.1} % of the committed {before}"));
                }
                Some(_) => {}
            }
        }
        let gone = committed.instructions.keys().filter(|row| !self.instructions.contains_key(*row));
        lines.extend(gone.map(|row| format!("{row}: committed, but no longer a row")));
        lines
    }

    /// The largest change of any row, of either sign.
    pub fn largest_change(&self, committed: &Self) -> Option<(&str, f64)> {
        let changes = self.instructions.iter().filter_map(|(row, &count)| {
            committed.instructions.get(row).map(|&before| (row.as_str(), change(count, before)))
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
