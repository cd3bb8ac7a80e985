//! The fused backward pass, decided: cuts, the workspace map. Whatever fixes an order of summation is derived from
//! problem and kernels alone; only the cut of grad_weight, which fixes none, looks at the number of threads.

use super::arena::{Arena, LINE, THREAD_BYTES};
use super::band::{Band, BandPart};
use super::batch::{IMAGE_SUM_BYTES, in_flight, kept_sums, threads_for, units_of};
use super::cuts::{ChannelCut, WEIGHT_DEPTH, WeightCut, WeightSum};
use super::maps::{Image, SamplerMap, image_size};
use crate::cpu::element::MAX_SAMPLE_CHANNELS;
use crate::cpu::kernels::{HasKernels, Kernels, MAX_DEPTHWISE_TAPS};
use crate::error::Result;
use crate::plan::tiling::MAX_CHAIN;
use crate::problem::Problem;

/// Elements from row to row of the tiles: one cache line more than their longest row, so that rows do not fall on the
/// same cache sets.
const ROW_PADDING: usize = 16;
/// Output channels whose part of grad_y is copied at a time.
const OUTPUT_BLOCK: usize = 512;
/// Processors take a load from behind a store at the same place of another page for one of what was stored, and wait. x
/// and grad_x are read and written at the same pixels, so they are kept half a page apart.
const PAGE: usize = 4096;
/// Most of grad_weight that is summed up while the column gradient is computed.
const SWEEP_BYTES: usize = 160 << 10;

/// Byte offsets of one thread's scratch, within that scratch.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScratchMap {
    pub sampler: SamplerMap,
    /// A tile of grad_y.
    pub grad_y: usize,
    pub gcol: usize,
    pub dots: usize,
    /// A tile's gradients of offset and mask for one tap.
    pub offset_gradients: usize,
    /// What corners outside the image are given of grad_x.
    pub outside: usize,
    pub col: usize,
    /// Packed weights of a unit or of a block of output channels.
    pub packed: usize,
    pub size: usize,
}

/// Byte offsets within the workspace, once it is aligned to a cache line.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkspaceMap {
    /// All packed weights, where they are packed beforehand.
    pub packed: usize,
    pub images: usize,
    pub image_size: usize,
    pub grad_images: usize,
    pub grad_image_size: usize,
    /// The second level of grad_x's sums, where grad_x itself is of half precision.
    pub second_images: usize,
    /// Hits of the pixels of grad_x, and marks behind them.
    pub hits: usize,
    pub hits_size: usize,
    pub partial: usize,
    pub partial_size: usize,
    pub grad_weight: usize,
    pub scratch: usize,
    pub size: usize,
}

/// How much of the weights is packed at a time in a run without packed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// All, beforehand, in the workspace.
    All,
    /// Those of a unit and a band's taps, in the scratch of the thread that does it.
    Unit,
    /// A block of output channels of them, for each tile.
    Outputs,
}

pub struct BackwardPlan<T: HasKernels> {
    pub problem: Problem,
    /// Groups of one channel and one output channel, whose products go across channels.
    pub depthwise: bool,
    pub kernels: &'static Kernels<T>,
    pub image: Image,
    pub workers: usize,
    pub images_in_flight: usize,
    /// In a sweep over a batch, each thread does images of its own from beginning to end.
    pub image_per_worker: bool,
    /// Images whose sums of grad_weight are kept, where they have their own, until they are added up.
    pub image_sums: usize,
    /// Positions of a tile of the column gradient.
    pub positions: usize,
    pub channels: ChannelCut,
    /// All channels of each deformable group are worked on together: no partial sums are kept.
    pub whole_groups: bool,
    pub band: Band,
    /// Column gradient and grad_weight are cut into the same tiles and units, so that one sweep over them can do both.
    pub one_sweep: bool,
    pub weight: WeightCut,
    /// Units of grad_weight that are added up at a time.
    pub weight_band: usize,
    pub packing: Packing,
    /// Output channels whose part of grad_y is copied at a time.
    pub output_block: usize,
    pub scratch: ScratchMap,
    pub workspace: WorkspaceMap,
}

