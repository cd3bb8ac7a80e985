//! Sampling for a tile of positions: coordinates, remembered by tap, and the im2col tile.

use super::element::Compute;
use super::field::Field;
use super::kernels::*;
use super::sampled::Sampled;
use super::tile::Tile;
use crate::plan::maps::SamplerMap;
use crate::problem::Problem;
use std::ptr::null_mut;

/// A slot whose corners are not of this tile.
const EMPTY: u64 = u64::MAX;

/// Consecutive taps and channels.
#[derive(Clone, Copy)]
pub struct Columns {
    pub first_tap: usize,
    pub taps: usize,
    /// Of all channels, not of a group.
    pub first_channel: usize,
    pub channels: usize,
}

/// Depthwise: packed weights and accumulators of some channels, in panels of the kernel's columns.
#[derive(Clone, Copy)]
pub struct Panels<C> {
    pub weight: *const C,
    /// Elements from panel to panel.
    pub weight_stride: usize,
    pub acc: *mut C,
    pub acc_stride: usize,
    /// Add to what is in acc, instead of overwriting it.
    pub accumulate: bool,
}

/// What a sampler reads.
#[derive(Clone, Copy)]
pub struct SamplerInput<'a, T: HasKernels> {
    pub problem: &'a Problem,
    pub kernels: &'a Kernels<T>,
    pub offset: *const T,
    /// NULL where the problem has none.
    pub mask: *const T,
}

/// One thread's sampler.
pub struct Sampler<'a, T: HasKernels> {
    input: SamplerInput<'a, T>,
    stride: usize,
    slots: usize,
    base_y: *mut T::Compute,
    base_x: *mut T::Compute,
    /// Offset and mask of a tap, where they have to be copied; ones where the problem has no mask.
    offset_y: *mut T,
    offset_x: *mut T,
    mask: *mut T,
    /// Which tap of which deformable group each slot of the arrays below holds.
    tags: *mut u64,
    /// How far its corners reach.
    reaches: *mut Reach<T::Compute>,
    index: *mut i32,
    weight: *mut T::Compute,
    /// NULL where gradients are not computed.
    fraction: *mut T::Compute,
    tile: Tile,
}

impl<'a, T: HasKernels> Sampler<'a, T> {
    /// # Safety
    ///
    /// `scratch` has what the map was made in, for this sampler alone; the input's pointers cover their tensors.
    pub unsafe fn new(input: SamplerInput<'a, T>, map: &SamplerMap, scratch: *mut u8) -> Self {
        // SAFETY: the map's offsets lie within the scratch.
        unsafe {
            let at = |offset: usize| scratch.add(offset).cast::<T::Compute>();
            let sampler = Self {
                input,
                stride: map.stride,
                slots: map.slots,
                base_y: at(map.base_y),
                base_x: at(map.base_x),
                offset_y: scratch.add(map.offset_y).cast(),
                offset_x: scratch.add(map.offset_x).cast(),
                mask: scratch.add(map.mask).cast(),
                tags: scratch.add(map.tags).cast(),
                reaches: scratch.add(map.reaches).cast(),
                index: scratch.add(map.index).cast(),
                weight: at(map.weight),
                fraction: map.fraction.map_or(null_mut(), at),
                tile: Tile::default(),
            };
            // Kernels work in whole vectors: what is beyond the last position must be a value, whichever.
            for p in 0..map.stride {
                for array in [sampler.base_y, sampler.base_x] {
                    *array.add(p) = T::Compute::ZERO;
                }
                *sampler.mask.add(p) = T::from_compute(T::Compute::ONE);
            }
            sampler
        }
    }

    /// Moves to a tile: coordinates of tap (0, 0) without offset; forgets the last tile's.
    ///
    /// # Safety
    ///
    /// The tile exists and is no larger than the map was made for.
    pub unsafe fn place(&mut self, tile: Tile) {
        self.tile = tile;
        let g = &self.input.problem.geometry;
        // SAFETY: the arrays hold all positions, the tags all slots.
        unsafe {
            for run in tile.runs() {
                let y = T::Compute::from_i64(run.row as i64 * g.stride_h - g.pad_top);
                for p in 0..run.positions {
                    let x = (run.column + p) as i64 * g.stride_w - g.pad_left;
                    *self.base_y.add(run.at + p) = y;
                    *self.base_x.add(run.at + p) = T::Compute::from_i64(x);
                }
            }
            // What is in a vector behind the last position is not to reach further than that.
            let last = *self.base_y.add(tile.positions - 1);
            (tile.positions..).take(POSITION_PADDING - 1).for_each(|p| *self.base_y.add(p) = last);
            for slot in 0..self.slots {
                *self.tags.add(slot) = EMPTY;
            }
        }
    }

