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

use common::kinds::Dtype;
use common::rounds::{Peaks, Times};
use deformconv::cpu::kernels::Kernels;
use half::{bf16, f16};
use job::{Job, Stored, Value};
use options::Options;
use std::process::ExitCode;
use std::time::Duration;

/// A kernel to be measured; `jobs` makes its jobs, one a size.
struct Kernel<T: Stored> {
    name: &'static str,
    jobs: fn(&'static Kernels<T>) -> Vec<Job>,
}

macro_rules! kernels {
    (of tensors { $($of_tensors:ident: $of_tensors_jobs:path;)* } others { $($other:ident: $other_jobs:path;)* }) => {
        const NAMES: &[&str] = &[$(stringify!($of_tensors),)* $(stringify!($other)),*];

        /// The kernels that every type has of its own.
        fn of_tensors<T: Stored>() -> Vec<Kernel<T>> {
            vec![$(Kernel { name: stringify!($of_tensors), jobs: $of_tensors_jobs }),*]
        }

        /// The kernels of a type that is computed in; does not compile when the table has one that is not listed.
        fn all<T: Value>() -> Vec<Kernel<T>> {
            let _ = |row: &Kernels<T>| {
                let Kernels { name: _, isa: _, rows: _, columns: _, $($of_tensors: _,)* $($other: _,)* } = row;
            };
            let mut all = of_tensors();
            all.extend([$(Kernel { name: stringify!($other), jobs: $other_jobs }),*]);
            all
        }
    };
}

kernels! {
    of tensors {
        coordinates: sampling::coordinates;
        store_planes: layouts::store_planes;
        store_pixels: layouts::store_pixels;
        widen: layouts::widen;
        narrow: layouts::narrow;
        planes_to_pixels: layouts::planes_to_pixels;
        pixels_to_planes: layouts::pixels_to_planes;
        offset_gradients: sampling::offset_gradients;
    }
    others {
        sample: sampling::sample;
        multiply: products::multiply;
        multiply_transposed: products::multiply_transposed;
        corner_gradients: sampling::corner_gradients;
        depthwise: sampling::depthwise;
        depthwise_gradients: sampling::depthwise_gradients;
    }
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
    for dtype in &options.types {
        match dtype {
            Dtype::F32 => measure(all::<f32>(), options)?,
            Dtype::F64 => measure(all::<f64>(), options)?,
            Dtype::F16 => measure(of_tensors::<f16>(), options)?,
            Dtype::Bf16 => measure(of_tensors::<bf16>(), options)?,
        }
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

fn measure<T: Stored>(kernels: Vec<Kernel<T>>, options: &Options) -> Result<(), String> {
    let mut all = turns(&kernels, options);
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
fn turns<T: Stored>(kernels: &[Kernel<T>], options: &Options) -> Vec<Turns> {
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
        for &Kernel { name: kernel, jobs } in kernels {
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
