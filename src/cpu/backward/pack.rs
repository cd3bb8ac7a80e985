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
        let taps = cut.tap_block.min(cut.taps - tap_block * cut.tap_block);
        let columns = taps * segment.channels;
        let mut to = self.to.wrapping_add(cut.packed_offset(segment, tap_block));
        let end = to.wrapping_add(cut.packed_block());
        for first in (0..cut.outputs).step_by(MAX_CHAIN) {
            let outputs = MAX_CHAIN.min(cut.outputs - first);
            for panel in 0..columns.div_ceil(width) {
                for o in 0..outputs {
                    for column in panel * width..(panel + 1) * width {
                        // SAFETY: columns of the segment; `to` advances through the block.
                        unsafe {
                            let inside = column < columns;
                            let value = if inside {
                                self.weight_at(segment, first + o, tap_block * cut.tap_block, column)
                            } else {
                                T::Compute::ZERO
                            };
                            to.write_unaligned(value);
                            to = to.add(1);
                        }
                    }
                }
            }
        }
        // The rest of a short block, so that equal weights are packed to equal bytes.
        while to < end {
            // SAFETY: within the block.
            unsafe {
                to.write_unaligned(T::Compute::ZERO);
                to = to.add(1);
            }
        }
    }

    unsafe fn weight_at(&self, segment: &Segment, output: usize, first_tap: usize, column: usize) -> T::Compute {
        let (g, cut) = (&self.plan.problem.geometry, &self.plan.channels);
        let tap = first_tap + column / segment.channels;
        let channel = segment.first_channel % g.channels_per_group() as usize + column % segment.channels;
        let (i, j) = (tap as i64 / g.kernel_w, tap as i64 % g.kernel_w);
        let o = (segment.group * cut.outputs + output) as i64;
        let [so, sc, si, sj, _] = self.plan.problem.weight.strides;
        // SAFETY: an element of the weights.
        unsafe { (*self.weight.offset((o * so + channel as i64 * sc + i * si + j * sj) as isize)).to_compute() }
    }
}
