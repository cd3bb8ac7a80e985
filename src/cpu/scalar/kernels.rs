//! The kernels as plain loops.

use super::{COLUMNS, ROWS};
use crate::cpu::element::{Compute, Element};
use crate::cpu::kernels::*;

/// # Safety
///
/// `a` describes memory as [`CoordinatesArgs`] says.
pub unsafe fn coordinates<T: Element>(a: &CoordinatesArgs<T>) -> Reach<T::Compute> {
    let (zero, one) = (T::Compute::ZERO, T::Compute::ONE);
    let (height, width) = (T::Compute::from_i64(a.height.into()), T::Compute::from_i64(a.width.into()));
    let mut reach = Reach { deepest: zero, highest: zero };
    for p in 0..a.positions {
        // SAFETY: p is a position of the tile.
        unsafe {
            let y = *a.base_y.add(p) + a.tap_y + (*a.offset_y.add(p)).to_compute();
            let x = *a.base_x.add(p) + a.tap_x + (*a.offset_x.add(p)).to_compute();
            let mask = (*a.mask.add(p)).to_compute();
            let in_range = -one < y && y < height && -one < x && x < width;
            if in_range && reach.deepest < y {
                reach.deepest = y;
            }
            if in_range && reach.highest < height - y {
                reach.highest = height - y;
            }
            let (y0, x0) = if in_range { (y.floor(), x.floor()) } else { (zero, zero) };
            let (ly, lx) = if in_range { (y - y0, x - x0) } else { (zero, zero) };
            let (hy, hx) = if in_range { (one - ly, one - lx) } else { (zero, zero) };
            if !a.corners.fraction.is_null() {
                for (k, value) in [ly, lx, if in_range { one } else { zero }].into_iter().enumerate() {
                    *a.corners.fraction.add(k * a.corners.stride + p) = value;
                }
            }
            let weights = [hy * hx * mask, hy * lx * mask, ly * hx * mask, ly * lx * mask];
            let (y0, x0) = (y0.to_i64() as i32, x0.to_i64() as i32);
            for (corner, weight) in weights.into_iter().enumerate() {
                let (y, x) = (y0 + corner as i32 / 2, x0 + corner as i32 % 2);
                let inside = in_range && 0 <= y && y < a.height && 0 <= x && x < a.width;
                *a.corners.index.add(corner * a.corners.stride + p) = if inside { y * a.width + x } else { -1 };
                *a.corners.weight.add(corner * a.corners.stride + p) = weight;
            }
        }
    }
    reach
}

/// # Safety
///
/// `a` describes memory as [`SampleArgs`] says.
pub unsafe fn sample<T: Compute>(a: &SampleArgs<T>) {
    for p in 0..a.positions {
        for c in 0..a.channels {
            // SAFETY: c is a channel of the image, p a row of the im2col tile.
            unsafe { *a.col.add(p * a.col_stride + c) = blend(&a.corners, p, a.image.add(c), a.pixel_stride) };
        }
    }
}

/// The sample of one channel at position `p`; the channel's pixel 0 is at `image`.
pub(super) unsafe fn blend<T: Compute>(corners: &Corners<T>, p: usize, image: *const T, pixel_stride: usize) -> T {
    let mut sum = T::ZERO;
    for corner in 0..4 {
        // SAFETY: p is a position of the tile, an index that is not negative is a pixel of the image.
        unsafe {
            let index = *corners.index.add(corner * corners.stride + p);
            let weight = *corners.weight.add(corner * corners.stride + p);
            let value = if index < 0 { T::ZERO } else { *image.add(index as usize * pixel_stride) };
            sum += weight * value;
        }
    }
    sum
}