impl<T: HasKernels> BackwardPlan<T> {
    pub fn new(problem: &Problem, kernels: &'static Kernels<T>, threads: usize) -> Result<Self> {
        let g = &problem.geometry;
        let size = size_of::<T::Compute>();
        let threads = threads_for(problem, threads);
        let channels = ChannelCut::new(g, kernels.columns, units_of(problem));
        let positions = (96 * size_of::<f32>() / size).min((g.positions() as usize).next_multiple_of(16));
        let whole_groups = channels.has_whole_deformable_groups();
        let tiles = (g.positions() as usize).div_ceil(positions);
        let band = Band::new(&channels, tiles, positions, size);
        let band = if whole_groups { band.without_sums(&channels, tiles) } else { band };
        let sum = weight_sum(problem, &channels, kernels.columns, positions);
        // In the sweep over the tiles of the column gradient, a unit of an image is one thread's.
        let one_sweep = sum.is_some() && (g.n == 1 || threads <= channels.units().saturating_mul(g.n as usize));
        let sum = sum.unwrap_or(WeightSum { depth: WEIGHT_DEPTH, by_image: false });
        let weight = if one_sweep {
            WeightCut::of_segments(g, kernels.columns, channels.block, sum)
        } else {
            WeightCut::new(g, kernels.columns, channels.block, threads, sum)
        };
        // Of the phases, these two have the largest units.
        let units = channels.units().saturating_mul(g.n as usize).max(weight.units());
        let mut plan = Self {
            problem: *problem,
            depthwise: g.is_depthwise(),
            kernels,
            image: Image::new::<T>(&problem.x),
            workers: threads.min(units),
            images_in_flight: 1,
            image_per_worker: false,
            image_sums: 1,
            positions,
            channels,
            whole_groups,
            band,
            one_sweep,
            weight,
            weight_band: weight.units(),
            packing: Packing::All,
            output_block: OUTPUT_BLOCK.min(channels.outputs),
            scratch: ScratchMap::default(),
            workspace: WorkspaceMap::default(),
        };
        plan.share_images();
        // All packed weights, a run's or the caller's, are to be counted.
        Arena::default().take::<T::Compute>(plan.packed_len())?;
        plan.scratch = plan.map_scratch()?;
        plan.keep_to_bound();
        plan.scratch = plan.map_scratch()?;
        // An empty batch needs none.
        if g.n > 0 {
            plan.workspace = plan.map_workspace()?;
        }
        Ok(plan)
    }

    /// Decides how many images the threads work on at a time.
    fn share_images(&mut self) {
        let (weight, units) = (&self.weight, self.channels.units());
        let alone = self.one_sweep && weight.sum.by_image && self.whole_groups && units == 1;
        self.image_per_worker = alone && self.workers > 1;
        if self.image_per_worker {
            let image_bytes = weight.acc_len(weight.units()).saturating_mul(size_of::<T::Compute>());
            self.images_in_flight = self.workers;
            self.image_sums = kept_sums(image_bytes, self.problem.geometry.n as usize, self.workers);
        } else {
            self.images_in_flight = in_flight(&self.problem, units, self.workers);
            self.image_sums = self.images_in_flight;
        }
    }

    pub fn gcol_stride(&self) -> usize {
        self.channels.panels() * self.kernels.columns + ROW_PADDING
    }

    pub fn col_stride(&self) -> usize {
        self.weight.padded_width() + ROW_PADDING
    }

    /// Depthwise: row distance of a tile of grad_y, positions outside.
    pub fn grad_y_stride(&self) -> usize {
        self.channels.block + ROW_PADDING
    }

    /// Elements of the dot products of the taps that are worked on together.
    pub fn dots_len(&self) -> usize {
        4 * self.scratch.sampler.stride * self.taps_together()
    }

    /// Taps whose corners are needed at a time.
    fn taps_together(&self) -> usize {
        if self.depthwise { self.channels.taps.min(MAX_DEPTHWISE_TAPS) } else { 1 }
    }

