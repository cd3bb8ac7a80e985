//! Depthwise: one kernel makes the column gradient of some taps, and everything that follows from it, in registers.

use super::super::kernels::*;
use super::super::sampled::Made;
use super::super::sampler::{Columns, Sampler};
use super::super::tile::Tile;
use super::hits::{CHUNK, Together};
use super::weight::WeightUnit;
use super::{Run, columns, weight};
use crate::plan::band::BandPart;
use crate::plan::cuts::Segment;
use std::ptr::{null, null_mut};

impl<T: HasKernels> columns::Worker<'_, T> {
    /// A segment's channels for the taps of a band.
    pub(super) unsafe fn depthwise(&mut self, unit: usize, tile: Tile, segment: &Segment, part: &BandPart) {
        let (run, all) = (self.run, segment.columns(part.first_tap, part.taps));
        let weight_unit = run.sweeps().then(|| run.weight_unit(segment.number));
        // SAFETY: channels of grad_y, taps of the band, and what the scratch has for them.
        unsafe {
            run.copy_grad_y_pixels(tile, &all, self.grad_y);
            for (deformable_group, columns) in parts(&self.sampler, &all) {
                let Columns { first_channel, channels, .. } = columns;
                let group = run.plan.channels.group_of(first_channel);
                let together = Together { unit, group, deformable_group, first_channel, channels };
                let weights = self.weights.taps(&columns);
                let corners = self.sampler.corners_of_taps(deformable_group, &columns, |_| {});
                let grad_y = self.grad_y.add(first_channel - all.first_channel);
                let grad_pixels = run.grad_pixels(self.place.slot, first_channel);
                let args = DepthwiseGradientsArgs {
                    weight: weights.data,
                    weight_stride: weights.stride as usize,
                    dots: if run.tensors.wants_partial() { self.dots } else { null_mut() },
                    grad_image: grad_pixels.first.wrapping_add(first_channel),
                    grad_pixel_stride: grad_pixels.stride,
                    outside: self.outside,
                    ..run.depthwise_args((tile, self.place.slot), &columns, &corners, grad_y)
                };
                let args = match &weight_unit {
                    Some(weight_unit) => run.with_sums((weight_unit, self.place.sum), tile, &columns, args),
                    None => args,
                };
                self.scatter_taps(tile, together, &args);
                for (t, corners) in corners.iter().take(columns.taps).enumerate() {
                    if run.tensors.wants_partial() {
                        let dots = self.dots.add(t * args.dots_stride);
                        self.offset_gradients(together, columns.first_tap + t, tile, (corners, dots), part);
                    }
                }
            }
            if let Some(weight_unit) = weight_unit {
                run.carry_taps(&weight_unit, self.place.sum, tile, &all);
            }
        }
    }

    /// Runs the kernel: for all taps at once, but where grad_x's sums might become too long, chunk by chunk.
    unsafe fn scatter_taps(&self, tile: Tile, together: Together, args: &DepthwiseGradientsArgs<T::Compute>) {
        let (run, kernel) = (self.run, self.run.plan.kernels.depthwise_gradients);
        let none = null_mut();
        // SAFETY: the arguments describe a tile; chunks and taps are parts of them.
        unsafe {
            if run.tensors.grad_x.is_null() {
                return kernel(&DepthwiseGradientsArgs { grad_image: none, ..*args });
            }
            let mut first = 0;
            while first < args.taps {
                let corners = |tap: usize| &*args.corners.add(tap);
                let fits = |&tap: &usize| run.count_hits(self.place.slot, together, corners(tap), tile.positions);
                let taps = (first..args.taps).take_while(fits).count();
                kernel(&args.some_taps(first, taps));
                first += taps;
                if first == args.taps {
                    break;
                }
                let tap = args.some_taps(first, 1);
                kernel(&DepthwiseGradientsArgs { grad_image: none, ..tap });
                for start in (0..tile.positions).step_by(CHUNK) {
                    let positions = CHUNK.min(tile.positions - start);
                    let corners = corners(first).behind(start);
                    let grad_y = args.grad_y.add(start * args.grad_y_stride);
                    let (dots, grad_weight) = (none, none);
                    kernel(&DepthwiseGradientsArgs { positions, corners: &corners, grad_y, dots, grad_weight, ..tap });
                    run.count_chunk((self.place.n, self.place.slot), together, &corners, positions);
                }
                first += 1;
            }
        }
    }
}

