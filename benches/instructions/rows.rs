//! What is counted: the rows of `cases.json`, each for both passes.

use crate::common::cases::Case;
use crate::common::kinds::{Dtype, Layout, Pass};
use crate::common::library::{Runner, Setting};
use crate::common::operands::Operands;
use serde::Deserialize;

/// The instruction set that is counted: the highest that valgrind knows.
pub const ISA: &str = "avx2";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variants {
    case: Case,
    variants: Vec<(Dtype, Layout)>,
}

/// One run.
pub struct Row {
    case: Case,
    setting: Setting,
}

impl Row {
    pub fn all() -> Vec<Self> {
        let all: Vec<Variants> =
            serde_json::from_str(include_str!("cases.json")).expect("cases.json describes cases and variants");
        let mut rows = Vec::new();
        for Variants { case, variants } in all {
            for (dtype, layout) in variants {
                for &pass in Pass::ALL {
                    let setting = Setting { pass, dtype, layout, threads: 1, max_isa: Some(ISA.into()) };
                    rows.push(Self { case: case.clone(), setting });
                }
            }
        }
        rows
    }

    pub fn name(&self) -> String {
        let Setting { pass, dtype, layout, .. } = &self.setting;
        format!("{} {} {} {}", self.case.name, pass.name(), dtype.name(), layout.name())
    }

    /// Packs weights and makes room, then runs it, which is counted.
    pub fn run(&self) -> Result<(), String> {
        let operands = Operands::new(&self.case, self.setting.pass, self.setting.dtype);
        let mut runner = Runner::new(&self.case, &self.setting, &operands)?;
        if runner.isa() != ISA {
            return Err(format!("the library chose {}, not {ISA}", runner.isa()));
        }
        counted_run(&mut runner, &operands)
    }
}

/// Callgrind is told to count from the moment that this is entered until it is left.
pub const COUNTED: &str = "counted_run";

#[unsafe(no_mangle)]
#[inline(never)]
fn counted_run(runner: &mut Runner, operands: &Operands) -> Result<(), String> {
    runner.run(operands)
}