    /// Pixels of an image.
    pub fn pixels(&self) -> usize {
        (self.problem.geometry.h * self.problem.geometry.w) as usize
    }

    /// Sets of channels whose samples hit the same pixels.
    pub fn hit_rows(&self) -> usize {
        self.channels.slots() + self.channels.group_count() - 1
    }

    /// Bytes that count the hits of an image.
    fn hits_len(&self) -> usize {
        self.hit_rows().saturating_mul(self.pixels() + 1)
    }

    /// Elements of the packed weights.
    pub fn packed_len(&self) -> usize {
        if self.depthwise {
            self.channels.taps.saturating_mul(self.problem.geometry.c as usize)
        } else {
            self.channels.packed_len()
        }
    }

    /// Tiles of an image.
    pub fn tiles(&self) -> usize {
        (self.problem.geometry.positions() as usize).div_ceil(self.positions)
    }

    /// The bands of an image.
    pub fn band_parts(&self) -> impl Iterator<Item = BandPart> {
        self.band.parts(&self.channels, self.tiles())
    }

    /// Elements of all accumulators of so many units of grad_weight.
    fn weight_acc_len(&self, units: usize) -> usize {
        self.weight.all_acc_len(units, self.image_sums)
    }

    /// Decides what is done at a time, where the workspace has no room for everything at once.
    fn keep_to_bound(&mut self) {
        let size = size_of::<T::Compute>();
        let of_thread = THREAD_BYTES - 2 * LINE - PAGE - self.scratch.size;
        let partial = self.band.partial_len().saturating_mul(size) + LINE;
        let room = (of_thread * self.workers).saturating_sub(partial.saturating_mul(self.images_in_flight));
        // Those of large images come on top.
        let room = room.checked_sub(self.hits_len().saturating_mul(self.images_in_flight)).unwrap_or(room);
        // Two copies of grad_weight are allowed; more are for sizes that are rounded up.
        let copies = self.problem.weight.elements() as usize * 2 * size;
        let unit = self.weight_acc_len(1) * size;
        self.weight_band = ((copies + room / 2) / unit).clamp(1, self.weight.units());
        let room = room.saturating_sub((self.weight_band.saturating_mul(unit)).saturating_sub(copies));
        if self.packed_len().saturating_mul(size) <= room {
            return;
        }
        let unit = self.unit_packed_len().saturating_mul(size);
        let of_thread = room / self.workers + partial * self.images_in_flight / self.workers;
        let tile = self.band.with_tiles(1).partial_len() * size;
        self.packing = if !self.depthwise && unit.saturating_add(tile) <= of_thread {
            let most = (of_thread - unit).checked_div(tile).unwrap_or(self.band.tiles);
            self.band = self.band.with_tiles(self.band.tiles.min(most));
            Packing::Unit
        } else {
            Packing::Outputs
        };
    }

    /// Elements of the packed weights of a unit and the taps of a band.
    fn unit_packed_len(&self) -> usize {
        let tap_blocks = self.band.taps.div_ceil(self.channels.tap_block);
        self.channels.packed_block().saturating_mul(self.channels.segments_per_unit() * tap_blocks)
    }

    /// Elements that a thread packs at a time.
    fn thread_packed_len(&self) -> usize {
        let (cut, width) = (&self.channels, self.kernels.columns);
        match self.packing {
            Packing::All => 0,
            Packing::Unit => self.unit_packed_len(),
            Packing::Outputs if self.depthwise => self.taps_together() * cut.block,
            Packing::Outputs => cut.panels() * width * cut.outputs.min(MAX_CHAIN),
        }
    }

