//! Which kernels the counted runs reach: all of them, or the counts watch over less than they seem to.

use crate::rows::ISA;
use deformconv::cpu::kernels::{HasKernels, Kernels};
use std::collections::BTreeSet;

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

kernels!(coordinates sample multiply multiply_transposed store_planes planes_to_pixels corner_gradients offset_gradients scale column_dots);

/// Beside the table: conversions of halves.
const CONVERSIONS: &[&str] = &["widen_f16", "narrow_f16", "widen_bf16", "narrow_bf16"];

/// The kernels that none of the functions is.
pub fn unreached(functions: &BTreeSet<String>) -> Vec<String> {
    let of_f32 = unreached_of::<f32>("F32", functions);
    let of_f64 = unreached_of::<f64>("F64", functions);
    let conversions = CONVERSIONS.iter().filter(|name| !reaches(functions, &format!("half::x86::{name}")));
    of_f32.into_iter().chain(of_f64).chain(conversions.map(ToString::to_string)).collect()
}

/// `row` is what the row is called in the module of its instruction set.
fn unreached_of<T: HasKernels>(row: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let kernels = T::TABLE.iter().find(|kernels| kernels.isa.name().to_bytes() == ISA.as_bytes());
    let name = name_of(kernels.expect("the table has a row for the instruction set"));
    let missing = KERNELS.iter().filter(|kernel| !reaches(functions, &format!("{ISA}::{row}::{kernel}_of")));
    missing.map(|kernel| format!("{kernel} of {name}")).collect()
}

fn reaches(functions: &BTreeSet<String>, path: &str) -> bool {
    functions.iter().any(|function| function.contains(path))
}
