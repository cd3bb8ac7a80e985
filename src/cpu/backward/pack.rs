//! Weights in the order in which the column gradient's micro-kernel reads them: [segment][tap block][output
//! block][panel][output channel][column], where a column is a tap and a channel. Depthwise: [tap][channel].
//!
//! Where the workspace has no room for all of them, each thread packs what it needs: a unit's, or, where that is too
//! much as well, an output block's.

use super::super::element::Compute;
use super::super::kernels::{HasKernels, Matrix};
use super::super::sampler::Columns;
use super::super::share::share;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::backward::{BackwardPlan, Packing};
use crate::plan::band::BandPart;
use crate::plan::cuts::{COLUMNS, Segment};
use crate::plan::tiling::MAX_CHAIN;
use std::ops::Range;

/// Output channels that are packed together: few enough for what is read of them to stay in the first-level cache.
const OUTPUTS: usize = 8;
/// Most columns of a segment and a block of taps, rounded up to panels.
const MAX_COLUMNS: usize = COLUMNS + 32;

/// The weights of a run.
struct Pack<'a, T: HasKernels> {
    plan: &'a BackwardPlan<T>,
    weight: *const T,
    to: *mut T::Compute,
}

// SAFETY: the parts that units pack are disjoint.
unsafe impl<T: HasKernels> Sync for Pack<'_, T> {}

/// Packs the weights of all groups.
///
/// # Safety
///
/// `weight` covers the weights of the plan's problem, `to` has room for its packed weights, of any alignment.
pub unsafe fn pack<T: HasKernels>(
    plan: &BackwardPlan<T>,
    weight: *const T,
    to: *mut T::Compute,
    team: &Team,
) -> Result<()> {
    let (job, cut) = (Pack { plan, weight, to }, &plan.channels);
    if plan.depthwise {
        let channels = plan.problem.geometry.c as usize;
        return share(team, plan.workers, cut.taps, &|_, tap| {
            // SAFETY: each unit is a tap of its own.
            unsafe { job.tap(tap, 0..channels, job.to.add(tap * channels)) };
        });
    }
    share(team, plan.workers, cut.units() * cut.tap_blocks(), &|_, unit| {
        let tap_block = unit % cut.tap_blocks();
        for segment in cut.segments(unit / cut.tap_blocks()) {
            // SAFETY: each unit has its own segments and block of taps.
            unsafe { job.block(&segment, tap_block, job.to.add(cut.packed_offset(&segment, tap_block))) };
        }
    })
}

impl<T: HasKernels> Pack<'_, T> {
    /// Depthwise: some channels of a tap.
    unsafe fn tap(&self, tap: usize, channels: Range<usize>, to: *mut T::Compute) {
        let g = &self.plan.problem.geometry;
        let [so, _, si, sj, _] = self.plan.problem.weight.strides.map(|stride| stride as isize);
        let (i, j) = ((tap as i64 / g.kernel_w) as isize, (tap as i64 % g.kernel_w) as isize);
        for (place, channel) in channels.enumerate() {
            // SAFETY: an element of the weights and of the packed ones.
            unsafe {
                let value = *self.weight.offset(channel as isize * so + i * si + j * sj);
                to.add(place).write_unaligned(value.to_compute());
            }
        }
    }

    /// One segment and block of taps.
    unsafe fn block(&self, segment: &Segment, tap_block: usize, to: *mut T::Compute) {
        let cut = &self.plan.channels;
        let width = cut.panels_of(segment, tap_block) * self.plan.kernels.columns;
        // SAFETY: blocks of outputs follow each other in the block.
        unsafe {
            for first in (0..cut.outputs).step_by(MAX_CHAIN) {
                let outputs = MAX_CHAIN.min(cut.outputs - first);
                self.outputs(segment, tap_block, first..first + outputs, to.add(first * width));
            }
            // The rest of a short block, so that equal weights are packed to equal bytes.
            for rest in cut.outputs * width..cut.packed_block() {
                to.add(rest).write_unaligned(T::Compute::ZERO);
            }
        }
    }

    /// A block of output channels of one segment and block of taps.
    unsafe fn outputs(&self, segment: &Segment, tap_block: usize, outputs: Range<usize>, to: *mut T::Compute) {
        let (cut, width) = (&self.plan.channels, self.plan.kernels.columns);
        let mut columns = [None; MAX_COLUMNS];
        let columns = &mut columns[..cut.panels_of(segment, tap_block) * width];
        self.place_columns(segment, tap_block, columns);
        for first in outputs.clone().step_by(OUTPUTS) {
            for (panel, columns) in columns.chunks_exact(width).enumerate() {
                for o in first..outputs.end.min(first + OUTPUTS) {
                    let output = (segment.group * cut.outputs + o) as isize;
                    // SAFETY: an output channel, and the columns of the segment: elements of the weights; a row of a
                    // panel.
                    unsafe {
                        let from = self.weight.offset(output * self.plan.problem.weight.strides[0] as isize);
                        let to = to.add((panel * outputs.len() + o - outputs.start) * width);
                        for (k, column) in columns.iter().enumerate() {
                            let value = column.map_or(T::Compute::ZERO, |at| (*from.offset(at)).to_compute());
                            to.add(k).write_unaligned(value);
                        }
                    }
                }
            }
        }
    }

    /// Where the columns of a segment and block of taps are in the weights of an output channel.
    fn place_columns(&self, segment: &Segment, tap_block: usize, to: &mut [Option<isize>]) {
        let (g, cut) = (&self.plan.problem.geometry, &self.plan.channels);
        let [_, sc, si, sj, _] = self.plan.problem.weight.strides.map(|stride| stride as isize);
        let channel = (segment.first_channel % g.channels_per_group() as usize) as isize;
        let taps = cut.taps_of(tap_block).flat_map(|tap| {
            let (i, j) = ((tap as i64 / g.kernel_w) as isize, (tap as i64 % g.kernel_w) as isize);
            (channel..channel + segment.channels as isize).map(move |channel| channel * sc + i * si + j * sj)
        });
        to.iter_mut().zip(taps).for_each(|(to, at)| *to = Some(at));
    }
}