    fn map_scratch(&self) -> Result<ScratchMap> {
        let depth = self.weight.sum.depth;
        let positions = self.positions.max(depth);
        let mut arena = Arena::default();
        let slots = self.channels.coordinate_slots().max(self.taps_together());
        let sampler = SamplerMap::new::<T::Compute>(&mut arena, positions, slots, true)?;
        // Depthwise there is no tile of the column gradient, nor of samples.
        let [grad_y, gcol, col] = if self.depthwise {
            [positions * self.grad_y_stride(), 0, 0]
        } else {
            [
                tile_len(self.positions, self.output_block).max(tile_len(depth, self.weight.rows)),
                self.positions * self.gcol_stride(),
                depth * self.col_stride(),
            ]
        };
        Ok(ScratchMap {
            sampler,
            grad_y: arena.take::<T::Compute>(grad_y)?,
            gcol: arena.take::<T::Compute>(gcol)?,
            dots: arena.take::<T::Compute>(4 * sampler.stride * self.taps_together())?,
            offset_gradients: arena.take::<T::Compute>(3 * sampler.stride)?,
            outside: arena.take::<T::Compute>(MAX_SAMPLE_CHANNELS)?,
            col: arena.take::<T::Compute>(col)?,
            packed: arena.take::<T::Compute>(self.thread_packed_len())?,
            size: arena.size(),
        })
    }

    fn map_workspace(&self) -> Result<WorkspaceMap> {
        let grad_image_size = image_size::<T>(&self.problem.x)?;
        let image_size = if self.image == Image::Copied { grad_image_size } else { 0 };
        let mut partial = Arena::default();
        partial.take::<T::Compute>(self.band.partial_len())?;
        let partial_size = partial.size();
        let mut hits = Arena::default();
        hits.take_bytes(self.hits_len())?;
        let hits_size = hits.size();
        let mut arena = Arena::default();
        let images = arena.take_bytes(image_size.saturating_mul(self.images_in_flight))?;
        arena.take_bytes((PAGE + PAGE / 2 - arena.size() % PAGE) % PAGE)?;
        let mut each = |size: usize| arena.take_bytes(size.saturating_mul(self.images_in_flight));
        let grad_images = each(grad_image_size)?;
        let (partial, hits) = (each(partial_size)?, each(hits_size)?);
        let second_images = each(if T::IS_COMPUTE { 0 } else { grad_image_size })?;
        let packed = arena.take::<T::Compute>(if self.packing == Packing::All { self.packed_len() } else { 0 })?;
        let grad_weight = arena.take::<T::Compute>(self.weight_acc_len(self.weight_band))?;
        let scratch = arena.take_bytes(self.scratch.size.saturating_mul(self.workers))?;
        Ok(WorkspaceMap {
            packed,
            images,
            image_size,
            grad_images,
            grad_image_size,
            second_images,
            hits,
            hits_size,
            partial,
            partial_size,
            grad_weight,
            scratch,
            // The caller's workspace may have any alignment.
            size: arena.size() + LINE - 1,
        })
    }
}

/// How grad_weight is summed up if a tile's column gradient and a unit of it fit the second-level cache together: then
/// each sample is made when its corners are read for the column gradient. Images of a batch go to different threads,
/// which cannot add to one sum, so each has its own.
fn weight_sum(problem: &Problem, channels: &ChannelCut, columns: usize, depth: usize) -> Option<WeightSum> {
    let g = &problem.geometry;
    let sum = WeightSum { depth, by_image: g.n > 1 };
    let rows = if g.is_depthwise() { 1 } else { channels.outputs };
    let fits = rows <= OUTPUT_BLOCK && channels.panels() * columns * rows * size_of::<f32>() <= SWEEP_BYTES;
    let image = WeightCut::of_segments(g, columns, channels.block, sum);
    let image_fits = || image.acc_len(image.units()).saturating_mul(size_of::<f32>()) <= IMAGE_SUM_BYTES;
    (fits && channels.tap_blocks() == 1 && (g.n == 1 || (g.n <= MAX_CHAIN as i64 && image_fits()))).then_some(sum)
}

/// Elements from row to row of a tile with rows of so many.
pub fn padded_row(len: usize) -> usize {
    len.next_multiple_of(ROW_PADDING) + ROW_PADDING
}

/// Room for a tile of grad_y, whichever its rows are.
fn tile_len(positions: usize, outputs: usize) -> usize {
    (outputs * padded_row(positions)).max(positions * padded_row(outputs))
}
