//! What the kernel bodies ask of an instruction set.

use super::element::Compute;

/// Most lanes that any vector has.
pub const MAX_LANES: usize = 16;

/// Where the pixels of an image are, in bytes.
#[derive(Clone, Copy)]
pub struct PixelAddresses {
    pub first: usize,
    /// From pixel to pixel.
    pub stride: usize,
    /// What stands in for a pixel whose number is negative.
    pub outside: usize,
}

/// A vector of [`Compute`] values. Every method is unsafe: the processor must have the instruction set, which the
/// kernel table guarantees; methods with pointers also need the memory they name.
///
/// Implementations mark every method `#[inline(always)]`, so that it becomes part of the `#[target_feature]` function
/// of the kernel table that instantiates a body.
pub trait Simd: Copy {
    type Scalar: Compute;
    type Mask: Copy;
    /// Vectors half as long, where kernels gain by using them for what fills no whole vector; else the same vectors.
    type Half: Simd<Scalar = Self::Scalar>;
    const LANES: usize;

    unsafe fn splat(value: Self::Scalar) -> Self;
    /// LANES elements, of any alignment.
    unsafe fn load(from: *const Self::Scalar) -> Self;
    /// LANES elements, of any alignment.
    unsafe fn store(self, to: *mut Self::Scalar);
    /// The first `n` < LANES elements, 0 in the other lanes; nothing beyond them is read.
    unsafe fn load_first(from: *const Self::Scalar, n: usize) -> Self;
    /// The first `n` < LANES lanes; nothing beyond them is written.
    unsafe fn store_first(self, to: *mut Self::Scalar, n: usize);

    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// self * factor + addend, rounded once.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    unsafe fn floor(self) -> Self;
    /// The greater of two numbers, lane by lane.
    unsafe fn max(self, other: Self) -> Self;
    /// Lanes where self < other; false for NaN.
    unsafe fn less(self, other: Self) -> Self::Mask;
    unsafe fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// self where the mask is set, else +0.
    unsafe fn or_zero(self, mask: Self::Mask) -> Self;

    /// self, but every NaN the same one: which of two NaNs an operation passes on is up to the order in which the
    /// compiler has its operands, and results must not show it.
    unsafe fn canonical(self) -> Self;

    /// Stores y * width + x as LANES integers, -1 where the mask is not set. Where it is set, y and x are integers and
    /// the result fits an i32.
    unsafe fn store_pixel_index(y: Self, x: Self, width: i32, mask: Self::Mask, to: *mut i32);

    /// Lanes whose pixel number, of LANES from `index` on, is not negative.
    unsafe fn inside(index: *const i32) -> Self::Mask;

    /// Stores the addresses of the LANES pixels numbered from `index` on.
    unsafe fn store_addresses(index: *const i32, pixels: &PixelAddresses, to: *mut usize);

    /// LANES groups of four neighbours: the first of each group, the second, and so on.
    unsafe fn load_fours(from: *const Self::Scalar) -> [Self; 4];

    /// The sum of the lanes of each vector, always in the same order.
    unsafe fn sums(vectors: [Self; 4]) -> [Self::Scalar; 4];
    /// Transposes the square of the first LANES vectors of `block`, in registers.
    unsafe fn transpose(block: &mut [Self; MAX_LANES]);
}

/// The methods of [`Simd`] that are one intrinsic everywhere, with the same operands. Unsafe as the trait says.
macro_rules! intrinsics {
    {
        splat: $splat:ident, load: $load:ident, store: $store:ident,
        add: $add:ident, sub: $sub:ident, mul: $mul:ident, max: $max:ident,
    } => {
        #[inline(always)]
        unsafe fn splat(value: Self::Scalar) -> Self {
            Self(unsafe { $splat(value) })
        }
        #[inline(always)]
        unsafe fn load(from: *const Self::Scalar) -> Self {
            Self(unsafe { $load(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut Self::Scalar) {
            unsafe { $store(to, self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Self(unsafe { $add(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            Self(unsafe { $sub(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            Self(unsafe { $mul(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            Self(unsafe { $max(self.0, other.0) })
        }
    };
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use intrinsics;

/// Vectors that are widened from half precision and rounded to it. Unsafe as [`Simd`] is.
pub trait HalfPrecision: Simd<Scalar = f32> {
    /// LANES times 16 bits.
    type Halves: Copy;

    /// LANES halves, of any alignment.
    unsafe fn load_halves(from: *const u16) -> Self::Halves;
    /// LANES halves, of any alignment.
    unsafe fn store_halves(halves: Self::Halves, to: *mut u16);

    unsafe fn from_f16(halves: Self::Halves) -> Self;
    unsafe fn from_bf16(halves: Self::Halves) -> Self;
    /// Rounded to nearest even; NaN is the canonical one.
    unsafe fn to_f16(self) -> Self::Halves;
    /// Rounded to nearest even; NaN is the canonical one.
    unsafe fn to_bf16(self) -> Self::Halves;

    /// The first `n` < LANES halves, 0 in the other lanes; nothing beyond them is read.
    #[inline(always)]
    unsafe fn load_first_halves(from: *const u16, n: usize) -> Self::Halves {
        let mut halves = [0; MAX_LANES];
        // SAFETY: the caller's promise.
        unsafe {
            (0..n).for_each(|lane| halves[lane] = from.add(lane).read_unaligned());
            Self::load_halves(halves.as_ptr())
        }
    }

    /// The first `n` < LANES lanes; nothing beyond them is written.
    #[inline(always)]
    unsafe fn store_first_halves(halves: Self::Halves, to: *mut u16, n: usize) {
        let mut all = [0; MAX_LANES];
        // SAFETY: the caller's promise.
        unsafe {
            Self::store_halves(halves, all.as_mut_ptr());
            (0..n).for_each(|lane| to.add(lane).write_unaligned(all[lane]));
        }
    }
}
