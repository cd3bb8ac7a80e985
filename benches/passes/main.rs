//! How fast both passes of the library are: GFLOP/s and share of the FMA peak on the cases of `cases.json`.
//!
//! All rows of one case, pass and type, and the FMA peak, take turns in one run, so that a slow moment of the machine
//! hits them alike. See README.md in the folder above.

#[path = "../common/mod.rs"]
mod common;
mod options;
mod report;

use common::cases::Case;
use common::kinds::{Dtype, Pass};
use common::library::{self, Runner, Setting};
use common::operands::Operands;
use common::rounds::{Peaks, Times};
use options::Options;
use report::{Measured, Outcome, Report, Row};
use std::process::ExitCode;

fn main() -> ExitCode {
    match options::parse() {
        Ok(Some(options)) => match run(&options) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(message) => eprintln!("{message}"),
        },
        Ok(None) => {
            print!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => eprintln!("{error}\n\n{}", options::USAGE),
    }
    ExitCode::FAILURE
}

fn run(options: &Options) -> Result<(), String> {
    let cases = Case::all();
    if let Some(unknown) = options.cases.iter().find(|name| cases.iter().all(|case| case.name != **name)) {
        let known: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        return Err(format!("--case: \"{unknown}\" is none of: {}", known.join(", ")));
    }
    println!("{}; FMA peak: register-resident loops of the row's isa, on as many threads", library::build_info());
    let mut report = Report::new(options.json.as_deref())?;
    for case in cases.iter().filter(|case| options.cases.is_empty() || options.cases.contains(&case.name)) {
        for &pass in &options.passes {
            for &dtype in &options.dtypes {
                for row in measure(case, pass, dtype, options)? {
                    report.add(&row)?;
                }
            }
        }
    }
    Ok(())
}

/// All rows of one case, pass and type, interleaved.
fn measure(case: &Case, pass: Pass, dtype: Dtype, options: &Options) -> Result<Vec<Row>, String> {
    let operands = Operands::new(case, pass, dtype);
    let settings = settings(pass, dtype, options);
    let mut runners: Vec<_> = settings.iter().map(|setting| Runner::new(case, setting, &operands)).collect();
    let mut peaks = Peaks::new(dtype.computes_in_f64());
    let mut times: Vec<Times> = runners.iter().map(|_| Times::default()).collect();
    for round in 0..=options.rounds {
        for ((runner, times), setting) in runners.iter_mut().zip(&mut times).zip(&settings) {
            let Ok(runner) = runner else { continue };
            peaks.sample(runner.isa(), setting.threads, round);
            times.take_turn(round, options.budget, || runner.run(&operands))?;
        }
    }
    let rows = settings.into_iter().zip(runners).zip(&times).map(|((setting, runner), times)| Row {
        case: case.name.clone(),
        pass,
        dtype,
        layout: setting.layout,
        threads: setting.threads,
        outcome: match runner {
            Ok(runner) => Outcome::Measured(outcome(&runner, times, peaks.best(runner.isa(), setting.threads))),
            Err(refused) => Outcome::Refused { refused },
        },
    });
    Ok(rows.collect())
}

fn settings(pass: Pass, dtype: Dtype, options: &Options) -> Vec<Setting> {
    let mut settings = Vec::new();
    for &layout in &options.layouts {
        for &threads in &options.threads {
            for max_isa in &options.max_isas {
                settings.push(Setting { pass, dtype, layout, threads, max_isa: max_isa.clone() });
            }
        }
    }
    settings
}

fn outcome(runner: &Runner, times: &Times, peak: Option<f64>) -> Measured {
    let gflops = runner.flops() as f64 / times.minimum() / 1e9;
    let peak_gflops = peak.map(|peak| peak / 1e9);
    Measured {
        isa: runner.isa(),
        kernel: runner.kernel(),
        tile_positions: runner.tile_positions(),
        flops: runner.flops(),
        calls: times.calls(),
        min_ms: times.minimum() * 1e3,
        median_ms: times.median() * 1e3,
        gflops,
        peak_gflops,
        share_of_peak: peak_gflops.map(|peak| gflops / peak),
    }
}
