//! The instructions of each kernel. There have to be some of every kernel, or the counts watch over less than they
//! seem to.

use crate::callgrind::Profile;
use crate::rows::ISA;
use deformconv::cpu::kernels::{HasKernels, Kernels};

macro_rules! kernels {
    ($($kernel:ident)*) => {
        const KERNELS: &[&str] = &[$(stringify!($kernel)),*];

        /// Does not compile when the table has a kernel that is not listed.
        fn name_of<T>(row: &Kernels<T>) -> &str {
            let Kernels { name, isa: _, rows: _, columns: _, $($kernel: _,)* } = row;
            name.to_str().expect("names are ASCII")
        }
    };
}

kernels! {
    coordinates
    sample
    multiply
    multiply_transposed
    store_planes
    planes_to_pixels
    corner_gradients
    offset_gradients
    depthwise
    scale
    column_dots
}

/// Beside the table: conversions of halves.
const CONVERSIONS: &[&str] = &["widen_f16", "narrow_f16", "widen_bf16", "narrow_bf16"];

/// A kernel, and its instructions in all runs.
pub struct Count {
    pub kernel: String,
    pub instructions: u64,
}

/// Of every kernel of the table, and of the conversions of halves.
pub fn counts(profile: &Profile) -> Vec<Count> {
    let mut counts = of_row::<f32>("F32", profile);
    counts.extend(of_row::<f64>("F64", profile));
    counts.extend(CONVERSIONS.iter().map(|name| Count {
        kernel: (*name).to_owned(),
        instructions: instructions(profile, &format!("half::x86::{name}")),
    }));
    counts
}

/// `row` is what the row is called in the module of its instruction set.
fn of_row<T: HasKernels>(row: &str, profile: &Profile) -> Vec<Count> {
    let kernels = T::TABLE.iter().find(|kernels| kernels.isa.name().to_bytes() == ISA.as_bytes());
    let name = name_of(kernels.expect("the table has a row for the instruction set"));
    let count = |kernel: &&str| Count {
        kernel: format!("{kernel} of {name}"),
        instructions: instructions(profile, &format!("{ISA}::{row}::{kernel}_of")),
    };
    KERNELS.iter().map(count).collect()
}

fn instructions(profile: &Profile, function: &str) -> u64 {
    profile.iter().filter(|(name, _)| name.contains(function)).map(|(_, count)| count).sum()
}
