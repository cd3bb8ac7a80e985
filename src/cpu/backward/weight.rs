//! grad_weight: for each unit of rows (output channels) and columns (taps and channels), grad_y^T * im2col tile, added
//! up over tiles of positions in order.

use super::super::kernels::*;
use super::super::sampled::Made;
use super::super::sampler::{Columns, Sampler};
use super::super::share::share;
use super::super::tile::Tile;
use super::grad_y::GradY;
use super::outputs::at;
use super::{Run, clear, store};
use crate::abi::*;
use crate::cpu::element::Compute;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::cuts::WeightSum;
use crate::plan::maps::flat_stride;
use crate::plan::tiling::MAX_CHAIN;
use std::ops::Range;
use std::ptr::null;

/// A unit's rows and columns.
pub(super) struct WeightUnit {
    number: usize,
    first_output: usize,
    rows: usize,
    pub columns: Columns,
}

/// Some accumulators of a unit: those that a sum is made in. What is behind the columns of a unit that is smaller than
/// others nobody writes.
struct Sums {
    /// Output channels of the unit, or, depthwise, its taps.
    rows: Range<usize>,
    columns: usize,
    /// Elements from row to row.
    stride: usize,
}

impl<T: HasKernels> Run<'_, T> {
    /// Adds the part of images in flight, the first of which is `first`, to a unit's accumulators.
    pub(super) unsafe fn add_to_weight(&self, worker: usize, unit: usize, first: usize, slots: Range<usize>) {
        // SAFETY: each unit has its own accumulators, and each slot where images have sums of their own.
        unsafe {
            let mut worker = Worker::new(self, worker);
            let unit = self.weight_unit(unit);
            slots.for_each(|slot| worker.image(&unit, first + slot, slot));
        }
    }

    /// Adds the sums of some images up, if grad_weight is wanted and they have their own.
    pub(super) unsafe fn add_image_sums(&self, images: &Range<usize>, units: &Range<usize>, team: &Team) -> Result<()> {
        let by_image = self.plan.weight.sum.by_image && !self.tensors.grad_weight.is_null();
        share(team, self.plan.workers, if by_image { units.len() } else { 0 }, &|_, unit| {
            // SAFETY: each unit has its own accumulators.
            unsafe { self.add_sums(images, units.start + unit) };
        })
    }

    /// Adds the sums of some images up for a unit, where they have their own, in the order of images.
    unsafe fn add_sums(&self, images: &Range<usize>, number: usize) {
        let cut = &self.plan.weight;
        if !cut.sum.by_image {
            return;
        }
        let sums = self.sums_of(&self.weight_unit(number));
        for (slot, n) in images.clone().enumerate() {
            // SAFETY: the caller names a unit; the sums of the images are complete.
            unsafe {
                let (from, to) = (self.weight_acc(slot, cut.levels - 1, number), self.weight_total(number));
                add_level(from, to, &sums, n > 0);
            }
        }
    }

    pub(super) fn weight_unit(&self, number: usize) -> WeightUnit {
        let (g, cut) = (&self.plan.problem.geometry, &self.plan.weight);
        let unit = cut.unit(number);
        let first_tap = unit.tap_block * cut.taps;
        let first_channel = unit.channel_block * cut.channels;
        let taps = cut.taps.min(g.taps() as usize - first_tap);
        if self.plan.depthwise {
            let channels = cut.channels.min(g.c as usize - first_channel);
            let columns = Columns { first_tap, taps, first_channel, channels };
            return WeightUnit { number, first_output: first_channel, rows: 1, columns };
        }
        let (outputs, channels) = (g.outputs_per_group() as usize, g.channels_per_group() as usize);
        let first_row = unit.row_block * cut.rows;
        WeightUnit {
            number,
            first_output: unit.group * outputs + first_row,
            rows: cut.rows.min(outputs - first_row),
            columns: Columns {
                first_tap,
                taps,
                first_channel: unit.group * channels + first_channel,
                channels: cut.channels.min(channels - first_channel),
            },
        }
    }

    /// A unit's accumulators: where images have sums of their own, those of the sum in `slot`. Those of a band of units
    /// are kept at a time.
    unsafe fn weight_acc(&self, slot: usize, level: usize, number: usize) -> *mut T::Compute {
        let (cut, band) = (&self.plan.weight, self.plan.weight_band);
        let slot = if cut.sum.by_image { slot } else { 0 };
        // SAFETY: slot, level and unit exist.
        unsafe {
            let all = self.workspace.add(self.plan.workspace.grad_weight).cast::<T::Compute>();
            all.add(slot * cut.acc_len(band) + (number % band * cut.levels + level) * cut.unit_len())
        }
    }

    /// What a unit's sums are in when all images are done.
    unsafe fn weight_total(&self, number: usize) -> *mut T::Compute {
        let (plan, cut) = (self.plan, &self.plan.weight);
        // SAFETY: the unit exists; where images have their own sums, the totals are behind those of all slots.
        unsafe {
            if cut.sum.by_image {
                let sums = self.weight_acc(0, 0, 0).add(plan.image_sums * cut.acc_len(plan.weight_band));
                sums.add(number % plan.weight_band * cut.unit_len())
            } else {
                self.weight_acc(0, cut.levels - 1, number)
            }
        }
    }

    /// Adds up the sums of the last images and writes some units of grad_weight, if it is wanted; 0 where there was no
    /// image.
    pub(super) unsafe fn finish_weight(&self, last: &Range<usize>, units: &Range<usize>, team: &Team) -> Result<()> {
        if self.tensors.grad_weight.is_null() {
            return Ok(());
        }
        share(team, self.plan.workers, units.len(), &|_, unit| {
            // SAFETY: each unit has its own accumulators and elements.
            unsafe {
                self.add_sums(last, units.start + unit);
                self.write_weight(&self.weight_unit(units.start + unit));
            }
        })
    }

    unsafe fn write_weight(&self, unit: &WeightUnit) {
        let (g, cut, tensor) = (&self.plan.problem.geometry, &self.plan.weight, &self.plan.problem.grad_weight);
        let per_group = g.channels_per_group() as usize;
        let Columns { first_channel, channels, .. } = unit.columns;
        let tap_width = if self.plan.depthwise { cut.channels } else { channels };
        for r in 0..unit.rows {
            // SAFETY: elements of the accumulators and of the gradient; without images there are no accumulators.
            unsafe {
                let to = self
                    .tensors
                    .grad_weight
                    .offset(at(tensor, [unit.first_output + r, first_channel % per_group, 0, 0]));
                if g.n == 0 {
                    self.write_taps(unit, None, to);
                    continue;
                }
                let data = self.weight_total(unit.number).add(r * cut.padded_width()).cast_const();
                self.write_taps(unit, Some(Matrix { data, stride: tap_width as isize }), to);
            }
        }
    }

    /// Writes the taps and channels of a row of a unit to `to`, where the first of its channels begins. `from`: a row
    /// for each tap, or zeros.
    unsafe fn write_taps(&self, unit: &WeightUnit, from: Option<Matrix<*const T::Compute>>, to: *mut T) {
        let (tensor, kernel_w) = (&self.plan.problem.grad_weight, self.plan.problem.geometry.kernel_w as usize);
        let Columns { first_tap, taps, channels, .. } = unit.columns;
        let [so, sc, si, sj, _] = tensor.strides.map(|stride| stride as isize);
        // Depthwise, a channel is an output channel of its own.
        let stride = if self.plan.depthwise { so } else { sc };
        let tap_at = |tap: usize| (tap / kernel_w) as isize * si + (tap % kernel_w) as isize * sj;
        let add = self.tensors.adds_to(DCN_GRAD_WEIGHT);
        let are_neighbours =
            flat_stride([tensor.dims[2], tensor.dims[3]], [tensor.strides[2], tensor.strides[3]]) == Some(1);
        // SAFETY: the caller's promise.
        unsafe {
            let write = |rows: usize, tap: usize, from: Matrix<*const T::Compute>| {
                let from = Matrix { data: from.data.offset(tap as isize * from.stride), ..from };
                let to = Matrix { data: to.offset(tap_at(first_tap + tap)), stride };
                (self.plan.kernels.pixels_to_planes)(&CopyArgs { rows, columns: channels, from, to });
            };
            match from {
                Some(from) if !add && are_neighbours => write(taps, 0, from),
                Some(from) if !add => (0..taps).for_each(|tap| write(1, tap, from)),
                _ => {
                    for tap in 0..taps {
                        let to = to.offset(tap_at(first_tap + tap));
                        for c in 0..channels {
                            let value =
                                |from: Matrix<*const T::Compute>| *from.data.offset(tap as isize * from.stride).add(c);
                            store(from.map_or(T::Compute::ZERO, value), to.offset(c as isize * stride), add);
                        }
                    }
                }
            }
        }
    }
}