impl<T: HasKernels> weight::Worker<'_, T> {
    /// A tile's part of a unit of grad_weight.
    pub(super) unsafe fn depthwise(&mut self, unit: &WeightUnit, tile: Tile, slot: usize) {
        let (run, all) = (self.run, &unit.columns);
        // SAFETY: channels of grad_y, taps of the unit.
        unsafe {
            run.copy_grad_y_pixels(tile, all, self.grad_y);
            for (deformable_group, columns) in parts(&self.sampler, all) {
                let corners = self.sampler.corners_of_taps(deformable_group, &columns, |_| {});
                let grad_y = self.grad_y.add(columns.first_channel - all.first_channel);
                let args = run.depthwise_args((tile, slot), &columns, &corners, grad_y);
                (run.plan.kernels.depthwise_gradients)(&run.with_sums((unit, slot), tile, &columns, args));
            }
            run.carry_taps(unit, slot, tile, all);
        }
    }
}

impl<T: HasKernels> Run<'_, T> {
    /// What the kernel is given for columns of one deformable group, as far as it does not depend on what is wanted.
    unsafe fn depthwise_args(
        &self,
        (tile, slot): (Tile, usize),
        columns: &Columns,
        corners: &[Corners<T::Compute>],
        grad_y: *const T::Compute,
    ) -> DepthwiseGradientsArgs<T::Compute> {
        // SAFETY: channels of the image.
        let (image, pixel_stride) = unsafe {
            let pixels = self.images.sampled(tile.n, slot, Made::Everything).pixels(columns.first_channel);
            (pixels.first.add(columns.first_channel), pixels.stride)
        };
        DepthwiseGradientsArgs {
            positions: tile.positions,
            channels: columns.channels,
            corners: corners.as_ptr(),
            taps: columns.taps,
            grad_y,
            grad_y_stride: self.plan.grad_y_stride(),
            weight: null(),
            weight_stride: 0,
            image,
            pixel_stride,
            dots: null_mut(),
            dots_stride: 4 * self.plan.scratch.sampler.stride,
            grad_image: null_mut(),
            grad_pixel_stride: 0,
            outside: null_mut(),
            grad_weight: null_mut(),
            grad_weight_stride: 0,
            accumulate: false,
        }
    }

    /// The same, which adds a tile's part to a unit of grad_weight.
    unsafe fn with_sums(
        &self,
        (unit, slot): (&WeightUnit, usize),
        tile: Tile,
        columns: &Columns,
        args: DepthwiseGradientsArgs<T::Compute>,
    ) -> DepthwiseGradientsArgs<T::Compute> {
        // SAFETY: columns of the unit.
        let grad_weight = unsafe { self.tap_sums(unit, slot, columns) };
        let (grad_weight_stride, accumulate) = (self.plan.weight.channels, self.continues_chain(tile));
        DepthwiseGradientsArgs { grad_weight, grad_weight_stride, accumulate, ..args }
    }
}

/// The columns, cut into what the kernel takes at a time, each with its deformable group.
fn parts<T: HasKernels>(sampler: &Sampler<T>, all: &Columns) -> impl Iterator<Item = (usize, Columns)> + use<T> {
    let (all, segments) = (*all, sampler.deformable_segments(all));
    segments.flat_map(move |(deformable_group, first_channel, channels)| {
        (0..all.taps).step_by(MAX_DEPTHWISE_TAPS).map(move |tap| {
            let (first_tap, taps) = (all.first_tap + tap, MAX_DEPTHWISE_TAPS.min(all.taps - tap));
            (deformable_group, Columns { first_tap, taps, first_channel, channels })
        })
    })
}
