//! Every row of the kernel table that this processor can run against the scalar row: random values, sizes that go
//! through all tails, operands flush with pages that cannot be touched, poison in every gap.

mod backward;
mod depthwise;
#[path = "../common/effort.rs"]
mod effort;
mod forward;
mod guarded;
mod operand;
#[path = "../common/report.rs"]
mod report;
mod values;

use deformconv::context::Isa;
use deformconv::cpu::kernels::Kernels;
use effort::cases;
use guarded::Place;
use report::report;
use values::{Random, Value};

/// One comparison: which kernels, on what sizes and values, and where the operands lie.
struct Trial<T: Value> {
    kernels: &'static Kernels<T>,
    scalar: &'static Kernels<T>,
    /// Sizes are made of it, so that a run of them goes through all tails.
    number: usize,
    place: Place,
    random: Random,
}

impl<T: Value> Trial<T> {
    /// 1 to 35, which with [`Self::channels`] gives all pairs.
    fn positions(&self) -> usize {
        1 + self.number % 35
    }

    /// 1 to 33, now and then up to 256.
    fn channels(&self) -> usize {
        1 + self.number % 33 + if self.number % 8 == 7 { self.number * 17 % 224 } else { 0 }
    }

    /// The scalar panel is narrower: its kernels go over as many columns, rounded up to whole panels of their own.
    fn scalar_columns(&self) -> usize {
        self.kernels.columns.next_multiple_of(self.scalar.columns)
    }

    /// A distance of rows that are so long: none or a few elements between them.
    fn stride(&mut self, length: usize) -> usize {
        length + [0, 0, 1, 7][self.random.below(4)]
    }
}

/// Runs `check` on every row for T. The processor has what `check` is given.
fn rows<T: Value>(kernel: &str, check: fn(&mut Trial<T>)) {
    let scalar = *T::TABLE.last().expect("the table has a scalar row");
    assert_eq!(scalar.isa, Isa::Scalar);
    let count = cases(140) as usize;
    for &kernels in T::TABLE {
        let name = kernels.name.to_string_lossy();
        if !kernels.isa.is_available() {
            report(&format!("did not run: kernels of {name}: this processor cannot"));
            continue;
        }
        for number in 0..count {
            for place in Place::ALL {
                let random = Random::new(number as u64);
                check(&mut Trial { kernels, scalar, number, place, random });
            }
        }
        report(&format!("{kernel} of {name}: as the scalar one on {count} sizes"));
    }
}

macro_rules! against_scalar {
    ($($kernel:ident: $check:path;)*) => {
        $(#[test]
        fn $kernel() {
            rows::<f32>(stringify!($kernel), $check);
            rows::<f64>(stringify!($kernel), $check);
        })*

        /// Does not compile when the table has a kernel that is not listed.
        #[test]
        fn every_kernel_is_listed() {
            fn list<T>(row: &Kernels<T>) {
                let Kernels { name: _, isa: _, rows: _, columns: _, $($kernel: _,)* } = row;
            }
            list(<f32 as deformconv::cpu::kernels::HasKernels>::TABLE[0]);
        }
    };
}

against_scalar! {
    coordinates: forward::coordinates;
    sample: forward::sample;
    multiply: forward::multiply;
    multiply_transposed: forward::multiply_transposed;
    store_planes: forward::store_planes;
    planes_to_pixels: forward::planes_to_pixels;
    corner_gradients: backward::corner_gradients;
    offset_gradients: backward::offset_gradients;
    depthwise: depthwise::depthwise;
    scale: depthwise::scale;
    column_dots: depthwise::column_dots;
}
