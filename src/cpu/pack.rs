//! Weights in the order the micro-kernel reads them: [group][depth block][panel][depth][column], columns beyond the
//! last output channel zero; all of them, or those of a part of the output channels in the same order.

use super::element::Compute;
use super::kernels::{CopyArgs, HasKernels, Kernels};
use crate::plan::forward::Part;
use crate::plan::tiling::{DepthBlock, Tiling};
use crate::problem::{Geometry, Tensor};
use std::ops::Range;

/// Channels that are packed together for all taps: few enough for what is read of them to stay in the first-level
/// cache, since the taps of a channel are neighbours.
const CHANNELS: usize = 32;
/// Most columns of a panel, of any kernel.
const MAX_COLUMNS: usize = 32;

/// Packed weights of a part of the output channels.
pub struct Packed<C> {
    /// Of any alignment.
    pub data: *mut C,
    pub part: Part,
}

// SAFETY: panels are disjoint parts of it, each written by one thread, and all read once all are written.
unsafe impl<C> Sync for Packed<C> {}

impl<C> Packed<C> {
    /// Elements.
    pub fn elements(&self, tiling: &Tiling) -> usize {
        self.part.groups.len() * self.part.panels.len() * tiling.packed_panel()
    }

    /// The packed weights of a depth block of a panel; those of the next panel follow.
    ///
    /// # Safety
    ///
    /// Group and panel are of the part.
    pub unsafe fn panel(&self, tiling: &Tiling, group: usize, block: &DepthBlock, panel: usize) -> *mut C {
        let Part { groups, panels } = &self.part;
        let before = tiling.depth_before(block) * panels.len() + (panel - panels.start) * block.depth();
        let group = (group - groups.start) * panels.len() * tiling.packed_panel();
        // SAFETY: the part has room for it.
        unsafe { self.data.add(group + before * tiling.columns) }
    }
}

/// The weights of a run.
pub struct Pack<'a, T: HasKernels> {
    pub kernels: &'a Kernels<T>,
    pub geometry: Geometry,
    pub tiling: &'a Tiling,
    pub described: &'a Tensor,
    pub weight: *const T,
}

// SAFETY: the weights are read.
unsafe impl<T: HasKernels> Sync for Pack<'_, T> {}

impl<T: HasKernels> Pack<'_, T> {
    /// Packs one panel of one group of a part, all its depth blocks.
    ///
    /// # Safety
    ///
    /// `weight` covers the described tensor; `to` has room for the part's packed weights; nobody else packs the same
    /// panel.
    pub unsafe fn panel(&self, to: &Packed<T::Compute>, group: usize, panel: usize) {
        let tiling = self.tiling;
        for channels in tiling.channel_blocks() {
            for first in channels.clone().step_by(CHANNELS) {
                for block in tiling.tap_blocks(&channels) {
                    // SAFETY: the panel lies within the packed weights, the block within the panel.
                    unsafe {
                        let to = to.panel(tiling, group, &block, panel);
                        self.part((group, panel), &block, first..channels.end.min(first + CHANNELS), to);
                    }
                }
            }
        }
    }

    /// Packs one depth block of neighbouring panels of one group, and nothing else.
    ///
    /// # Safety
    ///
    /// `weight` covers the described tensor; `to` has room for the panels.
    pub unsafe fn block(&self, group: usize, block: &DepthBlock, panels: Range<usize>, to: *mut T::Compute) {
        for (slot, panel) in panels.enumerate() {
            let channels = block.first_channel..block.first_channel + block.channels;
            // SAFETY: the caller's promise.
            unsafe { self.part((group, panel), block, channels, to.add(slot * block.depth() * self.tiling.columns)) };
        }
    }

    /// Some channels of a depth block of one panel, which starts at `to`.
    unsafe fn part(
        &self,
        (group, panel): (usize, usize),
        block: &DepthBlock,
        channels: Range<usize>,
        to: *mut T::Compute,
    ) {
        let width = self.tiling.columns;
        let per_group = self.geometry.outputs_per_group() as usize;
        let columns = width.min(per_group - panel * width);
        let output = (group * per_group + panel * width) as isize;
        let kernel_w = self.geometry.kernel_w as usize;
        let [so, sc, si, sj, _] = self.described.strides.map(|stride| stride as isize);
        // What is beyond the last output channel stays 0.
        let mut row = [T::from_compute(T::Compute::ZERO); MAX_COLUMNS];
        let mut wide = [T::Compute::ZERO; MAX_COLUMNS];
        for t in 0..block.taps {
            let (i, j) = ((block.first_tap + t) / kernel_w, (block.first_tap + t) % kernel_w);
            // SAFETY: output channels of the panel, channels and taps of the block: elements of the described tensor
            // and of the packed panel.
            unsafe {
                let tap = self.weight.offset(output * so + i as isize * si + j as isize * sj);
                let to = to.add(t * block.channels * width);
                for channel in channels.clone() {
                    let from = tap.offset(channel as isize * sc);
                    for (k, value) in row.iter_mut().enumerate().take(columns) {
                        *value = *from.offset(k as isize * so);
                    }
                    let mut values = row.as_ptr().cast();
                    if !T::IS_COMPUTE {
                        (self.kernels.widen)(&CopyArgs::row(width, row.as_ptr(), wide.as_mut_ptr()));
                        values = wide.as_ptr().cast::<u8>();
                    }
                    // Packed weights may have any alignment.
                    let to = to.add((channel - block.first_channel) * width).cast::<u8>();
                    to.copy_from_nonoverlapping(values, width * size_of::<T::Compute>());
                }
            }
        }
    }
}
