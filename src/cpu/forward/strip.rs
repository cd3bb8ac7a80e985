//! A strip of tiles of output positions: sampling into the im2col tile, the product with the packed weights. Usually it
//! is one tile; where weights are packed block by block, many tiles share each packed block.

use super::Run;
use crate::cpu::images::Soon;
use crate::cpu::kernels::*;
use crate::cpu::pack::{Pack, Packed};
use crate::cpu::sampled::Sampled;
use crate::cpu::sampler::{Columns, Panels, Sampler, SamplerInput};
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
    /// Accumulators of the strip.
    strip_acc: *mut T::Compute,
    /// The tile in work: image and number, positions, accumulators.
    number: (usize, usize),
    pub(super) tile: Tile,
    acc: *mut T::Compute,
    packed: *mut T::Compute,
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
            let sampler = Sampler::new(input, &map.sampler, scratch);
            let (acc, packed) = (scratch.add(map.acc).cast(), scratch.add(map.packed).cast());
            Self {
                run,
                sampler,
                col,
                strip_acc: acc,
                number: (usize::MAX, 0),
                tile: Tile::default(),
                acc,
                packed,
                soon: Soon::default(),
            }
        }
    }

    /// Computes y at the positions of a strip of image `n`, for the output channels of the run's part.
    ///
    /// # Safety
    ///
    /// The strip exists, `image` is its, no other worker computes it.
    pub(super) unsafe fn strip(&mut self, n: usize, strip: usize, image: &mut Sampled<'_, T>) {
        let (part, tiling) = (&self.run.packed.part, self.run.tiling);
        let (first, all) = (strip * tiling.strip, tiling.tiles(&self.run.plan.problem.geometry));
        let tiles = first..all.min(first + tiling.strip);
        self.soon = self.run.images.soon(n, first, all);
        for group in part.groups.clone() {
            for first_panel in part.panels.clone().step_by(tiling.panel_block) {
                let panels = first_panel..part.panels.end.min(first_panel + tiling.panel_block);
                // SAFETY: the caller's promise; every step stays within the strip.
                unsafe {
                    for (number, block) in tiling.depth_blocks().enumerate() {
                        let packed = self.weights(group, &block, &panels);
                        for (place, tile) in tiles.clone().enumerate() {
                            self.turn_to(n, tile, place);
                            self.add(group, (number, &block), &panels, (&mut *image, packed));
                        }
                    }
                    for (place, tile) in tiles.clone().enumerate() {
                        self.turn_to(n, tile, place);
                        for panel in panels.clone() {
                            self.store(group, panel, panel - first_panel);
                        }
                    }
                }
            }
        }
    }

    /// The packed weights of a depth block of some panels: panel after panel.
    unsafe fn weights(&self, group: usize, block: &DepthBlock, panels: &Range<usize>) -> *const T::Compute {
        let (run, plan) = (self.run, self.run.plan);
        // SAFETY: the block exists, and the scratch has room for one.
        unsafe {
            if !run.packed.data.is_null() {
                return run.packed.panel(run.tiling, group, block, panels.start);
            }
            let (described, weight) = (&plan.problem.weight, run.tensors.weight);
            let pack =
                Pack { kernels: plan.kernels, geometry: plan.packed_geometry(), tiling: run.tiling, described, weight };
            pack.block(group, block, panels.clone(), self.packed);
            self.packed
        }
    }

    /// Makes a tile, in its place of the strip, the one in work.
    unsafe fn turn_to(&mut self, n: usize, number: usize, place: usize) {
        if self.number == (n, number) {
            return;
        }
        let tiling = self.run.tiling;
        self.number = (n, number);
        self.tile = tiling.tile(&self.run.plan.problem.geometry, n, number);
        // SAFETY: the tile exists, and the strip's accumulators have room for it.
        unsafe {
            self.sampler.place(self.tile);
            self.acc = self.strip_acc.add(place * tiling.acc_tile());
        }
    }

    /// Adds depth block `number` of the sum, for some panels.
    unsafe fn add(
        &mut self,
        group: usize,
        (number, block): (usize, &DepthBlock),
        panels: &Range<usize>,
        (image, packed): (&mut Sampled<'_, T>, *const T::Compute),
    ) {
        let accumulate = !number.is_multiple_of(MAX_CHAIN);
        let is_last = number + 1 == self.run.tiling.depth_block_count();
        // SAFETY: group, block and panels exist.
        unsafe {
            if self.run.plan.depthwise {
                self.add_taps(block, panels, (image, packed), accumulate);
            } else {
                self.sample(group, block, image);
                for (place, panel) in panels.clone().enumerate() {
                    if is_last && self.run.plan.asks_for_output {
                        self.ask_for_output(group, panel);
                    }
                    self.multiply(block, place, packed, accumulate);
                }
            }
            self.carry(number + 1, panels.len());
        }
    }

    /// Depthwise: samples a block of taps of the channels of some panels and adds it, times its weights, to the
    /// accumulators.
    unsafe fn add_taps(
        &mut self,
        block: &DepthBlock,
        panels: &Range<usize>,
        (image, packed): (&mut Sampled<'_, T>, *const T::Compute),
        accumulate: bool,
    ) {
        let (plan, tiling) = (self.run.plan, self.run.tiling);
        let first_channel = panels.start * tiling.columns;
        let channels = (panels.len() * tiling.columns).min(plan.problem.geometry.c as usize - first_channel);
        let columns = Columns { first_tap: block.first_tap, taps: block.taps, first_channel, channels };
        let to = Panels {
            weight: packed,
            weight_stride: block.taps * tiling.columns,
            acc: self.acc,
            acc_stride: tiling.positions * tiling.columns,
            accumulate,
        };
        // SAFETY: the channels exist, in the packed weights and in the accumulators.
        unsafe { self.sampler.depthwise(image, &columns, &to) };
    }

    /// Samples a block of taps and channels of a group.
    unsafe fn sample(&mut self, group: usize, block: &DepthBlock, image: &mut Sampled<'_, T>) {
        let tiling = self.run.tiling;
        let columns = Columns {
            first_tap: block.first_tap,
            taps: block.taps,
            first_channel: group * tiling.channels + block.first_channel,
            channels: block.channels,
        };
        // SAFETY: the block exists, and the im2col tile has room for it.
        unsafe { self.sampler.sample(image, &columns, self.col, self.run.plan.col_stride()) };
    }

    /// A panel of output channels: accumulators += im2col tile * packed weights. It has its `place` in both.
    unsafe fn multiply(&mut self, block: &DepthBlock, place: usize, packed: *const T::Compute, accumulate: bool) {
        let (plan, width) = (self.run.plan, self.run.tiling.columns);
        let packed = packed.wrapping_add(place * block.depth() * width);
        // SAFETY: the panel exists in the packed weights and in the accumulators.
        unsafe {
            (plan.kernels.multiply)(&MultiplyArgs {
                rows: self.tile.positions,
                depth: block.depth(),
                left: self.col,
                left_stride: plan.col_stride(),
                right: packed,
                right_stride: width,
                acc: self.acc(0, place),
                acc_stride: width,
                accumulate,
                next: self.next(packed, block.depth() * width),
            });
        }
    }

    /// What to ask for during the product with `len` packed weights: the next ones, or, if all stay in the second-level
    /// cache, pixels.
    fn next(&mut self, packed: *const T::Compute, len: usize) -> *const T::Compute {
        let Packed { data, .. } = self.run.packed;
        let all = self.run.packed.elements(self.run.tiling);
        match packed.wrapping_add(len) {
            _ if data.is_null() || all * size_of::<T::Compute>() < FEW_WEIGHTS => {
                self.soon.take(len * size_of::<T::Compute>())
            }
            end if end == data.wrapping_add(all) => data,
            next => next,
        }
    }

    /// After `blocks` blocks: adds full chains of one level of accumulators into the next, all of them at the end.
    unsafe fn carry(&mut self, blocks: usize, panels: usize) {
        let tiling = self.run.tiling;
        let last = blocks == tiling.depth_block_count();
        let mut count = blocks;
        for level in 0..tiling.levels - 1 {
            if !last && !count.is_multiple_of(MAX_CHAIN) {
                break;
            }
            count = count.div_ceil(MAX_CHAIN);
            let add = !(count - 1).is_multiple_of(MAX_CHAIN);
            let elements = self.tile.positions * tiling.columns;
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

    /// The accumulators of a panel of the tile in work.
    pub(super) unsafe fn acc(&self, level: usize, panel: usize) -> *mut T::Compute {
        let tiling = self.run.tiling;
        // SAFETY: the caller names a level and a panel of the tile.
        unsafe { self.acc.add(level * tiling.acc_level() + panel * tiling.positions * tiling.columns) }
    }
}
