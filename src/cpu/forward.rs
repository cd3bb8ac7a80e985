//! The fused forward pass: pack the weights unless the caller did, bring an image into the layout that sampling wants,
//! compute its tiles.

use super::element::{Compute, Element};
use super::images::{Images, Pixels};
use super::kernels::*;
use super::pack::{Pack, panel_offset};
use super::sampler::{Columns, Sampler, SamplerInput, Tile};
use super::share::share;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::arena::LINE;
use crate::plan::forward::ForwardPlan;
use crate::plan::maps::Output;
use crate::plan::tiling::{DepthBlock, MAX_CHAIN};
use crate::problem::Tensor;
use std::ffi::c_void;
use std::ops::Range;

/// Most columns of a panel, of any kernel.
const MAX_COLUMNS: usize = 32;
/// Positions that are converted at a time where y is stored in half precision.
const BLOCK_POSITIONS: usize = 96;

/// The pointers of one run; each covers what the plan's problem describes. `mask` and `bias` are NULL where absent.
#[derive(Clone, Copy)]
pub struct ForwardPointers<T: Element> {
    pub x: *const T,
    pub offset: *const T,
    pub mask: *const T,
    pub weight: *const T,
    /// Packed weights, after their header, or NULL.
    pub packed: *const T::Compute,
    /// f32, or T.
    pub bias: *const c_void,
    pub y: *mut T,
    pub workspace: *mut u8,
}

/// A run in progress: the plan and where everything is.
struct Run<'a, T: HasKernels> {
    plan: &'a ForwardPlan<T>,
    tensors: ForwardPointers<T>,
    images: Images<'a, T>,
    packed: *const T::Compute,
    /// Bias of every packed column, zeros where there is none.
    bias: *const T::Compute,
    /// Scratch of the first worker; the others' follow.
    scratch: *mut u8,
}

// SAFETY: tasks read the inputs, and write disjoint parts of y and of the workspace.
unsafe impl<T: HasKernels> Sync for Run<'_, T> {}

/// Computes y.
///
/// # Safety
///
/// The pointers are what [`ForwardPointers`] says, the workspace has the plan's size, outputs overlap nothing.
pub unsafe fn run<T: HasKernels>(plan: &ForwardPlan<T>, tensors: ForwardPointers<T>, team: &Team) -> Result<()> {
    let workspace = tensors.workspace.wrapping_add(tensors.workspace.align_offset(LINE));
    let map = &plan.workspace;
    let own_packed = workspace.wrapping_add(map.packed).cast::<T::Compute>();
    let packed = if tensors.packed.is_null() { own_packed.cast_const() } else { tensors.packed };
    let bias = workspace.wrapping_add(map.bias).cast::<T::Compute>();
    let images = Images {
        x: &plan.problem.x,
        data: tensors.x,
        how: plan.image,
        kernels: plan.kernels,
        copies: workspace.wrapping_add(map.images),
        copy_size: map.image_size,
    };
    let scratch = workspace.wrapping_add(map.scratch);
    let run = Run { plan, tensors, images, packed, bias: bias.cast_const(), scratch };
    // SAFETY: the workspace has room for everything that its map places there; each part is written before it is read.
    unsafe {
        run.fill_bias(bias);
        if tensors.packed.is_null() {
            pack(plan, tensors.weight, own_packed, team)?;
        }
        if plan.image_per_worker { run.image_by_image(team) } else { run.tile_by_tile(team) }
    }
}

/// The bias of an output channel; f32 is allowed beside tensors of half precision.
///
/// # Safety
///
/// `data` covers the described bias, `o` is an output channel.
pub unsafe fn bias_at<T: Element>(bias: &Tensor, data: *const c_void, o: i64) -> T::Compute {
    let at = (o * bias.strides[0]) as isize;
    // SAFETY: the caller's promise.
    unsafe {
        if bias.dtype == T::DTYPE {
            (*data.cast::<T>().offset(at)).to_compute()
        } else {
            Compute::from_f32(*data.cast::<f32>().offset(at))
        }
    }
}

/// Packs the weights of all groups.
///
/// # Safety
///
/// `weight` covers the weights of the plan's problem, `to` has room for its packed weights.
pub unsafe fn pack<T: HasKernels>(
    plan: &ForwardPlan<T>,
    weight: *const T,
    to: *mut T::Compute,
    team: &Team,
) -> Result<()> {
    let (geometry, tiling) = (&plan.packed_geometry(), &plan.tiling);
    let job = Pack { geometry, tiling, described: &plan.problem.weight, weight, to };
    share(team, plan.workers, geometry.groups as usize * tiling.panels, &|_, unit| {
        // SAFETY: each unit is a panel of its own.
        unsafe { job.panel(unit / tiling.panels, unit % tiling.panels) }
    })
}

