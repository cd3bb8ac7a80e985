//! Weights in the order in which the column gradient's micro-kernel reads them: [segment][tap block][output
//! block][panel][output channel][column], where a column is a tap and a channel.

use super::super::element::Compute;
use super::super::kernels::HasKernels;
use super::super::share::share;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::backward::BackwardPlan;
use crate::plan::cuts::Segment;
use crate::plan::tiling::MAX_CHAIN;

struct Pack<'a, T: HasKernels> {
    plan: &'a BackwardPlan<T>,
    weight: *const T,
    to: *mut T::Compute,
}

// SAFETY: segments are disjoint parts of `to`.
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
    if plan.depthwise {
        // SAFETY: the caller's promise.
        unsafe { pack_depthwise(plan, weight, to) };
        return Ok(());
    }
    let (job, tap_blocks) = (Pack { plan, weight, to }, plan.channels.tap_blocks());
    share(team, plan.workers, plan.channels.units() * tap_blocks, &|_, unit| {
        for segment in plan.channels.segments(unit / tap_blocks) {
            // SAFETY: each unit has its own segments and block of taps.
            unsafe { job.block(&segment, unit % tap_blocks) };
        }
    })
}

/// Depthwise: [tap][channel], zeros behind the last channel.
unsafe fn pack_depthwise<T: HasKernels>(plan: &BackwardPlan<T>, weight: *const T, to: *mut T::Compute) {
    let g = &plan.problem.geometry;
    let [so, _, si, sj, _] = plan.problem.weight.strides;
    for tap in 0..plan.channels.taps {
        let (i, j) = (tap as i64 / g.kernel_w, tap as i64 % g.kernel_w);
        for channel in 0..plan.packed_tap() {
            // SAFETY: an element of the weights and of the packed ones.
            unsafe {
                let value = if (channel as i64) < g.o {
                    (*weight.offset((channel as i64 * so + i * si + j * sj) as isize)).to_compute()
                } else {
                    T::Compute::ZERO
                };
                to.add(tap * plan.packed_tap() + channel).write_unaligned(value);
            }
        }
    }
}

impl<T: HasKernels> Pack<'_, T> {
    /// One segment and block of taps.
    unsafe fn block(&self, segment: &Segment, tap_block: usize) {
        let (cut, width) = (&self.plan.channels, self.plan.kernels.columns);
        let first_tap = tap_block * cut.tap_block;
        let taps = cut.tap_block.min(cut.taps - first_tap);
        let columns = taps * segment.channels;
        let padded = columns.next_multiple_of(width);
        let to = self.to.wrapping_add(cut.packed_offset(segment, tap_block));
        for first in (0..cut.outputs).step_by(MAX_CHAIN) {
            let outputs = MAX_CHAIN.min(cut.outputs - first);
            for o in 0..outputs {
                let row = Row { to: to.wrapping_add(first * padded + o * width), panel: outputs * width, width };
                for t in 0..taps {
                    // SAFETY: a tap of an output channel; its columns are in the panels.
                    unsafe { self.tap(segment, first + o, first_tap + t, row, t * segment.channels) };
                }
                // SAFETY: the rest of the last panel.
                (columns..padded).for_each(|column| unsafe { row.write(column, T::Compute::ZERO) });
            }
        }
        // The rest of a short block, so that equal weights are packed to equal bytes.
        for rest in cut.outputs * padded..cut.packed_block() {
            // SAFETY: within the block.
            unsafe { to.add(rest).write_unaligned(T::Compute::ZERO) };
        }
    }

    /// The channels of a segment, for one output channel and tap, to the columns from `column` on.
    unsafe fn tap(&self, segment: &Segment, output: usize, tap: usize, row: Row<T::Compute>, column: usize) {
        let g = &self.plan.problem.geometry;
        let channel = segment.first_channel as i64 % g.channels_per_group();
        let (i, j) = (tap as i64 / g.kernel_w, tap as i64 % g.kernel_w);
        let o = (segment.group * self.plan.channels.outputs + output) as i64;
        let [so, sc, si, sj, _] = self.plan.problem.weight.strides;
        let from = self.weight.wrapping_offset((o * so + channel * sc + i * si + j * sj) as isize);
        for c in 0..segment.channels {
            // SAFETY: an element of the weights, and the caller's promise.
            unsafe { row.write(column + c, (*from.offset(c as isize * sc as isize)).to_compute()) };
        }
    }
}

/// One output channel of a block: columns in panels.
#[derive(Clone, Copy)]
struct Row<C> {
    to: *mut C,
    /// Elements from panel to panel.
    panel: usize,
    width: usize,
}

impl<C> Row<C> {
    #[inline(always)]
    unsafe fn write(&self, column: usize, value: C) {
        // SAFETY: the caller's promise: the row has the column.
        unsafe { self.to.add(column / self.width * self.panel + column % self.width).write_unaligned(value) };
    }
}
