//! One tile of output positions: sampling into the im2col tile, the product with the packed weights.

use super::Run;
use crate::cpu::element::Compute;
use crate::cpu::images::{Sampled, Soon};
use crate::cpu::kernels::*;
use crate::cpu::pack::panel_offset;
use crate::cpu::sampler::{Columns, Sampler, SamplerInput};
use crate::cpu::tile::Tile;
use crate::plan::tiling::{DepthBlock, MAX_CHAIN};
use std::ops::Range;

/// Packed weights of fewer bytes stay in a second-level cache by themselves.
const FEW_WEIGHTS: usize = 256 << 10;

/// One thread's part of a run.
pub(super) struct Worker<'a, T: HasKernels> {
    pub(super) run: &'a Run<'a, T>,
    sampler: Sampler<'a, T>,
    col: *mut T::Compute,
    acc: *mut T::Compute,
    /// What to ask for while the micro-kernel works.
    soon: Soon,
}

impl<'a, T: HasKernels> Worker<'a, T> {
    /// A worker, on its scratch.
    ///
    /// # Safety
    ///
    /// No two workers of the same number are in use at a time.
    pub(super) unsafe fn new(run: &'a Run<'a, T>, worker: usize) -> Self {
        let (plan, map) = (run.plan, &run.plan.scratch);
        // SAFETY: the workspace holds a scratch for each worker.
        unsafe {
            let scratch = run.scratch.add(worker * map.size);
            let input = SamplerInput {
                problem: &plan.problem,
                kernels: plan.kernels,
                offset: run.tensors.offset,
                mask: run.tensors.mask,
            };
            let col = scratch.add(map.col).cast::<T::Compute>();
            let padding = plan.problem.geometry.c as usize % plan.tiling.columns;
            if plan.depthwise && padding > 0 {
                // Whole panels are read: what is beyond the last channel must be a value, whichever.
                let end = plan.tiling.panel_block * plan.tiling.columns;
                for row in 0..plan.tiling.positions {
                    let row = col.add(row * plan.col_stride());
                    (end - plan.tiling.columns..end).for_each(|column| *row.add(column) = Compute::ZERO);
                }
            }
            Self {
                run,
                sampler: Sampler::new(input, &map.sampler, scratch),
                col,
                acc: scratch.add(map.acc).cast(),
                soon: Soon::default(),
            }
        }
    }

    /// Computes y at the positions of a tile.
    ///
    /// # Safety
    ///
    /// The tile exists, `image` is its, no other worker computes it.
    pub(super) unsafe fn tile(&mut self, tile: Tile, image: &mut Sampled<'_, T>) {
        let plan = self.run.plan;
        let tiling = &plan.tiling;
        self.soon = self.run.images.soon(tile.n, tile.first / tiling.positions, plan.tiles());
        // SAFETY: the caller's promise; every step stays within the tile.
        unsafe {
            self.sampler.place(tile);
            for group in 0..plan.packed_geometry().groups as usize {
                for first_panel in (0..tiling.panels).step_by(tiling.panel_block) {
                    let panels = first_panel..tiling.panels.min(first_panel + tiling.panel_block);
                    for (number, block) in tiling.depth_blocks().enumerate() {
                        let accumulate = !number.is_multiple_of(MAX_CHAIN);
                        if plan.depthwise {
                            self.add_tap(tile, &block, panels.clone(), image, accumulate);
                        } else {
                            self.sample(group, &block, image);
                            for panel in panels.clone() {
                                let packed = panel_offset(tiling, group, &block, panel);
                                self.multiply(tile, &block, panel - first_panel, packed, accumulate);
                            }
                        }
                        self.carry(tile, number + 1, panels.len());
                    }
                    for panel in panels.clone() {
                        self.store(tile, group, panel, panel - first_panel);
                    }
                }
            }
        }
    }