impl<T: HasKernels> Run<'_, T> {
    /// # Safety
    ///
    /// `to` has room for one value for every packed column.
    unsafe fn fill_bias(&self, to: *mut T::Compute) {
        let (problem, tiling, geometry) = (&self.plan.problem, &self.plan.tiling, self.plan.packed_geometry());
        let per_group = geometry.outputs_per_group() as usize;
        let padded = tiling.panels * tiling.columns;
        for column in 0..geometry.groups as usize * padded {
            let (group, column_of_group) = (column / padded, column % padded);
            let value = match &problem.bias {
                Some(bias) if column_of_group < per_group => {
                    let o = (group * per_group + column_of_group) as i64;
                    // SAFETY: o is an output channel, and the bias is described, so its pointer is not NULL.
                    unsafe { bias_at::<T>(bias, self.tensors.bias, o) }
                }
                _ => Compute::ZERO,
            };
            // SAFETY: the caller's promise.
            unsafe { *to.add(column) = value };
        }
    }

    /// All threads share each image's work.
    unsafe fn tile_by_tile(&self, team: &Team) -> Result<()> {
        let (n, tiles, parts) = (self.plan.problem.geometry.n as usize, self.plan.tiles(), self.images.parts());
        for first in (0..n).step_by(self.plan.images_in_flight) {
            let images = self.plan.images_in_flight.min(n - first);
            share(team, self.plan.workers, images * parts, &|_, unit| {
                let (slot, part) = (unit / parts, unit % parts);
                // SAFETY: units write disjoint parts of disjoint copies.
                unsafe { self.images.copy_part(first + slot, slot, part) };
            })?;
            share(team, self.plan.workers, images * tiles, &|worker, unit| {
                let (slot, tile) = (unit / tiles, unit % tiles);
                // SAFETY: one task runs as each worker; units write disjoint positions of y.
                unsafe {
                    self.worker(worker).tile(self.plan.tile(first + slot, tile), self.images.pixels(first + slot, slot))
                };
            })?;
        }
        Ok(())
    }

    /// Each thread takes the next image and does it alone.
    unsafe fn image_by_image(&self, team: &Team) -> Result<()> {
        share(team, self.plan.workers, self.plan.problem.geometry.n as usize, &|worker, n| {
            // SAFETY: one task runs as each worker, with the copy and the scratch of that worker.
            unsafe {
                (0..self.images.parts()).for_each(|part| self.images.copy_part(n, worker, part));
                let mut state = self.worker(worker);
                let pixels = self.images.pixels(n, worker);
                (0..self.plan.tiles()).for_each(|tile| state.tile(self.plan.tile(n, tile), pixels));
            }
        })
    }

    /// A worker, on its scratch.
    unsafe fn worker(&self, worker: usize) -> Worker<'_, T> {
        let (plan, map) = (self.plan, &self.plan.scratch);
        // SAFETY: the workspace holds a scratch for each worker.
        unsafe {
            let scratch = self.scratch.add(worker * map.size);
            let input = SamplerInput {
                problem: &plan.problem,
                kernels: plan.kernels,
                offset: self.tensors.offset,
                mask: self.tensors.mask,
            };
            let col = scratch.add(map.col).cast::<T::Compute>();
            if plan.depthwise {
                // Whole panels are read: what is beyond the last channel must be a value, whichever.
                (0..plan.tiling.positions * plan.col_stride()).for_each(|i| *col.add(i) = Compute::ZERO);
            }
            Worker {
                run: self,
                sampler: Sampler::new(input, &map.sampler, scratch),
                col,
                acc: scratch.add(map.acc).cast(),
            }
        }
    }
}

/// One thread's part of a run.
struct Worker<'a, T: HasKernels> {
    run: &'a Run<'a, T>,
    sampler: Sampler<'a, T>,
    col: *mut T::Compute,
    acc: *mut T::Compute,
}

