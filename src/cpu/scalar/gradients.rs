//! The kernels of the backward pass as plain loops.

use super::kernels::blend;
use crate::cpu::element::{Compute, Element};
use crate::cpu::kernels::*;

/// # Safety
///
/// `a` describes memory as [`CornerGradientsArgs`] says.
pub unsafe fn corner_gradients<T: Compute>(a: &CornerGradientsArgs<T>) {
    for p in 0..a.positions {
        // A sample is not written before all corners have read the column gradient: it may take its place.
        for corner in 0..4 {
            // SAFETY: p is a position of the tile, an index that is not negative is a pixel of the image.
            unsafe {
                let index = *a.corners.index.add(corner * a.corners.stride + p);
                if index < 0 {
                    continue;
                }
                let gcol = a.gcol.add(p * a.gcol_stride);
                if !a.image.is_null() {
                    let image = a.image.add(index as usize * a.pixel_stride);
                    let mut sum = T::ZERO;
                    (0..a.channels).for_each(|c| sum += *gcol.add(c) * *image.add(c));
                    *a.dots.add(4 * p + corner) = sum;
                }
                if !a.grad_image.is_null() {
                    let weight = *a.corners.weight.add(corner * a.corners.stride + p);
                    let grad_image = a.grad_image.add(index as usize * a.grad_pixel_stride);
                    (0..a.channels).for_each(|c| *grad_image.add(c) += weight * *gcol.add(c));
                }
            }
        }
        for c in 0..if a.col.is_null() { 0 } else { a.channels } {
            // SAFETY: c is a channel of the image, p a row of the im2col tile.
            unsafe { *a.col.add(p * a.gcol_stride + c) = blend(&a.corners, p, a.image.add(c), a.pixel_stride) };
        }
    }
}

/// # Safety
///
/// `a` describes memory as [`OffsetGradientsArgs`] says.
pub unsafe fn offset_gradients<T: Element>(a: &OffsetGradientsArgs<T>) {
    let (zero, one) = (T::Compute::ZERO, T::Compute::ONE);
    for p in 0..a.positions {
        // SAFETY: p is a position of the tile.
        unsafe {
            let dot = |k: usize| match *a.corners.index.add(k * a.corners.stride + p) {
                ..0 => zero,
                _ => *a.dots.add(4 * p + k),
            };
            let fraction = |k: usize| *a.corners.fraction.add(k * a.corners.stride + p);
            let (ly, lx, in_range) = (fraction(0), fraction(1), zero < fraction(2));
            let (hy, hx) = (one - ly, one - lx);
            let by_y = hx * (dot(2) - dot(0)) + lx * (dot(3) - dot(1));
            let by_x = hy * (dot(1) - dot(0)) + ly * (dot(3) - dot(2));
            let value = hy * (hx * dot(0) + lx * dot(1)) + ly * (hx * dot(2) + lx * dot(3));
            let mask = (*a.mask.add(p)).to_compute();
            for (k, gradient) in [mask * by_y, mask * by_x, value].into_iter().enumerate() {
                let gradient = if in_range { gradient } else { zero };
                let to = a.to.add(k * a.to_stride + p);
                *to = if a.accumulate { *to + gradient } else { gradient };
            }
        }
    }
}

/// # Safety
///
/// `a` describes memory as [`DepthwiseGradientsArgs`] says.
pub unsafe fn depthwise_gradients<T: Compute>(a: &DepthwiseGradientsArgs<T>) {
    for tap in 0..a.taps {
        // SAFETY: a tap, and its rows of weights, dots and grad_weight.
        unsafe {
            let corners = &*a.corners.add(tap);
            let gcol = |p: usize, c: usize| {
                *a.grad_y.add(p * a.grad_y_stride + c) * a.weight.add(tap * a.weight_stride + c).read_unaligned()
            };
            for (p, k) in (0..a.positions).flat_map(|p| (0..4).map(move |k| (p, k))) {
                let index = *corners.index.add(k * corners.stride + p);
                if index < 0 {
                    continue;
                }
                if !a.dots.is_null() {
                    let image = a.image.add(index as usize * a.pixel_stride);
                    let mut sum = T::ZERO;
                    (0..a.channels).for_each(|c| sum += gcol(p, c) * *image.add(c));
                    *a.dots.add(tap * a.dots_stride + 4 * p + k) = sum;
                }
                if !a.grad_image.is_null() {
                    let weight = *corners.weight.add(k * corners.stride + p);
                    let grad_image = a.grad_image.add(index as usize * a.grad_pixel_stride);
                    (0..a.channels).for_each(|c| *grad_image.add(c) += weight * gcol(p, c));
                }
            }
            for c in 0..if a.grad_weight.is_null() { 0 } else { a.channels } {
                let mut sum = T::ZERO;
                for p in 0..a.positions {
                    sum += *a.grad_y.add(p * a.grad_y_stride + c) * blend(corners, p, a.image.add(c), a.pixel_stride);
                }
                let to = a.grad_weight.add(tap * a.grad_weight_stride + c);
                *to = if a.accumulate { *to + sum } else { sum };
            }
        }
    }
}