/// One thread's part of grad_weight.
pub(super) struct Worker<'a, T: HasKernels> {
    pub run: &'a Run<'a, T>,
    pub sampler: Sampler<'a, T>,
    pub grad_y: *mut T::Compute,
    col: *mut T::Compute,
}

impl<'a, T: HasKernels> Worker<'a, T> {
    unsafe fn new(run: &'a Run<'a, T>, worker: usize) -> Self {
        let (plan, map) = (run.plan, &run.plan.scratch);
        // SAFETY: the scratch is this worker's alone.
        unsafe {
            let scratch = run.scratch(worker);
            let col = scratch.add(map.col).cast();
            // The micro-kernel reads whole panels: what is beyond the last column must be a value, whichever.
            if !plan.depthwise {
                clear::<T::Compute>(col, plan.weight.sum.depth * plan.col_stride());
            }
            let sampler = Sampler::new(run.sampler_input(), &map.sampler, scratch);
            Self { run, sampler, grad_y: scratch.add(map.grad_y).cast(), col }
        }
    }

    /// Adds an image's part to a unit.
    unsafe fn image(&mut self, unit: &WeightUnit, n: usize, slot: usize) {
        let (run, plan) = (self.run, self.run.plan);
        let all = plan.problem.geometry.positions() as usize;
        let stride = plan.col_stride();
        for first in (0..all).step_by(plan.weight.sum.depth) {
            let positions = plan.weight.sum.depth.min(all - first);
            let tile = Tile::new(n, first, positions, plan.problem.geometry.out_w as usize);
            // SAFETY: the tile exists; `slot` holds the image's copy.
            unsafe {
                self.sampler.place(tile);
                if plan.depthwise {
                    self.depthwise(unit, tile, slot);
                    continue;
                }
                let mut image = run.images.sampled(n, slot, Made::Everything);
                let col = Matrix { data: self.col.cast_const(), stride: stride as isize };
                self.sampler.sample(&mut image, &unit.columns, self.col, stride);
                let grad_y = run.copy_grad_y(tile, unit.first_output, unit.rows, self.grad_y);
                run.add_tile(unit, slot, tile, &grad_y, col);
            }
        }
    }
}