    /// Samples a block of columns into an im2col tile: row = position, column = tap, channel.
    ///
    /// # Safety
    ///
    /// The columns exist, `image` is the tile's, `col` has a row of `col_stride` elements for each position.
    pub unsafe fn sample(
        &mut self,
        image: &mut Sampled<'_, T>,
        columns: &Columns,
        col: *mut T::Compute,
        col_stride: usize,
    ) {
        let mut parts = self.taps_of_segments(columns).peekable();
        while let Some(((deformable_group, first, channels), t)) = parts.next() {
            // SAFETY: the channels are in the image, the columns in the im2col tile.
            unsafe {
                let (corners, reach) = self.reaching_corners(deformable_group, columns.first_tap + t);
                image.reach(reach);
                let pixels = image.pixels(first);
                if let Some(((deformable_group, ..), t)) = parts.peek() {
                    self.prefetch(*deformable_group, columns.first_tap + t);
                }
                (self.input.kernels.sample)(&SampleArgs {
                    positions: self.tile.positions,
                    channels,
                    corners,
                    image: pixels.first.wrapping_add(first),
                    pixel_stride: pixels.stride,
                    col: col.add(t * columns.channels + first - columns.first_channel),
                    col_stride,
                });
            }
        }
    }

    /// Depthwise: samples a block of columns and adds it, times its weights, to accumulators.
    ///
    /// # Safety
    ///
    /// The columns exist, at most MAX_DEPTHWISE_TAPS taps of which corners are remembered; `image` is the tile's, `to`
    /// has its first panel for the first channel.
    pub unsafe fn depthwise(&mut self, image: &mut Sampled<'_, T>, columns: &Columns, to: &Panels<T::Compute>) {
        let width = self.input.kernels.columns;
        for (deformable_group, first, channels) in self.deformable_segments(columns) {
            // SAFETY: the channels are in the image, and so is what of them lies in one panel.
            unsafe {
                let corners = self.corners_of_taps(deformable_group, columns, |reach| image.reach(reach));
                let (mut first, end) = (first, first + channels);
                while first < end {
                    let (panel, column) =
                        ((first - columns.first_channel) / width, (first - columns.first_channel) % width);
                    // Whole panels, but for what is before the first of them.
                    let channels = if column == 0 { end - first } else { (width - column).min(end - first) };
                    let pixels = image.pixels(first);
                    (self.input.kernels.depthwise)(&DepthwiseArgs {
                        positions: self.tile.positions,
                        channels,
                        corners: corners.as_ptr(),
                        taps: columns.taps,
                        image: pixels.first.add(first),
                        pixel_stride: pixels.stride,
                        weight: to.weight.add(panel * to.weight_stride + column),
                        weight_stride: to.weight_stride,
                        acc: to.acc.add(panel * to.acc_stride + column),
                        acc_stride: to.acc_stride,
                        accumulate: to.accumulate,
                    });
                    first += channels;
                }
            }
        }
    }

    /// The corners of all taps of a block, for a deformable group; `of_tap` is called for each, with how far they
    /// reach.
    ///
    /// # Safety
    ///
    /// Deformable group and taps exist, at most MAX_DEPTHWISE_TAPS of which corners are remembered.
    pub unsafe fn corners_of_taps(
        &mut self,
        deformable_group: usize,
        columns: &Columns,
        mut of_tap: impl FnMut(&Reach<T::Compute>),
    ) -> [Corners<T::Compute>; MAX_DEPTHWISE_TAPS] {
        std::array::from_fn(|t| {
            let tap = columns.first_tap + t.min(columns.taps - 1);
            // SAFETY: the caller's promise.
            let (corners, reach) = unsafe { self.reaching_corners(deformable_group, tap) };
            of_tap(reach);
            corners
        })
    }

    /// The deformable segments of `columns`, each with all its taps in turn: what they sample overlaps.
    pub fn taps_of_segments(&self, columns: &Columns) -> impl Iterator<Item = ((usize, usize, usize), usize)> + use<T> {
        let taps = 0..columns.taps;
        self.deformable_segments(columns).flat_map(move |segment| taps.clone().map(move |t| (segment, t)))
    }

