//! How many instructions runs of both passes take, counted by callgrind, against the committed counts: they repeat
//! exactly where times do not, and show a kernel that got slower. See README.md in the folder above.

mod callgrind;
#[path = "../common/mod.rs"]
mod common;
mod kernels;
mod record;
mod rows;

use callgrind::Profile;
use lexopt::prelude::*;
use rayon::prelude::*;
use record::Record;
use rows::{ISA, Row};
use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
cargo bench --bench instructions -- [OPTION]

  (none)       count, and compare with benches/instructions/counts.json; status 1 where one is more than 2 % off, 77
               where they could not be compared
  --bless      count, and write that file (as DCN_BLESS=1 does)
  --run ROW    one row: what callgrind is given
";

/// Status of a check that was left out.
const LEFT_OUT: u8 = 77;

enum Task {
    Compare,
    Bless,
    Run(String),
}

fn main() -> ExitCode {
    let done = match task() {
        Ok(Some(Task::Run(row))) => run(&row),
        Ok(Some(task)) => count(matches!(task, Task::Bless)),
        Ok(None) => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(format!("{error}\n\n{USAGE}")),
    };
    done.unwrap_or_else(|message| {
        eprintln!("{message}");
        ExitCode::FAILURE
    })
}

/// None if only help was asked for.
fn task() -> Result<Option<Task>, lexopt::Error> {
    let bless = env::var_os("DCN_BLESS").is_some_and(|value| value == "1");
    let mut task = if bless { Task::Bless } else { Task::Compare };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("bless") => task = Task::Bless,
            Long("run") => task = Task::Run(parser.value()?.string()?),
            // cargo bench passes it to every benchmark.
            Long("bench") => {}
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(task))
}

fn run(name: &str) -> Result<ExitCode, String> {
    let row = Row::all().into_iter().find(|row| row.name() == name).ok_or(format!("\"{name}\" is no row"))?;
    row.run().map(|()| ExitCode::SUCCESS)
}

fn left_out(why: &str) -> ExitCode {
    println!("not compared: instruction counts: {why}");
    ExitCode::from(LEFT_OUT)
}

fn count(bless: bool) -> Result<ExitCode, String> {
    if !has_isa() {
        return Ok(left_out(&format!("this processor has no {ISA}")));
    }
    let Some(valgrind) = callgrind::version() else { return Ok(left_out("no valgrind")) };
    let mut record = Record::new(valgrind)?;
    let mut all = Profile::new();
    let profiles = Row::all().into_par_iter().map(|row| callgrind::profile(&row).map(|profile| (row, profile)));
    for (row, profile) in profiles.collect::<Result<Vec<_>, _>>()? {
        record.add(row.name(), profile.values().sum());
        for (function, instructions) in profile {
            *all.entry(function).or_default() += instructions;
        }
    }
    for count in kernels::counts(&all) {
        if count.instructions == 0 {
            return Err(format!("no row of benches/instructions/cases.json reaches {}", count.kernel));
        }
        record.add(count.kernel, count.instructions);
    }
    if bless {
        record.save()?;
        println!("wrote benches/instructions/counts.json");
        return Ok(ExitCode::SUCCESS);
    }
    compare(&record, &Record::load()?)
}

fn compare(record: &Record, committed: &Record) -> Result<ExitCode, String> {
    if let Some(why) = record.incomparable(committed) {
        return Ok(left_out(&why));
    }
    let differences = record.differences(committed);
    if !differences.is_empty() {
        return Err(format!("{}\nWhere that is meant to be: make instructions ARGS=--bless", differences.join("\n")));
    }
    if let Some((what, change)) = record.largest_change(committed) {
        println!(
            "{} instruction counts are as committed; the largest change is {:+.2} % ({what})",
            record.len(),
            100.0 * change
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the library can be held to the instruction set that is counted.
fn has_isa() -> bool {
    deformconv::context::Isa::Avx2.is_available()
}
