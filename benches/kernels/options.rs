//! The command line.

use crate::common::kinds::Dtype;
use crate::common::options::list;
use lexopt::prelude::*;

pub const USAGE: &str = "\
cargo bench --bench kernels -- [OPTIONS]    lists are separated by commas

  --kernel LIST    fields of the kernel table       default all
  --dtype LIST     f32, f64, f16, bf16              default all; halves have kernels of their own for tensors alone
  --isa LIST       scalar, avx2, avx512, neon       default all that this processor has
  --rounds N       turns of each kernel             default 7
";

pub struct Options {
    pub kernels: Vec<String>,
    pub types: Vec<Dtype>,
    /// Empty = all.
    pub isas: Vec<String>,
    pub rounds: usize,
}

/// None if only help was asked for. `kernels` are all there are.
pub fn parse(kernels: &[&str]) -> Result<Option<Options>, lexopt::Error> {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let mut options = Options { kernels: names(kernels), types: Dtype::ALL.to_vec(), isas: Vec::new(), rounds: 7 };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("kernel") => options.kernels = known(&mut parser, kernels)?,
            Long("dtype") => options.types = list(&mut parser)?,
            Long("isa") => options.isas = known(&mut parser, &["scalar", "avx2", "avx512", "neon"])?,
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            // cargo bench passes it to every benchmark.
            Long("bench") => {}
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}

/// A list of names, each of them known.
fn known(parser: &mut lexopt::Parser, all: &[&str]) -> Result<Vec<String>, lexopt::Error> {
    let names: Vec<String> = list(parser)?;
    match names.iter().find(|name| !all.contains(&name.as_str())) {
        Some(unknown) => Err(format!("\"{unknown}\" is none of: {}", all.join(", ")).into()),
        None => Ok(names),
    }
}
