//! What the kernels are given. Pointers are raw: they may reach into the caller's tensors, whose elements are of the
//! type that is stored; everything else is of the type that is computed in.

use crate::cpu::element::Element;

/// Positions that scratch arrays have room for, beyond the tile's own: kernels work in whole vectors.
pub const POSITION_PADDING: usize = 16;

/// Where the four corners of each position's sample are, and what they weigh. Four arrays, [`Corners::stride`] apart,
/// for the corners (0,0), (0,1), (1,0), (1,1) in (y, x). Kernels read whole vectors: each array has room for
/// POSITION_PADDING - 1 more positions than a tile.
#[derive(Clone, Copy)]
pub struct Corners<T> {
    /// Pixel number y * W + x, or -1 for a corner that is not read.
    pub index: *mut i32,
    /// Bilinear weight times mask.
    pub weight: *mut T,
    /// For the gradients, three arrays: ly, lx, and 1 where the sample is in range, else 0. NULL: not wanted.
    pub fraction: *mut T,
    pub stride: usize,
}

impl<T: Copy> Corners<T> {
    /// What the four corners of a position weigh.
    ///
    /// # Safety
    ///
    /// The position exists.
    #[inline(always)]
    pub unsafe fn weights(&self, position: usize) -> [T; 4] {
        // SAFETY: the caller's promise.
        let weight = |k: usize| unsafe { *self.weight.add(k * self.stride + position) };
        [weight(0), weight(1), weight(2), weight(3)]
    }

    /// Those of the positions from one on.
    ///
    /// # Safety
    ///
    /// The position exists, and fractions are there.
    pub unsafe fn behind(&self, first: usize) -> Self {
        let Self { index, weight, fraction, stride } = *self;
        // SAFETY: the caller's promise.
        unsafe { Self { index: index.add(first), weight: weight.add(first), fraction: fraction.add(first), stride } }
    }
}

/// How far the samples in range reach.
#[derive(Clone, Copy, Debug)]
pub struct Reach<T> {
    /// The greatest y, at least 0.
    pub deepest: T,
    /// The greatest height - y, rounded, at least 0.
    pub highest: T,
}

/// Computes the corners of one kernel tap of one deformable group for a tile of positions. Returns how far they reach,
/// or further.
pub struct CoordinatesArgs<T: Element> {
    /// Positions; base and corners have room for POSITION_PADDING - 1 more.
    pub positions: usize,
    /// Coordinates of the tap at (0, 0) without offset: p * stride - pad, exact.
    pub base_y: *const T::Compute,
    pub base_x: *const T::Compute,
    /// Distance of this tap: i * dilation, exact.
    pub tap_y: T::Compute,
    pub tap_x: T::Compute,
    /// These three may be in the caller's tensors: nothing beyond the positions is read.
    pub offset_y: *const T,
    pub offset_x: *const T,
    pub mask: *const T,
    /// Image size, H * W < 2^31.
    pub height: i32,
    pub width: i32,
    pub corners: Corners<T::Compute>,
}

/// Samples `channels` neighbouring channels at each position of a tile.
pub struct SampleArgs<T> {
    pub positions: usize,
    /// At most MAX_SAMPLE_CHANNELS.
    pub channels: usize,
    pub corners: Corners<T>,
    /// The first of the channels in pixel 0 of an image with contiguous channels.
    pub image: *const T,
    /// Elements from pixel to pixel.
    pub pixel_stride: usize,
    /// Row r of the im2col tile, `channels` elements, is at `col + r * col_stride`.
    pub col: *mut T,
    pub col_stride: usize,
}

/// acc[rows][columns] = or += left[rows][depth] * right[depth][columns], for one panel of columns.
pub struct MultiplyArgs<T> {
    pub rows: usize,
    /// Length of the sum; at most 256, so that no chain of additions is longer.
    pub depth: usize,
    /// Read by broadcast. `multiply_transposed` wants it transposed: [depth][rows].
    pub left: *const T,
    pub left_stride: usize,
    /// Read by vector; of any alignment.
    pub right: *const T,
    pub right_stride: usize,
    pub acc: *mut T,
    pub acc_stride: usize,
    /// Add to what is in acc, instead of overwriting it.
    pub accumulate: bool,
    /// Where the right operand of the next call is, if it is worth bringing nearer meanwhile; else NULL.
    pub next: *const T,
}

