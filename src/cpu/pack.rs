//! Weights in the order the micro-kernel reads them: [group][depth block][panel][depth][column], columns beyond the last
//! output channel zero.

use super::element::{Compute, Element};
use crate::plan::tiling::{DepthBlock, Tiling};
use crate::problem::{Geometry, Tensor};

/// The weights of a run and where they are packed to.
pub struct Pack<'a, T: Element> {
    pub geometry: &'a Geometry,
    pub tiling: &'a Tiling,
    pub described: &'a Tensor,
    pub weight: *const T,
    /// Room for the packed weights of all groups, of any alignment.
    pub to: *mut T::Compute,
}

// SAFETY: panels are disjoint parts of `to`.
unsafe impl<T: Element> Sync for Pack<'_, T> {}

/// Where the packed weights of a panel start, in elements.
pub fn panel_offset(tiling: &Tiling, group: usize, block: &DepthBlock, panel: usize) -> usize {
    let before = tiling.depth_before(block) * tiling.panels + panel * block.depth();
    group * tiling.packed_group() + before * tiling.columns
}

impl<T: Element> Pack<'_, T> {
    /// Packs one panel of one group, all its depth blocks.
    ///
    /// # Safety
    ///
    /// `weight` covers the described tensor; nobody else packs the same panel.
    pub unsafe fn panel(&self, group: usize, panel: usize) {
        let per_group = self.geometry.outputs_per_group() as usize;
        let columns = self.tiling.columns.min(per_group - panel * self.tiling.columns);
        let first_output = group * per_group + panel * self.tiling.columns;
        for block in self.tiling.depth_blocks() {
            // SAFETY: the panel lies within the packed weights, its output channels and the block within the weights.
            unsafe {
                let to = self.to.add(panel_offset(self.tiling, group, &block, panel));
                for column in 0..self.tiling.columns {
                    let to = to.add(column);
                    if column < columns {
                        self.column(first_output + column, &block, to);
                    } else {
                        (0..block.depth())
                            .for_each(|k| to.add(k * self.tiling.columns).write_unaligned(T::Compute::ZERO));
                    }
                }
            }
        }
    }

    /// One output channel's part of a block, `columns` apart.
    unsafe fn column(&self, output: usize, block: &DepthBlock, to: *mut T::Compute) {
        let kernel_w = self.geometry.kernel_w as usize;
        let [so, sc, si, sj, _] = self.described.strides.map(|stride| stride as isize);
        for t in 0..block.taps {
            let (i, j) = ((block.first_tap + t) / kernel_w, (block.first_tap + t) % kernel_w);
            // SAFETY: elements of the described tensor and of the panel.
            unsafe {
                let from = self.weight.offset(output as isize * so + i as isize * si + j as isize * sj);
                let to = to.add(t * block.channels * self.tiling.columns);
                for c in 0..block.channels {
                    let value = *from.offset((block.first_channel + c) as isize * sc);
                    to.add(c * self.tiling.columns).write_unaligned(value.to_compute());
                }
            }
        }
    }
}
