//! grad_weight: for each unit of rows (output channels) and columns (taps and channels), grad_y^T * im2col tile, added up
//! over tiles of positions in order.

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

impl<T: HasKernels> Run<'_, T> {
    /// Adds the part of the images in flight to a unit's accumulators.
    pub(super) unsafe fn add_to_weight(&self, worker: usize, unit: usize, images: Range<usize>) {
        // SAFETY: each unit has its own accumulators.
        unsafe {
            let mut worker = Worker::new(self, worker);
            let unit = self.weight_unit(unit);
            images.enumerate().for_each(|(slot, n)| worker.image(&unit, n, slot));
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

    /// A unit's accumulators; those of a band are kept at a time.
    unsafe fn weight_acc(&self, level: usize, number: usize) -> *mut T::Compute {
        let cut = &self.plan.weight;
        // SAFETY: level and unit exist.
        unsafe {
            let all = self.workspace.add(self.plan.workspace.grad_weight).cast::<T::Compute>();
            all.add((number % self.plan.weight_band * cut.levels + level) * cut.unit_len())
        }
    }

    /// Writes some units of grad_weight, if it is wanted; 0 where there was no image.
    pub(super) unsafe fn finish_weight(&self, units: &Range<usize>, team: &Team) -> Result<()> {
        if self.tensors.grad_weight.is_null() {
            return Ok(());
        }
        share(team, self.plan.workers, units.len(), &|_, unit| {
            // SAFETY: each unit has its own elements.
            unsafe { self.write_weight(&self.weight_unit(units.start + unit)) };
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
                let data = self.weight_acc(cut.levels - 1, unit.number).add(r * cut.padded_width()).cast_const();
                self.write_taps(unit, Some(Matrix { data, stride: tap_width as isize }), to);
            }
        }
    }

    /// Writes the taps and channels of a row of a unit to `to`, where the first of its channels begins. `from`: a row for
    /// each tap, or zeros.
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
                clear::<T::Compute>(col, plan.weight.depth * plan.col_stride());
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
        for first in (0..all).step_by(plan.weight.depth) {
            let positions = plan.weight.depth.min(all - first);
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
                run.add_tile(unit, tile, &grad_y, col);
            }
        }
    }
}

impl<T: HasKernels> Run<'_, T> {
    /// Adds a tile's part to a unit, from its im2col tile and its part of grad_y. Tiles come in order.
    pub(super) unsafe fn add_tile(
        &self,
        unit: &WeightUnit,
        tile: Tile,
        grad_y: &GradY<T::Compute>,
        col: Matrix<*const T::Compute>,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            self.multiply_columns(unit, tile, grad_y, col);
            self.carry(unit, tile, 0..unit.rows * self.plan.weight.padded_width());
        }
    }

    /// Depthwise: the first level of accumulators of some columns of a unit: a row of its channels for each tap.
    pub(super) unsafe fn tap_sums(&self, unit: &WeightUnit, columns: &Columns) -> *mut T::Compute {
        let tap = columns.first_tap - unit.columns.first_tap;
        let channel = columns.first_channel - unit.columns.first_channel;
        // SAFETY: the unit has the columns.
        unsafe { self.weight_acc(0, unit.number).add(tap * self.plan.weight.channels + channel) }
    }

    /// Depthwise: after a tile, as [`Run::carry`], for some taps.
    pub(super) unsafe fn carry_taps(&self, unit: &WeightUnit, tile: Tile, columns: &Columns) {
        let first = (columns.first_tap - unit.columns.first_tap) * self.plan.weight.channels;
        // SAFETY: the unit has the columns.
        unsafe { self.carry(unit, tile, first..first + columns.taps * self.plan.weight.channels) };
    }

    /// The number of a tile among all that a unit sums up.
    fn weight_tile(&self, tile: Tile) -> usize {
        tile.n * self.weight_tiles() + tile.first / self.plan.weight.depth
    }

    /// Tiles of an image.
    fn weight_tiles(&self) -> usize {
        (self.plan.problem.geometry.positions() as usize).div_ceil(self.plan.weight.depth)
    }

    /// Whether a tile is added to what is in the first level of accumulators.
    pub(super) fn continues_chain(&self, tile: Tile) -> bool {
        !self.weight_tile(tile).is_multiple_of(MAX_CHAIN)
    }

    /// acc[rows][columns] += grad_y^T[rows][positions] * col[positions][columns].
    unsafe fn multiply_columns(
        &self,
        unit: &WeightUnit,
        tile: Tile,
        grad_y: &GradY<T::Compute>,
        col: Matrix<*const T::Compute>,
    ) {
        let (plan, width) = (self.plan, self.plan.kernels.columns);
        // SAFETY: rows of grad_y, panels of the im2col tile and of the unit's accumulators.
        unsafe {
            let acc = self.weight_acc(0, unit.number);
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
    unsafe fn carry(&self, unit: &WeightUnit, tile: Tile, some: Range<usize>) {
        let number = self.weight_tile(tile);
        let last = number + 1 == self.weight_tiles() * self.plan.problem.geometry.n as usize;
        if self.plan.weight.levels == 1 || !(last || (number + 1).is_multiple_of(MAX_CHAIN)) {
            return;
        }
        let add = number >= MAX_CHAIN;
        // SAFETY: both levels exist.
        unsafe {
            let (from, to) = (self.weight_acc(0, unit.number), self.weight_acc(1, unit.number));
            for i in some {
                *to.add(i) = if add { *to.add(i) + *from.add(i) } else { *from.add(i) };
            }
        }
    }
}