/// Writes acc[positions][columns] + bias to an output whose positions are neighbours in each channel plane
/// (`store_planes`), or whose channels are neighbours in each pixel (`store_pixels`).
pub struct StoreArgs<T: Element> {
    pub positions: usize,
    /// Output channels, at most the kernel's columns.
    pub columns: usize,
    pub acc: *const T::Compute,
    /// One for each of the kernel's columns.
    pub bias: *const T::Compute,
    pub y: *mut T,
    /// Elements from plane to plane, or from pixel to pixel.
    pub stride: isize,
}

/// Elements in rows that are `stride` apart, neighbours within a row.
#[derive(Clone, Copy)]
pub struct Matrix<P> {
    pub data: P,
    pub stride: isize,
}

/// Copies a matrix, or transposes it: to[column][row] = from[row][column].
pub struct CopyArgs<From, To> {
    /// Of `from`.
    pub rows: usize,
    pub columns: usize,
    pub from: Matrix<*const From>,
    pub to: Matrix<*mut To>,
}

impl<From, To> CopyArgs<From, To> {
    /// A single row.
    pub fn row(columns: usize, from: *const From, to: *mut To) -> Self {
        Self { rows: 1, columns, from: Matrix { data: from, stride: 0 }, to: Matrix { data: to, stride: 0 } }
    }
}

/// Backward: what the column gradient means for the four corners of each sample: dot products with them, and weight *
/// mask * column gradient added to each in grad_x. What is read for the dot products is also what a sample is made of.
pub struct CornerGradientsArgs<T> {
    pub positions: usize,
    /// At most MAX_SAMPLE_CHANNELS.
    pub channels: usize,
    pub corners: Corners<T>,
    /// Row r of the column gradient, `channels` elements, is at `gcol + r * gcol_stride`.
    pub gcol: *const T,
    pub gcol_stride: usize,
    /// The first of the channels in pixel 0 of an image with contiguous channels. NULL: no dot products are wanted.
    pub image: *const T,
    /// Elements from pixel to pixel.
    pub pixel_stride: usize,
    /// The four of each position. Those of corners outside the image are of no meaning.
    pub dots: *mut T,
    /// The first of the channels in pixel 0 of grad_x, channels contiguous. NULL: grad_x is not wanted.
    pub grad_image: *mut T,
    pub grad_pixel_stride: usize,
    /// `channels` values that take what belongs to corners outside the image.
    pub outside: *mut T,
    /// Rows like those of `gcol`, and the same ones if need be, for the samples. NULL: not wanted; else image and
    /// grad_image are.
    pub col: *mut T,
}

impl<T: Copy> CornerGradientsArgs<T> {
    /// The same for some of the positions.
    ///
    /// # Safety
    ///
    /// The positions exist.
    pub unsafe fn part(&self, first: usize, positions: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                positions,
                corners: self.corners.behind(first),
                gcol: self.gcol.add(first * self.gcol_stride),
                dots: self.dots.wrapping_add(4 * first),
                col: self.col.wrapping_add(if self.col.is_null() { 0 } else { first * self.gcol_stride }),
                ..*self
            }
        }
    }
}

/// Backward: gradients of one tap of one deformable group with respect to Δy, Δx and mask, from the corner dot
/// products.
pub struct OffsetGradientsArgs<T: Element> {
    /// Positions; all arrays but the mask have room for POSITION_PADDING - 1 more.
    pub positions: usize,
    pub corners: Corners<T::Compute>,
    /// The four of each position. Those of corners outside the image count as 0.
    pub dots: *const T::Compute,
    /// May be in the caller's tensor: nothing beyond the positions is read.
    pub mask: *const T,
    /// Three arrays, for Δy, Δx and mask, `to_stride` apart.
    pub to: *mut T::Compute,
    pub to_stride: usize,
    /// Add to what is there, instead of overwriting it.
    pub accumulate: bool,
}

