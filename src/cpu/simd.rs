//! What the kernel bodies ask of an instruction set.

use super::element::Compute;

/// Most lanes that any vector has.
pub const MAX_LANES: usize = 16;

/// A vector of [`Compute`] values. Every method is unsafe: the processor must have the instruction set, which the kernel
/// table guarantees; methods with pointers also need the memory they name.
///
/// Implementations mark every method `#[inline(always)]`, so that it becomes part of the `#[target_feature]` function of
/// the kernel table that instantiates a body.
pub trait Simd: Copy {
    type Scalar: Compute;
    type Mask: Copy;
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
    /// Lanes where self < other; false for NaN.
    unsafe fn less(self, other: Self) -> Self::Mask;
    unsafe fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// self where the mask is set, else +0.
    unsafe fn or_zero(self, mask: Self::Mask) -> Self;

    /// Stores y * width + x as LANES integers, -1 where the mask is not set. Where it is set, y and x are integers and
    /// the result fits an i32.
    unsafe fn store_pixel_index(y: Self, x: Self, width: i32, mask: Self::Mask, to: *mut i32);

    /// The sum of the lanes of each vector, always in the same order.
    unsafe fn sums(vectors: [Self; 4]) -> [Self::Scalar; 4];
    /// Transposes the square of the first LANES vectors of `block`, in registers.
    unsafe fn transpose(block: &mut [Self; MAX_LANES]);
}
