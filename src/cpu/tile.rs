//! One tile of output positions: coordinates, sampling into the im2col tile, the product with the packed weights, the
//! output.

use super::element::Compute;
use super::forward::Run;
use super::kernels::*;
use super::pack::panel_offset;
use crate::plan::forward::Output;
use crate::plan::tiling::{DepthBlock, MAX_CHAIN};
use crate::problem::Tensor;

/// A slot whose coordinates are not of this tile.
const EMPTY: u64 = u64::MAX;

/// One thread's scratch.
pub struct Tile<'a, T: HasKernels> {
    run: &'a Run<'a, T>,
    base_y: *mut T::Compute,
    base_x: *mut T::Compute,
    offset_y: *mut T::Compute,
    offset_x: *mut T::Compute,
    mask: *mut T::Compute,
    /// Which tap of which deformable group each slot of `index` and `weight` holds.
    tags: *mut u64,
    index: *mut i32,
    weight: *mut T::Compute,
    col: *mut T::Compute,
    acc: *mut T::Compute,
    /// The tile: image, first position, positions.
    n: usize,
    first: usize,
    positions: usize,
    image: *const T::Compute,
    pixel_stride: usize,
}

impl<'a, T: HasKernels> Tile<'a, T> {
    /// # Safety
    ///
    /// `scratch` has the plan's scratch size, for this tile alone.
    pub unsafe fn new(run: &'a Run<'a, T>, scratch: *mut u8) -> Self {
        let map = &run.plan.scratch;
        // SAFETY: the map's offsets lie within the scratch.
        unsafe {
            let at = |offset: usize| scratch.add(offset).cast::<T::Compute>();
            let tile = Self {
                run,
                base_y: at(map.base_y),
                base_x: at(map.base_x),
                offset_y: at(map.offset_y),
                offset_x: at(map.offset_x),
                mask: at(map.mask),
                tags: scratch.add(map.tags).cast(),
                index: scratch.add(map.index).cast(),
                weight: at(map.weight),
                col: at(map.col),
                acc: at(map.acc),
                n: 0,
                first: 0,
                positions: 0,
                image: std::ptr::null(),
                pixel_stride: 0,
            };
            // Kernels work in whole vectors: what is beyond the last position must be a value, whichever.
            for p in 0..run.plan.position_stride() {
                for array in [tile.base_y, tile.base_x, tile.offset_y, tile.offset_x] {
                    *array.add(p) = T::Compute::ZERO;
                }
                *tile.mask.add(p) = T::Compute::ONE;
            }
            tile
        }
    }

    /// Computes tile number `tile` of image `n`, whose pixels are at `image`.
    ///
    /// # Safety
    ///
    /// The image and tile exist; no other thread computes the same tile.
    pub unsafe fn compute(&mut self, n: usize, (image, pixel_stride): (*const T::Compute, usize), tile: usize) {
        let plan = self.run.plan;
        let g = &plan.problem.geometry;
        self.n = n;
        self.first = tile * plan.tiling.positions;
        self.positions = plan.tiling.positions.min(g.positions() as usize - self.first);
        self.image = image;
        self.pixel_stride = pixel_stride;
        // SAFETY: the caller's promise; every step stays within the tile.
        unsafe {
            self.place();
            for group in 0..g.groups as usize {
                for first_panel in (0..plan.tiling.panels).step_by(plan.tiling.panel_block) {
                    let panels = plan.tiling.panel_block.min(plan.tiling.panels - first_panel);
                    for (number, block) in plan.tiling.depth_blocks().enumerate() {
                        self.sample(group, &block);
                        for panel in 0..panels {
                            let packed = panel_offset(&plan.tiling, group, &block, first_panel + panel);
                            self.multiply(&block, panel, packed, number % MAX_CHAIN != 0);
                        }
                        self.carry(number + 1, panels);
                    }
                    for panel in 0..panels {
                        self.store(group, first_panel + panel, panel);
                    }
                }
            }
        }
    }

    /// Coordinates of tap (0, 0) without offset; forgets the last tile's.
    unsafe fn place(&mut self) {
        let g = &self.run.plan.problem.geometry;
        let (mut row, mut column) = (self.first as i64 / g.out_w, self.first as i64 % g.out_w);
        // SAFETY: the arrays hold all positions, the tags all slots.
        unsafe {
            for p in 0..self.positions {
                *self.base_y.add(p) = T::Compute::from_i64(row * g.stride_h - g.pad_top);
                *self.base_x.add(p) = T::Compute::from_i64(column * g.stride_w - g.pad_left);
                column += 1;
                if column == g.out_w {
                    (row, column) = (row + 1, 0);
                }
            }
            for slot in 0..self.run.plan.tiling.coordinate_slots {
                *self.tags.add(slot) = EMPTY;
            }
        }
    }

    /// Samples a block of taps and channels of a group: row = position, column = tap, channel.
    unsafe fn sample(&mut self, group: usize, block: &DepthBlock) {
        let plan = self.run.plan;
        let per_deformable_group = plan.problem.geometry.channels_per_deformable_group() as usize;
        let first_channel = group * plan.tiling.channels + block.first_channel;
        let end = first_channel + block.channels;
        for t in 0..block.taps {
            let mut channel = first_channel;
            while channel < end {
                let deformable_group = channel / per_deformable_group;
                let channels = end.min((deformable_group + 1) * per_deformable_group) - channel;
                // SAFETY: the channels are in the image, the columns in the im2col tile.
                unsafe {
                    let corners = self.corners(deformable_group, block.first_tap + t);
                    (plan.kernels.sample)(&SampleArgs {
                        positions: self.positions,
                        channels,
                        corners,
                        image: self.image.add(channel),
                        pixel_stride: self.pixel_stride,
                        col: self.col.add(t * block.channels + channel - first_channel),
                        col_stride: plan.tiling.col_stride(),
                    });
                }
                channel += channels;
            }
        }
    }