/// The weights as one thread reads them for a unit.
pub(super) struct UnitWeights<'a, T: HasKernels> {
    pack: Pack<'a, T>,
    /// All packed weights, NULL where this thread packs them.
    all: *const T::Compute,
    /// The first segment and block of taps that this thread has packed.
    first_segment: usize,
    first_tap_block: usize,
    tap_blocks: usize,
}

impl<'a, T: HasKernels> UnitWeights<'a, T> {
    /// `all`: NULL, or all packed weights. `scratch`: this thread's.
    pub fn new(plan: &'a BackwardPlan<T>, weight: *const T, all: *const T::Compute, scratch: *mut u8) -> Self {
        let to = scratch.wrapping_add(plan.scratch.packed).cast();
        Self { pack: Pack { plan, weight, to }, all, first_segment: 0, first_tap_block: 0, tap_blocks: 0 }
    }

    /// Turns to a unit and the taps of a band.
    ///
    /// # Safety
    ///
    /// Unit and taps exist; weights and scratch are the plan's.
    pub unsafe fn turn_to(&mut self, unit: usize, part: &BandPart) {
        let (plan, cut) = (self.pack.plan, &self.pack.plan.channels);
        if !self.all.is_null() || plan.packing != Packing::Unit {
            return;
        }
        self.first_tap_block = part.first_tap / cut.tap_block;
        self.tap_blocks = part.taps.div_ceil(cut.tap_block);
        for (i, segment) in cut.segments(unit).enumerate() {
            if i == 0 {
                self.first_segment = segment.number;
            }
            for tap_block in self.first_tap_block..self.first_tap_block + self.tap_blocks {
                // SAFETY: the scratch has room for the unit.
                unsafe { self.pack.block(&segment, tap_block, self.of_unit(&segment, tap_block)) };
            }
        }
    }

    unsafe fn of_unit(&self, segment: &Segment, tap_block: usize) -> *mut T::Compute {
        let number = (segment.number - self.first_segment) * self.tap_blocks + tap_block - self.first_tap_block;
        // SAFETY: the scratch has room for the unit.
        unsafe { self.pack.to.add(number * self.pack.plan.channels.packed_block()) }
    }

    /// The weights of at most MAX_CHAIN output channels of a segment and block of taps, panel by panel. Valid until the
    /// next call.
    ///
    /// # Safety
    ///
    /// The segment is of the unit, the block of taps of the band, the output channels are a block.
    pub unsafe fn outputs(&self, segment: &Segment, tap_block: usize, outputs: Range<usize>) -> *const T::Compute {
        let (plan, cut) = (self.pack.plan, &self.pack.plan.channels);
        let first = outputs.start * cut.panels_of(segment, tap_block) * plan.kernels.columns;
        // SAFETY: the caller's promise; the scratch has room for a block.
        unsafe {
            if !self.all.is_null() {
                self.all.add(cut.packed_offset(segment, tap_block) + first)
            } else if plan.packing == Packing::Unit {
                self.of_unit(segment, tap_block).add(first)
            } else {
                self.pack.outputs(segment, tap_block, outputs, self.pack.to);
                self.pack.to
            }
        }
    }

    /// Depthwise: a row of channels for each tap of some columns. Valid until the next call.
    ///
    /// # Safety
    ///
    /// The columns exist, at most as many as the kernel takes.
    pub unsafe fn taps(&self, columns: &Columns) -> Matrix<*const T::Compute> {
        let (Columns { first_tap, taps, first_channel, channels }, all) = (*columns, self.pack.plan.problem.geometry.c);
        // SAFETY: the caller's promise; the scratch has room for the columns.
        unsafe {
            if !self.all.is_null() {
                return Matrix { data: self.all.add(first_tap * all as usize + first_channel), stride: all as isize };
            }
            for t in 0..taps {
                self.pack.tap(first_tap + t, first_channel..first_channel + channels, self.pack.to.add(t * channels));
            }
            Matrix { data: self.pack.to, stride: channels as isize }
        }
    }
}