/// # Safety
///
/// `a` describes memory as [`MultiplyArgs`] says.
pub unsafe fn multiply<T: Compute, const TRANSPOSED: bool>(a: &MultiplyArgs<T>) {
    let (row_stride, depth_stride) = if TRANSPOSED { (1, a.left_stride) } else { (a.left_stride, 1) };
    for first in (0..a.rows).step_by(ROWS) {
        let rows = ROWS.min(a.rows - first);
        let mut sums = [[T::ZERO; COLUMNS]; ROWS];
        for k in 0..a.depth {
            for (r, sums) in sums.iter_mut().enumerate().take(rows) {
                for (column, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: first + r is a row, k is within the depth, column within the panel.
                    unsafe {
                        let right = a.right.add(k * a.right_stride + column).read_unaligned();
                        *sum += *a.left.add((first + r) * row_stride + k * depth_stride) * right;
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate().take(rows) {
            for (column, sum) in sums.iter().enumerate() {
                // SAFETY: first + r is a row, column within the panel.
                unsafe {
                    let acc = a.acc.add((first + r) * a.acc_stride + column);
                    *acc = if a.accumulate { *acc + *sum } else { *sum };
                }
            }
        }
    }
}

/// To planes, or to pixels.
///
/// # Safety
///
/// `a` describes memory as [`StoreArgs`] says.
pub unsafe fn store<T: Element, const PIXELS: bool>(a: &StoreArgs<T>) {
    let (position_stride, column_stride) = if PIXELS { (a.stride, 1) } else { (1, a.stride) };
    for column in 0..a.columns {
        for p in 0..a.positions {
            // SAFETY: column is an output channel of the panel, p a position of the tile.
            unsafe {
                let value = *a.acc.add(p * COLUMNS + column) + *a.bias.add(column);
                let to = a.y.offset(column as isize * column_stride + p as isize * position_stride);
                *to = T::from_compute(value.canonical());
            }
        }
    }
}

/// # Safety
///
/// `a` describes memory as [`CopyArgs`] says.
pub unsafe fn widen<T: Element, const TRANSPOSED: bool>(a: &CopyArgs<T, T::Compute>) {
    // SAFETY: the caller's promise.
    unsafe { copy::<_, _, TRANSPOSED>(a, T::to_compute) }
}

/// # Safety
///
/// `a` describes memory as [`CopyArgs`] says.
pub unsafe fn narrow<T: Element, const TRANSPOSED: bool>(a: &CopyArgs<T::Compute, T>) {
    // SAFETY: the caller's promise.
    unsafe { copy::<_, _, TRANSPOSED>(a, |value| T::from_compute(value.canonical())) }
}

unsafe fn copy<From: Copy, To, const TRANSPOSED: bool>(a: &CopyArgs<From, To>, convert: impl Fn(From) -> To) {
    let (row_stride, column_stride) = if TRANSPOSED { (1, a.to.stride) } else { (a.to.stride, 1) };
    for row in 0..a.rows as isize {
        for column in 0..a.columns as isize {
            // SAFETY: a row and a column of the matrices.
            unsafe {
                let from = *a.from.data.offset(row * a.from.stride + column);
                *a.to.data.offset(row * row_stride + column * column_stride) = convert(from);
            }
        }
    }
}

/// # Safety
///
/// `a` describes memory as [`DepthwiseArgs`] says.
pub unsafe fn depthwise<T: Compute>(a: &DepthwiseArgs<T>) {
    for p in 0..a.positions {
        for c in 0..a.channels {
            let (panel, column) = (c / COLUMNS, c % COLUMNS);
            let mut sum = T::ZERO;
            for tap in 0..a.taps {
                // SAFETY: tap and channel have a weight.
                unsafe {
                    let weight = a.weight.add(panel * a.weight_stride + tap * COLUMNS + column);
                    sum += weight.read_unaligned() * blend(&*a.corners.add(tap), p, a.image.add(c), a.pixel_stride);
                }
            }
            // SAFETY: position and channel have an accumulator.
            unsafe {
                let acc = a.acc.add(panel * a.acc_stride + p * COLUMNS + column);
                *acc = if a.accumulate { *acc + sum } else { sum };
            }
        }
    }
}