    /// The sampling corners of a tap of a deformable group, remembered or computed.
    unsafe fn corners(&mut self, deformable_group: usize, tap: usize) -> Corners<T::Compute> {
        let plan = self.run.plan;
        let g = &plan.problem.geometry;
        let key = deformable_group * plan.tiling.taps + tap;
        let slot = key % plan.tiling.coordinate_slots;
        let stride = plan.position_stride();
        // SAFETY: the slot exists; channels 2 * key and key exist in offset and mask.
        unsafe {
            let (index, weight) = (self.index.add(slot * 4 * stride), self.weight.add(slot * 4 * stride));
            let corners = Corners { index, weight, stride };
            if *self.tags.add(slot) == key as u64 {
                return corners;
            }
            self.read_run(&plan.problem.offset, self.run.tensors.offset, 2 * key, self.offset_y);
            self.read_run(&plan.problem.offset, self.run.tensors.offset, 2 * key + 1, self.offset_x);
            if let Some(mask) = &plan.problem.mask {
                self.read_run(mask, self.run.tensors.mask, key, self.mask);
            }
            let (i, j) = (tap as i64 / g.kernel_w, tap as i64 % g.kernel_w);
            (plan.kernels.coordinates)(&CoordinatesArgs {
                positions: self.positions,
                base_y: self.base_y,
                base_x: self.base_x,
                tap_y: T::Compute::from_i64(i * g.dilation_h),
                tap_x: T::Compute::from_i64(j * g.dilation_w),
                offset_y: self.offset_y,
                offset_x: self.offset_x,
                mask: self.mask,
                height: g.h as i32,
                width: g.w as i32,
                corners,
            });
            *self.tags.add(slot) = key as u64;
            corners
        }
    }

    /// Reads the tile's positions of one channel of offset or mask.
    unsafe fn read_run(&self, tensor: &Tensor, pointer: *const T, channel: usize, to: *mut T::Compute) {
        let out_w = tensor.dims[3] as usize;
        let [sn, sc, sh, sw, _] = tensor.strides.map(|stride| stride as isize);
        let (mut row, mut column) = (self.first / out_w, self.first % out_w);
        let mut done = 0;
        while done < self.positions {
            let count = (out_w - column).min(self.positions - done);
            // SAFETY: positions of this image's plane of the channel.
            unsafe {
                let plane = pointer.offset(self.n as isize * sn + channel as isize * sc);
                let from = plane.offset(row as isize * sh + column as isize * sw);
                for p in 0..count {
                    *to.add(done + p) = (*from.offset(p as isize * sw)).to_compute();
                }
            }
            done += count;
            (row, column) = (row + 1, 0);
        }
    }

    /// One panel of output channels: accumulators += im2col tile * packed weights.
    unsafe fn multiply(&mut self, block: &DepthBlock, panel: usize, packed: usize, accumulate: bool) {
        let tiling = &self.run.plan.tiling;
        // SAFETY: the panel exists in the packed weights and in the accumulators.
        unsafe {
            (self.run.plan.kernels.multiply)(&MultiplyArgs {
                positions: self.positions,
                depth: block.depth(),
                col: self.col,
                col_stride: tiling.col_stride(),
                packed: self.run.packed.add(packed),
                acc: self.acc(0, panel),
                accumulate,
            });
        }
    }

    /// After `blocks` blocks: adds full chains of one level of accumulators into the next, all of them at the end.
    unsafe fn carry(&mut self, blocks: usize, panels: usize) {
        let tiling = &self.run.plan.tiling;
        let last = blocks == tiling.depth_block_count();
        let mut count = blocks;
        for level in 0..tiling.levels - 1 {
            if !last && !count.is_multiple_of(MAX_CHAIN) {
                break;
            }
            count = count.div_ceil(MAX_CHAIN);
            let add = !(count - 1).is_multiple_of(MAX_CHAIN);
            let elements = self.positions * tiling.columns;
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
    unsafe fn store(&mut self, group: usize, panel: usize, slot: usize) {
        let plan = self.run.plan;
        let (tiling, y) = (&plan.tiling, &plan.problem.y);
        let per_group = plan.problem.geometry.outputs_per_group() as usize;
        let columns = tiling.columns.min(per_group - panel * tiling.columns);
        let o = (group * per_group + panel * tiling.columns) as isize;
        let [sn, so, sh, sw, _] = y.strides.map(|stride| stride as isize);
        // SAFETY: the output channels and positions exist in y, the panel in the accumulators and in the bias.
        unsafe {
            let acc = self.acc(tiling.levels - 1, slot);
            let bias = self.run.bias.add((group * tiling.panels + panel) * tiling.columns);
            let channels = self.run.tensors.y.offset(self.n as isize * sn + o * so);
            if plan.output == Output::Planes {
                (plan.kernels.store_planes)(&StorePlanesArgs {
                    positions: self.positions,
                    columns,
                    acc,
                    bias,
                    y: channels.add(self.first).cast(),
                    plane_stride: so,
                });
                return;
            }
            let out_w = y.dims[3] as usize;
            for p in 0..self.positions {
                let (row, column) = ((self.first + p) / out_w, (self.first + p) % out_w);
                let to = channels.offset(row as isize * sh + column as isize * sw);
                for k in 0..columns {
                    let value = *acc.add(p * tiling.columns + k) + *bias.add(k);
                    *to.offset(k as isize * so) = T::from_compute(value);
                }
            }
        }
    }
}