    /// Depthwise: samples one tap of the channels of some panels and adds it, times its weights, to the accumulators.
    unsafe fn add_tap(
        &mut self,
        tile: Tile,
        block: &DepthBlock,
        panels: Range<usize>,
        image: &mut Sampled<'_, T>,
        accumulate: bool,
    ) {
        let (plan, tiling) = (self.run.plan, &self.run.plan.tiling);
        let first_channel = panels.start * tiling.columns;
        let channels = (panels.len() * tiling.columns).min(plan.problem.geometry.c as usize - first_channel);
        let columns = Columns { first_tap: block.first_tap, taps: 1, first_channel, channels };
        // SAFETY: the channels exist, and the im2col tile has room for whole panels of them.
        unsafe {
            self.sampler.sample(image, &columns, self.col, plan.col_stride());
            for panel in panels.clone() {
                let slot = panel - panels.start;
                (plan.kernels.scale)(&ScaleArgs {
                    rows: tile.positions,
                    left: self.col.add(slot * tiling.columns),
                    left_stride: plan.col_stride(),
                    scale: self.run.packed.add(panel_offset(tiling, 0, block, panel)),
                    acc: self.acc(0, slot),
                    acc_stride: tiling.columns,
                    accumulate,
                });
            }
        }
    }

    /// Samples a block of taps and channels of a group.
    unsafe fn sample(&mut self, group: usize, block: &DepthBlock, image: &mut Sampled<'_, T>) {
        let tiling = &self.run.plan.tiling;
        let columns = Columns {
            first_tap: block.first_tap,
            taps: block.taps,
            first_channel: group * tiling.channels + block.first_channel,
            channels: block.channels,
        };
        // SAFETY: the block exists, and the im2col tile has room for it.
        unsafe { self.sampler.sample(image, &columns, self.col, self.run.plan.col_stride()) };
    }

    /// One panel of output channels: accumulators += im2col tile * packed weights.
    unsafe fn multiply(&mut self, tile: Tile, block: &DepthBlock, panel: usize, packed: usize, accumulate: bool) {
        let tiling = &self.run.plan.tiling;
        // SAFETY: the panel exists in the packed weights and in the accumulators.
        unsafe {
            (self.run.plan.kernels.multiply)(&MultiplyArgs {
                rows: tile.positions,
                depth: block.depth(),
                left: self.col,
                left_stride: self.run.plan.col_stride(),
                right: self.run.packed.add(packed),
                right_stride: tiling.columns,
                acc: self.acc(0, panel),
                acc_stride: tiling.columns,
                accumulate,
                next: self.next(packed, block.depth() * tiling.columns),
            });
        }
    }

    /// What to ask for during the product with `len` packed weights from `offset` on: the next ones, or, if all stay in the
    /// second-level cache, pixels.
    fn next(&mut self, offset: usize, len: usize) -> *const T::Compute {
        let (all, packed) = (self.run.plan.packed_len, self.run.packed);
        if all * size_of::<T::Compute>() < FEW_WEIGHTS {
            self.soon.take(len * size_of::<T::Compute>())
        } else {
            packed.wrapping_add((offset + len) % all)
        }
    }

    /// After `blocks` blocks: adds full chains of one level of accumulators into the next, all of them at the end.
    unsafe fn carry(&mut self, tile: Tile, blocks: usize, panels: usize) {
        let tiling = &self.run.plan.tiling;
        let last = blocks == tiling.depth_block_count();
        let mut count = blocks;
        for level in 0..tiling.levels - 1 {
            if !last && !count.is_multiple_of(MAX_CHAIN) {
                break;
            }
            count = count.div_ceil(MAX_CHAIN);
            let add = !(count - 1).is_multiple_of(MAX_CHAIN);
            let elements = tile.positions * tiling.columns;
            for panel in 0..panels {
                // SAFETY: both levels exist, and the panel in both.
                unsafe {
                    let from = self.acc(level, panel);
                    let to = self.acc(level + 1, panel);
                    for i in 0..elements {
                        *to.add(i) = if add { *to.add(i) + *from.add(i) } else { *from.add(i) };
                    }
                }
            }
        }
    }

    /// The accumulators of a panel.
    pub(super) unsafe fn acc(&self, level: usize, panel: usize) -> *mut T::Compute {
        let tiling = &self.run.plan.tiling;
        // SAFETY: the caller names a level and a panel of the tile.
        unsafe { self.acc.add(level * tiling.acc_level() + panel * tiling.positions * tiling.columns) }
    }
}
