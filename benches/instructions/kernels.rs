//! The instructions of each kernel. There have to be some of every kernel, or the counts watch over less than they
//! seem to.

use crate::callgrind::Profile;
use crate::rows::ISA;
use deformconv::cpu::element::Element;
use deformconv::cpu::kernels::{HasKernels, Kernels};
use half::{bf16, f16};

macro_rules! kernels {
    ($($list:ident: $($kernel:ident)*;)*) => {
        $(const $list: &[&str] = &[$(stringify!($kernel)),*];)*

        /// Does not compile when the table has a kernel that is not listed.
        fn name_of<T: Element>(row: &Kernels<T>) -> &str {
            let Kernels { name, isa: _, rows: _, columns: _, $($($kernel: _,)*)* } = row;
            name.to_str().expect("names are ASCII")
        }
    };
}

kernels! {
    OF_EACH_TYPE: coordinates store_planes store_pixels offset_gradients;
    OF_COMPUTED_TYPES: sample multiply multiply_transposed corner_gradients depthwise depthwise_gradients;
    CONVERSIONS: widen narrow planes_to_pixels pixels_to_planes;
}

/// The conversions where nothing is converted.
const COPIES: &[&str] = &["copy", "transpose"];

/// A kernel, and its instructions in all runs.
pub struct Count {
    pub kernel: String,
    pub instructions: u64,
}

/// Of every kernel of the table.
pub fn counts(profile: &Profile) -> Vec<Count> {
    let (computed, half) = ([OF_EACH_TYPE, OF_COMPUTED_TYPES, COPIES].concat(), [OF_EACH_TYPE, CONVERSIONS].concat());
    let mut counts = of_row::<f32>("F32", &computed, profile);
    counts.extend(of_row::<f64>("F64", &computed, profile));
    counts.extend(of_row::<f16>("F16", &half, profile));
    counts.extend(of_row::<bf16>("BF16", &half, profile));
    counts
}

/// `row` is what the row is called in the module of its instruction set.
fn of_row<T: HasKernels>(row: &str, kernels: &[&str], profile: &Profile) -> Vec<Count> {
    let found = T::TABLE.iter().find(|kernels| kernels.isa.name().to_bytes() == ISA.as_bytes());
    let name = name_of(found.expect("the table has a row for the instruction set"));
    let count = |kernel: &&str| Count {
        kernel: format!("{kernel} of {name}"),
        instructions: instructions(profile, &format!("{ISA}::{row}::{kernel}_of")),
    };
    kernels.iter().map(count).collect()
}

fn instructions(profile: &Profile, function: &str) -> u64 {
    profile.iter().filter(|(name, _)| name.contains(function)).map(|(_, count)| count).sum()
}
