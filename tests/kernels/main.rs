//! Every row of the kernel table that this processor can run against the scalar row: random values, sizes that go
//! through all tails, operands flush with pages that cannot be touched, poison in every gap.

mod backward;
mod depthwise;
#[path = "../common/effort.rs"]
mod effort;
mod forward;
mod guarded;
mod layouts;
mod operand;
#[path = "../common/report.rs"]
mod report;
mod values;

use deformconv::context::Isa;
use deformconv::cpu::kernels::{HasKernels, Kernels};
use effort::{cases, wants};
use guarded::Place;
use half::{bf16, f16};
use report::report;
use values::{Random, Stored};

/// One comparison: which kernels, on what sizes and values, and where the operands lie.
struct Trial<T: Stored> {
    kernels: &'static Kernels<T>,
    scalar: &'static Kernels<T>,
    /// Sizes are made of it, so that a run of them goes through all tails.
    number: usize,
    place: Place,
    random: Random,
}

impl<T: Stored> Trial<T> {
    /// 1 to 35, which with [`Self::channels`] gives all pairs.
    fn positions(&self) -> usize {
        1 + self.number % 35
    }

    /// 1 to 33, now and then up to 256, or 64, as most units of the column gradient have.
    fn channels(&self) -> usize {
        match self.number % 16 {
            7 => 64,
            15 => 1 + self.number % 33 + self.number * 17 % 224,
            _ => 1 + self.number % 33,
        }
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

/// Miri does not know the instructions that convert f16, which everything uses that is compiled for AVX2.
const IS_WITHOUT_F16: bool = cfg!(all(miri, target_feature = "f16c"));

/// Runs `check` on every row for T. The processor has what `check` is given.
fn rows<T: Stored>(kernel: &str, check: fn(&mut Trial<T>)) {
    let scalar = *T::TABLE.last().expect("the table has a scalar row");
    assert_eq!(scalar.isa, Isa::Scalar);
    if IS_WITHOUT_F16 && scalar.name == c"f16_scalar_4x4" {
        return report(&format!("did not run: {kernel} in f16: Miri cannot convert it"));
    }
    let count = cases(140) as usize;
    for &kernels in T::TABLE {
        if !wants(kernels.isa) {
            continue;
        }
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
    ($($kernel:ident: $check:path, $($type:ty)*;)*) => {
        $(#[test]
        fn $kernel() {
            $(rows::<$type>(stringify!($kernel), $check);)*
        })*

        /// Does not compile when the table has a kernel that is not listed.
        #[test]
        fn every_kernel_is_listed() {
            fn list<T: HasKernels>(row: &Kernels<T>) {
                let Kernels { name: _, isa: _, rows: _, columns: _, $($kernel: _,)* } = row;
            }
            list(f32::TABLE[0]);
        }
    };
}

// In half precision there are the kernels that see tensors; the others are those of f32.
against_scalar! {
    coordinates: forward::coordinates, f32 f64 f16 bf16;
    sample: forward::sample, f32 f64;
    multiply: forward::multiply, f32 f64;
    multiply_transposed: forward::multiply_transposed, f32 f64;
    store_planes: layouts::store_planes, f32 f64 f16 bf16;
    store_pixels: layouts::store_pixels, f32 f64 f16 bf16;
    widen: layouts::widen, f32 f64 f16 bf16;
    narrow: layouts::narrow, f32 f64 f16 bf16;
    planes_to_pixels: layouts::planes_to_pixels, f32 f64 f16 bf16;
    pixels_to_planes: layouts::pixels_to_planes, f32 f64 f16 bf16;
    corner_gradients: backward::corner_gradients, f32 f64;
    offset_gradients: backward::offset_gradients, f32 f64 f16 bf16;
    depthwise: depthwise::depthwise, f32 f64;
    depthwise_gradients: depthwise::depthwise_gradients, f32 f64;
}

#[test]
fn every_half_there_and_back() {
    if !IS_WITHOUT_F16 {
        layouts::there_and_back::<f16>(f16::from_bits, f16::to_bits);
    }
    layouts::there_and_back::<bf16>(bf16::from_bits, bf16::to_bits);
}