impl<T: HasKernels> Worker<'_, T> {
    /// Computes y at the positions of a tile.
    ///
    /// # Safety
    ///
    /// The tile exists, `pixels` is its image, no other worker computes it.
    unsafe fn tile(&mut self, tile: Tile, pixels: Pixels<T::Compute>) {
        let plan = self.run.plan;
        let tiling = &plan.tiling;
        // SAFETY: the caller's promise; every step stays within the tile.
        unsafe {
            self.sampler.place(tile);
            for group in 0..plan.packed_geometry().groups as usize {
                for first_panel in (0..tiling.panels).step_by(tiling.panel_block) {
                    let panels = first_panel..tiling.panels.min(first_panel + tiling.panel_block);
                    for (number, block) in tiling.depth_blocks().enumerate() {
                        let accumulate = !number.is_multiple_of(MAX_CHAIN);
                        if plan.depthwise {
                            self.add_tap(tile, &block, panels.clone(), pixels, accumulate);
                        } else {
                            self.sample(group, &block, pixels);
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
        pixels: Pixels<T::Compute>,
        accumulate: bool,
    ) {
        let (plan, tiling) = (self.run.plan, &self.run.plan.tiling);
        let first_channel = panels.start * tiling.columns;
        let channels = (panels.len() * tiling.columns).min(plan.problem.geometry.c as usize - first_channel);
        let columns = Columns { first_tap: block.first_tap, taps: 1, first_channel, channels };
        // SAFETY: the channels exist, and the im2col tile has room for whole panels of them.
        unsafe {
            self.sampler.sample(pixels, &columns, self.col, plan.col_stride());
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
    unsafe fn sample(&mut self, group: usize, block: &DepthBlock, pixels: Pixels<T::Compute>) {
        let tiling = &self.run.plan.tiling;
        let columns = Columns {
            first_tap: block.first_tap,
            taps: block.taps,
            first_channel: group * tiling.channels + block.first_channel,
            channels: block.channels,
        };
        // SAFETY: the block exists, and the im2col tile has room for it.
        unsafe { self.sampler.sample(pixels, &columns, self.col, self.run.plan.col_stride()) };
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
            });
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
    unsafe fn acc(&self, level: usize, panel: usize) -> *mut T::Compute {
        let tiling = &self.run.plan.tiling;
        // SAFETY: the caller names a level and a panel of the tile.
        unsafe { self.acc.add(level * tiling.acc_level() + panel * tiling.positions * tiling.columns) }
    }

    /// Writes one panel of output channels, with bias.
    unsafe fn store(&mut self, tile: Tile, group: usize, panel: usize, slot: usize) {
        let plan = self.run.plan;
        let (tiling, y) = (&plan.tiling, &plan.problem.y);
        let per_group = plan.packed_geometry().outputs_per_group() as usize;
        let columns = tiling.columns.min(per_group - panel * tiling.columns);
        let o = (group * per_group + panel * tiling.columns) as isize;
        let [sn, so, sh, sw, _] = y.strides.map(|stride| stride as isize);
        // SAFETY: the output channels and positions exist in y, the panel in the accumulators and in the bias.
        unsafe {
            let acc = self.acc(tiling.levels - 1, slot);
            let bias = self.run.bias.add((group * tiling.panels + panel) * tiling.columns);
            let channels = self.run.tensors.y.offset(tile.n as isize * sn + o * so);
            let target = channels.offset(match plan.output {
                Output::Pixels { stride } => tile.first as isize * stride,
                Output::Planes | Output::Strided => tile.first as isize,
            });
            match plan.output {
                Output::Planes => self.store_planes((acc, bias), [tile.positions, columns], target, so),
                Output::Pixels { stride } => self.store_pixels((acc, bias), [tile.positions, columns], target, stride),
                Output::Strided => {
                    let out_w = y.dims[3] as usize;
                    for p in 0..tile.positions {
                        let (row, column) = ((tile.first + p) / out_w, (tile.first + p) % out_w);
                        let to = channels.offset(row as isize * sh + column as isize * sw);
                        for k in 0..columns {
                            let value = *acc.add(p * tiling.columns + k) + *bias.add(k);
                            *to.offset(k as isize * so) = T::from_compute(value.canonical());
                        }
                    }
                }
            }
        }
    }

    /// A panel to planes of y, `plane_stride` apart.
    unsafe fn store_planes(
        &self,
        (acc, bias): (*const T::Compute, *const T::Compute),
        [positions, columns]: [usize; 2],
        to: *mut T,
        plane_stride: isize,
    ) {
        let store = self.run.plan.kernels.store_planes;
        // SAFETY: the caller names a panel and its place in y; blocks on the stack lie within their array.
        unsafe {
            if T::IS_COMPUTE {
                return store(&StorePlanesArgs { positions, columns, acc, bias, y: to.cast(), plane_stride });
            }
            let width = self.run.plan.tiling.columns;
            let mut block = [T::Compute::ZERO; MAX_COLUMNS * BLOCK_POSITIONS];
            for first in (0..positions).step_by(BLOCK_POSITIONS) {
                let positions = BLOCK_POSITIONS.min(positions - first);
                let (acc, y) = (acc.add(first * width), block.as_mut_ptr());
                store(&StorePlanesArgs { positions, columns, acc, bias, y, plane_stride: BLOCK_POSITIONS as isize });
                for k in 0..columns {
                    let to = to.offset(k as isize * plane_stride).add(first);
                    T::narrow(block.as_ptr().add(k * BLOCK_POSITIONS), to, positions);
                }
            }
        }
    }

    /// A panel to pixels of y, `stride` apart.
    unsafe fn store_pixels(
        &self,
        (acc, bias): (*const T::Compute, *const T::Compute),
        [positions, columns]: [usize; 2],
        to: *mut T,
        stride: isize,
    ) {
        let width = self.run.plan.tiling.columns;
        let mut row = [T::Compute::ZERO; MAX_COLUMNS];
        for p in 0..positions {
            // SAFETY: the caller names a panel and its place in y.
            unsafe {
                for (k, value) in row.iter_mut().enumerate().take(columns) {
                    *value = (*acc.add(p * width + k) + *bias.add(k)).canonical();
                }
                T::narrow(row.as_ptr(), to.offset(p as isize * stride), columns);
            }
        }
    }
}
