//! The fused forward pass, decided: kernels, tiles, where x and y are read and written directly, the workspace map.

use super::arena::{Arena, LINE};
use super::maps::{Image, Output, SamplerMap, image_size};
use super::tiling::Tiling;
use crate::cpu::kernels::{HasKernels, Kernels};
use crate::cpu::tile::Tile;
use crate::error::Result;
use crate::problem::{Geometry, Problem};

/// Byte offsets of one thread's scratch, within that scratch.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScratchMap {
    pub sampler: SamplerMap,
    pub col: usize,
    pub acc: usize,
    pub size: usize,
}

/// Byte offsets within the workspace, once it is aligned to a cache line.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkspaceMap {
    pub bias: usize,
    pub packed: usize,
    pub images: usize,
    pub image_size: usize,
    pub scratch: usize,
    pub size: usize,
}

pub struct ForwardPlan<T: HasKernels> {
    pub problem: Problem,
    pub kernels: &'static Kernels<T::Compute>,
    pub tiling: Tiling,
    /// Groups of one channel and one output channel, which panels go across.
    pub depthwise: bool,
    pub image: Image,
    /// Channels whose pixels are neighbours where x is copied.
    pub block: usize,
    pub output: Output,
    /// Threads that work at once, each with its scratch.
    pub workers: usize,
    /// Images worked on at once, each with its copy where x is copied.
    pub images_in_flight: usize,
    /// One thread does an image from beginning to end, instead of all threads sharing each: for many
    /// images, or a single thread.
    pub image_per_worker: bool,
    pub scratch: ScratchMap,
    pub workspace: WorkspaceMap,
    /// Elements of the packed weights.
    pub packed_len: usize,
}

/// Below this many operations a run stays on the calling thread. They take 0.4 ms with AVX-512 and 0.7 ms with AVX2; on two
/// threads the median of such runs was no shorter, waking a pool included.
const PARALLEL_WORK: u64 = 100_000_000;
/// Operations that sampling one value costs, for the estimate above.
const SAMPLE_WORK: u64 = 16;

impl<T: HasKernels> ForwardPlan<T> {
    pub fn new(problem: &Problem, kernels: &'static Kernels<T::Compute>, threads: usize) -> Result<Self> {
        let g = &problem.geometry;
        let samples = g.n as u64 * (g.c * g.taps()) as u64 * g.positions() as u64;
        let work = problem.forward_flops().saturating_add(samples.saturating_mul(SAMPLE_WORK));
        let threads = if work < PARALLEL_WORK { 1 } else { threads };
        let depthwise = g.is_depthwise();
        let cut = if depthwise { Tiling::depthwise } else { Tiling::new };
        let tiling = cut(g, kernels.rows, kernels.columns, size_of::<T::Compute>(), threads);
        let tiles = (g.positions() as usize).div_ceil(tiling.positions);
        let workers = threads.min((g.n as usize).saturating_mul(tiles)).max(1);
        let image_per_worker = workers == 1 || g.n as usize >= 8 * workers;
        let images_in_flight = workers.min(g.n.max(1) as usize);
        let mut plan = Self {
            problem: *problem,
            kernels,
            tiling,
            depthwise,
            image: Image::new::<T>(&problem.x),
            block: copied_block(g, size_of::<T::Compute>()),
            output: Output::new(&problem.y),
            workers,
            images_in_flight,
            image_per_worker,
            scratch: ScratchMap::default(),
            workspace: WorkspaceMap::default(),
            packed_len: tiling.packed_group().saturating_mul(if depthwise { 1 } else { g.groups as usize }),
        };
        plan.scratch = plan.map_scratch()?;
        // An empty batch needs none.
        if g.n > 0 {
            plan.workspace = plan.map_workspace()?;
        }
        Ok(plan)
    }

    /// The geometry that weights are packed in: without groups where panels go across them.
    pub fn packed_geometry(&self) -> Geometry {
        let g = self.problem.geometry;
        if self.depthwise { Geometry { c: 1, groups: 1, ..g } } else { g }
    }

    /// Row distance of the im2col tile: a cache line more than the longest row, so that rows do not fall on the same
    /// cache sets.
    pub fn col_stride(&self) -> usize {
        let tiling = &self.tiling;
        let longest = if self.depthwise { tiling.panel_block * tiling.columns } else { tiling.max_depth() };
        longest + LINE / size_of::<f32>()
    }

    pub fn tiles(&self) -> usize {
        (self.problem.geometry.positions() as usize).div_ceil(self.tiling.positions)
    }

    /// Tile number `tile` of image `n`.
    pub fn tile(&self, n: usize, tile: usize) -> Tile {
        let g = &self.problem.geometry;
        let first = tile * self.tiling.positions;
        let positions = self.tiling.positions.min(g.positions() as usize - first);
        Tile::new(n, first, positions, g.out_w as usize)
    }

    fn map_scratch(&self) -> Result<ScratchMap> {
        let tiling = &self.tiling;
        let mut arena = Arena::default();
        Ok(ScratchMap {
            sampler: SamplerMap::new::<T::Compute>(&mut arena, tiling.positions, tiling.coordinate_slots, false)?,
            col: arena.take::<T::Compute>(tiling.positions * self.col_stride())?,
            acc: arena.take::<T::Compute>(tiling.levels * tiling.acc_level())?,
            size: arena.size(),
        })
    }

    fn map_workspace(&self) -> Result<WorkspaceMap> {
        let image_size = if self.image == Image::Copied { image_size::<T>(&self.problem.x)? } else { 0 };
        let mut arena = Arena::default();
        let columns = (self.packed_geometry().groups as usize).saturating_mul(self.tiling.panels * self.tiling.columns);
        let bias = arena.take::<T::Compute>(columns)?;
        let packed = arena.take::<T::Compute>(self.packed_len)?;
        let images = arena.take_bytes(image_size.saturating_mul(self.images_in_flight))?;
        let scratch = arena.take_bytes(self.scratch.size.saturating_mul(self.workers))?;
        // The caller's workspace may have any alignment.
        Ok(WorkspaceMap { bias, packed, images, image_size, scratch, size: arena.size() + LINE - 1 })
    }
}

/// The channels of a deformable group, if they fill no more than a cache line: then a line has nothing but what is sampled
/// together, and the next pixel's. Otherwise all.
fn copied_block(g: &Geometry, size: usize) -> usize {
    let channels = g.channels_per_deformable_group() as usize;
    if channels.is_multiple_of(8) && channels * size <= LINE { channels } else { g.c as usize }
}
