//! The command line.

use crate::common::kinds::{Dtype, Layout, Pass};
use crate::common::options::list;
use lexopt::prelude::*;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

pub const USAGE: &str = "\
cargo bench --bench passes -- [OPTIONS]    lists are separated by commas

  --case LIST      cases of benches/cases.json      default all
  --pass LIST      forward, backward                default both
  --dtype LIST     f32, f64, f16, bf16              default all
  --layout LIST    nchw, nhwc (of x and y)          default both
  --threads LIST   numbers, all                     default 1,all
  --isa LIST       scalar, avx2, avx512, neon: the highest one the library may use; default its own choice
  --rounds N       turns of each row                default 7
  --budget SECONDS a row that has used this up sits out the remaining rounds (its first two aside); default 1
  --json FILE      one JSON object a row as well
";

pub struct Options {
    pub cases: Vec<String>,
    pub passes: Vec<Pass>,
    pub dtypes: Vec<Dtype>,
    pub layouts: Vec<Layout>,
    pub threads: Vec<usize>,
    pub max_isas: Vec<Option<String>>,
    pub rounds: usize,
    pub budget: Duration,
    pub json: Option<PathBuf>,
}

/// None if only help was asked for.
pub fn parse() -> Result<Option<Options>, lexopt::Error> {
    let all = thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        cases: Vec::new(),
        passes: Pass::ALL.to_vec(),
        dtypes: Dtype::ALL.to_vec(),
        layouts: Layout::ALL.to_vec(),
        threads: vec![1, all],
        max_isas: vec![None],
        rounds: 7,
        budget: Duration::from_secs(1),
        json: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("case") => options.cases = list(&mut parser)?,
            Long("pass") => options.passes = list(&mut parser)?,
            Long("dtype") => options.dtypes = list(&mut parser)?,
            Long("layout") => options.layouts = list(&mut parser)?,
            Long("threads") => {
                let names: Vec<String> = list(&mut parser)?;
                let count = |name: &String| if name == "all" { Ok(all) } else { name.parse::<usize>() };
                options.threads = names.iter().map(count).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
            }
            Long("isa") => options.max_isas = list(&mut parser)?.into_iter().map(Some).collect(),
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("budget") => options.budget = Duration::from_secs_f64(parser.value()?.parse()?),
            Long("json") => options.json = Some(parser.value()?.into()),
            // cargo bench passes it to every benchmark.
            Long("bench") => {}
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    options.threads.dedup();
    Ok(Some(options))
}