/// Most taps that [`DepthwiseArgs`] name.
pub const MAX_DEPTHWISE_TAPS: usize = 16;

/// Depthwise: acc[positions][channels] = or += sum over taps of weight[taps][channels] *
/// sample[positions][taps][channels]. Weights and accumulators are in panels of the kernel's columns.
pub struct DepthwiseArgs<T> {
    pub positions: usize,
    /// At most MAX_SAMPLE_CHANNELS. If the first is not a panel's first column, the last is in the same panel.
    pub channels: usize,
    /// The corners of each tap.
    pub corners: *const Corners<T>,
    /// At most MAX_DEPTHWISE_TAPS.
    pub taps: usize,
    /// The first of the channels in pixel 0 of an image with contiguous channels.
    pub image: *const T,
    /// Elements from pixel to pixel.
    pub pixel_stride: usize,
    /// The first channel's weight of the first tap; a panel's taps are its columns apart. Of any alignment.
    pub weight: *const T,
    /// Elements from panel to panel.
    pub weight_stride: usize,
    /// The first channel's accumulator of the first position; a panel's positions are its columns apart.
    pub acc: *mut T,
    /// Elements from panel to panel.
    pub acc_stride: usize,
    /// Add to what is in acc, instead of overwriting it.
    pub accumulate: bool,
}

/// Most channels of [`DepthwiseGradientsArgs`].
pub const MAX_DEPTHWISE_CHANNELS: usize = 64;

/// Backward, depthwise: what follows from grad_y of some channels and the corners of their samples, for some taps: the
/// dot products of the column gradient, grad_y * weight, with the corners; weight * mask * column gradient added to
/// each corner in grad_x; sums over positions of grad_y * sample.
pub struct DepthwiseGradientsArgs<T> {
    /// At most 256, so that no chain of additions is longer.
    pub positions: usize,
    /// At most MAX_DEPTHWISE_CHANNELS.
    pub channels: usize,
    /// The corners of each tap.
    pub corners: *const Corners<T>,
    /// At most MAX_DEPTHWISE_TAPS.
    pub taps: usize,
    /// A row of channels for each position.
    pub grad_y: *const T,
    pub grad_y_stride: usize,
    /// A row of channels for each tap, of any alignment. Not read where neither dots nor grad_x are wanted.
    pub weight: *const T,
    pub weight_stride: usize,
    /// The first of the channels in pixel 0 of an image with contiguous channels. Not read where grad_x alone is
    /// wanted.
    pub image: *const T,
    /// Elements from pixel to pixel.
    pub pixel_stride: usize,
    /// The four of each position, `dots_stride` from tap to tap. Those of corners outside the image are of no meaning.
    /// NULL: not wanted.
    pub dots: *mut T,
    pub dots_stride: usize,
    /// The first of the channels in pixel 0 of grad_x, channels contiguous. NULL: grad_x is not wanted.
    pub grad_image: *mut T,
    pub grad_pixel_stride: usize,
    /// `channels` values that take what belongs to corners outside the image.
    pub outside: *mut T,
    /// A row of channels for each tap. NULL: not wanted.
    pub grad_weight: *mut T,
    pub grad_weight_stride: usize,
    /// Add to what is in grad_weight, instead of overwriting it.
    pub accumulate: bool,
}

impl<T> DepthwiseGradientsArgs<T> {
    /// The same for some of the taps.
    ///
    /// # Safety
    ///
    /// The taps exist.
    pub unsafe fn some_taps(&self, first: usize, taps: usize) -> Self {
        // SAFETY: the caller's promise; what is not wanted stays NULL.
        unsafe {
            Self {
                corners: self.corners.add(first),
                taps,
                weight: self.weight.add(first * self.weight_stride),
                dots: self.dots.wrapping_add(if self.dots.is_null() { 0 } else { first * self.dots_stride }),
                grad_weight: self.grad_weight.wrapping_add(if self.grad_weight.is_null() {
                    0
                } else {
                    first * self.grad_weight_stride
                }),
                ..*self
            }
        }
    }
}