    /// The channels of `columns` cut by deformable group: (deformable group, first channel, channels).
    pub fn deformable_segments(&self, columns: &Columns) -> impl Iterator<Item = (usize, usize, usize)> + use<T> {
        let per_group = self.input.problem.geometry.channels_per_deformable_group() as usize;
        let (mut first, end) = (columns.first_channel, columns.first_channel + columns.channels);
        std::iter::from_fn(move || {
            let deformable_group = first / per_group;
            let channels = end.min((deformable_group + 1) * per_group) - first;
            first += channels;
            (channels > 0).then_some((deformable_group, first - channels, channels))
        })
    }

    /// The sampling corners of a tap of a deformable group, remembered or computed. Valid until the next call.
    ///
    /// # Safety
    ///
    /// Tap and deformable group exist.
    pub unsafe fn corners(&mut self, deformable_group: usize, tap: usize) -> Corners<T::Compute> {
        // SAFETY: the caller's promise.
        unsafe { self.reaching_corners(deformable_group, tap).0 }
    }

    /// The same, and how far they reach.
    unsafe fn reaching_corners(
        &mut self,
        deformable_group: usize,
        tap: usize,
    ) -> (Corners<T::Compute>, &Reach<T::Compute>) {
        let problem = self.input.problem;
        let g = &problem.geometry;
        let key = deformable_group * g.taps() as usize + tap;
        let slot = key % self.slots;
        // SAFETY: the slot exists; channels 2 * key and 2 * key + 1 exist in offset, key in mask.
        unsafe {
            let corners = Corners {
                index: self.index.add(slot * 4 * self.stride),
                weight: self.weight.add(slot * 4 * self.stride),
                fraction: self.fraction.wrapping_add(if self.fraction.is_null() { 0 } else { slot * 3 * self.stride }),
                stride: self.stride,
            };
            let reach = self.reaches.add(slot);
            if *self.tags.add(slot) == key as u64 {
                return (corners, &*reach);
            }
            let offset_y = self.offset().values(&self.tile, 2 * key, self.offset_y);
            let offset_x = self.offset().values(&self.tile, 2 * key + 1, self.offset_x);
            let mask = self.mask(deformable_group, tap);
            let (i, j) = (tap as i64 / g.kernel_w, tap as i64 % g.kernel_w);
            *reach = (self.input.kernels.coordinates)(&CoordinatesArgs {
                positions: self.tile.positions,
                base_y: self.base_y,
                base_x: self.base_x,
                tap_y: T::Compute::from_i64(i * g.dilation_h),
                tap_x: T::Compute::from_i64(j * g.dilation_w),
                offset_y,
                offset_x,
                mask,
                height: g.h as i32,
                width: g.w as i32,
                corners,
            });
            *self.tags.add(slot) = key as u64;
            (corners, &*reach)
        }
    }

    /// The mask of a tap of a deformable group at the tile's positions; ones where the problem has no mask. Valid until
    /// the next call of this or of `corners`.
    ///
    /// # Safety
    ///
    /// Tap and deformable group exist.
    pub unsafe fn mask(&self, deformable_group: usize, tap: usize) -> *const T {
        let key = deformable_group * self.input.problem.geometry.taps() as usize + tap;
        match self.mask_field() {
            // SAFETY: the channel exists.
            Some(mask) => unsafe { mask.values(&self.tile, key, self.mask) },
            None => self.mask,
        }
    }

    /// Asks for offset and mask of a tap that is sampled soon.
    pub fn prefetch(&self, deformable_group: usize, tap: usize) {
        let key = deformable_group * self.input.problem.geometry.taps() as usize + tap;
        self.offset().prefetch(&self.tile, 2 * key);
        self.offset().prefetch(&self.tile, 2 * key + 1);
        if let Some(mask) = self.mask_field() {
            mask.prefetch(&self.tile, key);
        }
    }

    fn offset(&self) -> Field<'a, T> {
        Field { tensor: &self.input.problem.offset, data: self.input.offset }
    }

    fn mask_field(&self) -> Option<Field<'a, T>> {
        self.input.problem.mask.as_ref().map(|tensor| Field { tensor, data: self.input.mask })
    }
}
