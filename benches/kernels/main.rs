//! How fast each kernel of the kernel table is by itself, in every instruction set that this processor has: operands of
//! the sizes that the passes give it, in the nearer caches.
//!
//! All kernels of one type, and the FMA peaks, take turns in one run. See README.md in the folder above.

#[path = "../common/mod.rs"]
mod common;
mod job;
mod layouts;
mod options;
mod products;
mod sampling;

use common::rounds::{Peaks, Times};
use deformconv::cpu::kernels::Kernels;
use job::{Job, Value};
use options::Options;
use std::process::ExitCode;
use std::time::Duration;

/// A kernel to be measured; `jobs` makes its jobs, one a size.
struct Kernel<T: Value> {
    name: &'static str,
    jobs: fn(&'static Kernels<T>) -> Vec<Job>,
}

macro_rules! kernels {
    ($($kernel:ident: $jobs:path;)*) => {
        const NAMES: &[&str] = &[$(stringify!($kernel)),*];

        /// The kernels of a row; does not compile when the table has one that is not listed.
        fn kernels<T: Value>(row: &Kernels<T>) -> Vec<Kernel<T>> {
            let Kernels { name: _, isa: _, rows: _, columns: _, $($kernel: _,)* } = row;
            vec![$(Kernel { name: stringify!($kernel), jobs: $jobs }),*]
        }
    };
}

kernels! {
    coordinates: sampling::coordinates;
    sample: sampling::sample;
    multiply: products::multiply;
    multiply_transposed: products::multiply_transposed;
    store_planes: layouts::store_planes;
    planes_to_pixels: layouts::planes_to_pixels;
    corner_gradients: sampling::corner_gradients;
    offset_gradients: sampling::offset_gradients;
    depthwise: sampling::depthwise;
    scale: products::scale;
    column_dots: products::column_dots;
}

fn main() -> ExitCode {
    match options::parse(NAMES) {
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
    println!(
        "{:<20} {:<17} {:<20} {:>10} {:>9} {:>8} {:>8} {:>6}",
        "kernel", "size", "row of the table", "ns a call", "ns each", "GFLOP/s", "FMA peak", "share"
    );
    if options.types.iter().any(|name| name == f32::NAME) {
        measure::<f32>(options)?;
    }
    if options.types.iter().any(|name| name == f64::NAME) {
        measure::<f64>(options)?;
    }
    Ok(())
}

/// One kernel of one row of the table, at one size.
struct Turns {
    kernel: &'static str,
    row: &'static str,
    isa: &'static str,
    job: Job,
    /// Calls that are timed together.
    batch: usize,
    times: Times,
}

fn measure<T: Value>(options: &Options) -> Result<(), String> {
    let mut all = turns::<T>(options);
    let mut peaks = Peaks::of_batches(T::KIND.computes_in_f64(), job::BATCH);
    for round in 0..=options.rounds {
        for turns in &mut all {
            peaks.sample(turns.isa, 1, round);
            let (job, batch) = (&mut turns.job, turns.batch);
            turns.times.take_turn(round, Duration::MAX, || {
                (0..batch).for_each(|_| job.call());
                Ok(())
            })?;
        }
    }
    for turns in &all {
        print(turns, peaks.best(turns.isa, 1));
    }
    Ok(())
}

/// What is wanted and can be run: kernel by kernel, the rows of the table side by side.
fn turns<T: Value>(options: &Options) -> Vec<Turns> {
    let mut all = Vec::new();
    for &row in T::TABLE {
        let isa = row.isa.name().to_str().expect("names are ASCII");
        let name = row.name.to_str().expect("names are ASCII");
        if !row.isa.is_available() {
            println!("did not run: kernels of {name}: this processor cannot");
            continue;
        }
        if !options.isas.is_empty() && !options.isas.iter().any(|wanted| wanted == isa) {
            continue;
        }
        for Kernel { name: kernel, jobs } in kernels(row) {
            if options.kernels.iter().any(|wanted| wanted == kernel) {
                all.extend(jobs(row).into_iter().map(|mut job| {
                    let batch = job.calls_in(job::BATCH);
                    Turns { kernel, row: name, isa, job, batch, times: Times::default() }
                }));
            }
        }
    }
    let place = |turns: &Turns| NAMES.iter().position(|name| *name == turns.kernel);
    all.sort_by_key(|turns| (place(turns), turns.job.number));
    all
}

fn print(turns: &Turns, peak: Option<f64>) {
    let Turns { kernel, row, job, .. } = turns;
    let seconds = turns.times.minimum() / turns.batch as f64;
    let (nanoseconds, each) = (seconds * 1e9, seconds * 1e9 / job.elements as f64);
    print!("{kernel:<20} {:<17} {row:<20} {nanoseconds:>10.1} {each:>9.4}", job.size);
    match (job.flops, peak) {
        (0, _) => println!(),
        (flops, None) => println!(" {:>8.1}", flops as f64 / seconds / 1e9),
        (flops, Some(peak)) => {
            let reached = flops as f64 / seconds;
            println!(" {:>8.1} {:>8.1} {:>5.1}%", reached / 1e9, peak / 1e9, 100.0 * reached / peak);
        }
    }
}