impl<T: HasKernels> Run<'_, T> {
    /// Adds the part of a tile to a unit's sum in `slot`, from its im2col tile and its part of grad_y. Tiles come in
    /// order.
    pub(super) unsafe fn add_tile(
        &self,
        unit: &WeightUnit,
        slot: usize,
        tile: Tile,
        grad_y: &GradY<T::Compute>,
        col: Matrix<*const T::Compute>,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            self.multiply_columns(unit, slot, tile, grad_y, col);
            self.carry(unit, slot, tile, &self.sums_of(unit));
        }
    }

    /// Depthwise: the first level of accumulators of some columns of a unit: a row of its channels for each tap.
    pub(super) unsafe fn tap_sums(&self, unit: &WeightUnit, slot: usize, columns: &Columns) -> *mut T::Compute {
        let tap = columns.first_tap - unit.columns.first_tap;
        let channel = columns.first_channel - unit.columns.first_channel;
        // SAFETY: the unit has the columns.
        unsafe { self.weight_acc(slot, 0, unit.number).add(tap * self.plan.weight.channels + channel) }
    }

    /// Depthwise: after a tile, as [`Run::carry`], for some taps.
    pub(super) unsafe fn carry_taps(&self, unit: &WeightUnit, slot: usize, tile: Tile, columns: &Columns) {
        let first = columns.first_tap - unit.columns.first_tap;
        let sums = Sums { rows: first..first + columns.taps, ..self.sums_of(unit) };
        // SAFETY: the unit has the columns.
        unsafe { self.carry(unit, slot, tile, &sums) };
    }

    /// All sums of a unit.
    fn sums_of(&self, unit: &WeightUnit) -> Sums {
        let (cut, Columns { taps, channels, .. }) = (&self.plan.weight, unit.columns);
        if self.plan.depthwise {
            Sums { rows: 0..taps, columns: channels, stride: cut.channels }
        } else {
            Sums { rows: 0..unit.rows, columns: taps * channels, stride: cut.padded_width() }
        }
    }

    /// The number of a tile among all that a sum of a unit has.
    fn weight_tile(&self, tile: Tile) -> usize {
        let WeightSum { depth, by_image } = self.plan.weight.sum;
        let before = if by_image { 0 } else { tile.n * self.weight_tiles() };
        before + tile.first / depth
    }

    /// Tiles of an image.
    fn weight_tiles(&self) -> usize {
        (self.plan.problem.geometry.positions() as usize).div_ceil(self.plan.weight.sum.depth)
    }

    /// Whether a tile is added to what is in the first level of accumulators.
    pub(super) fn continues_chain(&self, tile: Tile) -> bool {
        !self.weight_tile(tile).is_multiple_of(MAX_CHAIN)
    }

    /// acc[rows][columns] += grad_y^T[rows][positions] * col[positions][columns].
    unsafe fn multiply_columns(
        &self,
        unit: &WeightUnit,
        slot: usize,
        tile: Tile,
        grad_y: &GradY<T::Compute>,
        col: Matrix<*const T::Compute>,
    ) {
        let (plan, width) = (self.plan, self.plan.kernels.columns);
        // SAFETY: rows of grad_y, panels of the im2col tile and of the unit's accumulators.
        unsafe {
            let acc = self.weight_acc(slot, 0, unit.number);
            for panel in 0..(unit.columns.taps * unit.columns.channels).div_ceil(width) {
                grad_y.multiply_transposed(plan.kernels)(&MultiplyArgs {
                    rows: unit.rows,
                    depth: tile.positions,
                    left: grad_y.data,
                    left_stride: grad_y.stride,
                    right: col.data.add(panel * width),
                    right_stride: col.stride as usize,
                    acc: acc.add(panel * width),
                    acc_stride: plan.weight.padded_width(),
                    accumulate: self.continues_chain(tile),
                    next: null(),
                });
            }
        }
    }

    /// After a tile: adds some accumulators of the first level into the second, if their chain is full or ends.
    unsafe fn carry(&self, unit: &WeightUnit, slot: usize, tile: Tile, some: &Sums) {
        let number = self.weight_tile(tile);
        let images = if self.plan.weight.sum.by_image { 1 } else { self.plan.problem.geometry.n as usize };
        let last = number + 1 == self.weight_tiles() * images;
        if self.plan.weight.levels == 1 || !(last || (number + 1).is_multiple_of(MAX_CHAIN)) {
            return;
        }
        // SAFETY: both levels exist.
        unsafe {
            let level = |level| self.weight_acc(slot, level, unit.number);
            add_level(level(0), level(1), some, number >= MAX_CHAIN);
        }
    }
}

/// Adds some accumulators to those of the next level, or copies them there.
///
/// # Safety
///
/// Both levels have them.
unsafe fn add_level<C: Compute>(from: *const C, to: *mut C, some: &Sums, add: bool) {
    for row in some.rows.clone() {
        // SAFETY: the caller's promise.
        unsafe {
            let (from, to) = (from.add(row * some.stride), to.add(row * some.stride));
            for i in 0..some.columns {
                *to.add(i) = if add { *to.add(i) + *from.add(i) } else { *from.add(i) };
            }
        }
    }
}
