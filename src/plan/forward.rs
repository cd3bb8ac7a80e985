//! The fused forward pass, decided: kernels, tiles, where x and y are read and written directly, the workspace map.

use super::arena::{Arena, LINE};
use super::tiling::Tiling;
use crate::cpu::kernels::{HasKernels, Kernels, POSITION_PADDING};
use crate::error::Result;
use crate::problem::{Problem, Tensor};

/// How the fused pass reads x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// Channels are contiguous and pixels evenly spaced: sampled where it is.
    Direct { pixel_stride: usize },
    /// Copied to the workspace, channels contiguous, an image at a time.
    Copied,
}

/// How the fused pass writes y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Positions of a channel are neighbours (NCHW).
    Planes,
    /// Anything else (NHWC included): element by element along the strides.
    Strided,
}

/// Byte offsets of one thread's scratch, within that scratch.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScratchMap {
    pub base_y: usize,
    pub base_x: usize,
    pub offset_y: usize,
    pub offset_x: usize,
    pub mask: usize,
    pub tags: usize,
    pub index: usize,
    pub weight: usize,
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
    pub image: Image,
    pub output: Output,
    /// Threads that work at once, each with its scratch.
    pub workers: usize,
    /// Images worked on at once, each with its copy where x is copied.
    pub images_in_flight: usize,
    /// One thread does an image from beginning to end, instead of all threads sharing each: for many small images.
    pub image_per_worker: bool,
    pub scratch: ScratchMap,
    pub workspace: WorkspaceMap,
    /// Elements of the packed weights.
    pub packed_len: usize,
}

/// Below this many operations a run stays on the calling thread: waking a pool takes as long as some millions of them.
const PARALLEL_WORK: u64 = 20_000_000;
/// Operations that sampling one value costs, for the estimate above.
const SAMPLE_WORK: u64 = 16;

impl<T: HasKernels> ForwardPlan<T> {
    pub fn new(problem: &Problem, kernels: &'static Kernels<T::Compute>, threads: usize) -> Result<Self> {
        let g = &problem.geometry;
        let samples = g.n as u64 * (g.c * g.taps()) as u64 * g.positions() as u64;
        let work = problem.forward_flops().saturating_add(samples.saturating_mul(SAMPLE_WORK));
        let threads = if work < PARALLEL_WORK { 1 } else { threads };
        let tiling = Tiling::new(g, kernels.rows, kernels.columns, size_of::<T::Compute>(), threads);
        let tiles = (g.positions() as usize).div_ceil(tiling.positions);
        let workers = threads.min((g.n as usize).saturating_mul(tiles)).max(1);
        let image_per_worker = workers > 1 && g.n as usize >= 8 * workers;
        let images_in_flight = workers.min(g.n.max(1) as usize);
        let mut plan = Self {
            problem: *problem,
            kernels,
            tiling,
            image: image::<T>(&problem.x),
            output: output::<T>(&problem.y),
            workers,
            images_in_flight,
            image_per_worker,
            scratch: ScratchMap::default(),
            workspace: WorkspaceMap::default(),
            packed_len: tiling.packed_group() * g.groups as usize,
        };
        plan.scratch = plan.map_scratch()?;
        plan.workspace = plan.map_workspace()?;
        Ok(plan)
    }

    /// Elements of an array with one value for each position of a tile.
    pub fn position_stride(&self) -> usize {
        (self.tiling.positions + POSITION_PADDING).next_multiple_of(POSITION_PADDING)
    }

    pub fn tiles(&self) -> usize {
        (self.problem.geometry.positions() as usize).div_ceil(self.tiling.positions)
    }

    fn map_scratch(&self) -> Result<ScratchMap> {
        let (stride, slots) = (self.position_stride(), self.tiling.coordinate_slots);
        let mut arena = Arena::default();
        Ok(ScratchMap {
            base_y: arena.take::<T::Compute>(stride)?,
            base_x: arena.take::<T::Compute>(stride)?,
            offset_y: arena.take::<T::Compute>(stride)?,
            offset_x: arena.take::<T::Compute>(stride)?,
            mask: arena.take::<T::Compute>(stride)?,
            tags: arena.take::<u64>(slots)?,
            index: arena.take::<i32>(slots * 4 * stride)?,
            weight: arena.take::<T::Compute>(slots * 4 * stride)?,
            col: arena.take::<T::Compute>(self.tiling.positions * self.tiling.col_stride())?,
            acc: arena.take::<T::Compute>(self.tiling.levels * self.tiling.acc_level())?,
            size: arena.size(),
        })
    }

    fn map_workspace(&self) -> Result<WorkspaceMap> {
        let g = &self.problem.geometry;
        let image_size = match self.image {
            Image::Direct { .. } => 0,
            Image::Copied => {
                let mut image = Arena::default();
                image.take::<T::Compute>((g.c * g.h * g.w) as usize)?;
                image.size()
            }
        };
        let mut arena = Arena::default();
        let bias = arena.take::<T::Compute>(g.groups as usize * self.tiling.panels * self.tiling.columns)?;
        let packed = arena.take::<T::Compute>(self.packed_len)?;
        let images = arena.take_bytes(image_size.saturating_mul(self.images_in_flight))?;
        let scratch = arena.take_bytes(self.scratch.size * self.workers)?;
        // The caller's workspace may have any alignment.
        Ok(WorkspaceMap { bias, packed, images, image_size, scratch, size: arena.size() + LINE - 1 })
    }
}

fn image<T: HasKernels>(x: &Tensor) -> Image {
    let [_, c, h, w, _] = x.dims;
    let [_, sc, sh, sw, _] = x.strides;
    match flat_stride([h, w], [sh, sw]) {
        Some(stride @ 0..) if T::IS_COMPUTE && (sc == 1 || c == 1) => Image::Direct { pixel_stride: stride as usize },
        _ => Image::Copied,
    }
}

fn output<T: HasKernels>(y: &Tensor) -> Output {
    let [_, _, h, w, _] = y.dims;
    let [_, _, sh, sw, _] = y.strides;
    let planes = T::IS_COMPUTE && flat_stride([h, w], [sh, sw]) == Some(1);
    if planes { Output::Planes } else { Output::Strided }
}

/// The stride from one element of a plane to the next, row after row, if it is the same everywhere. A plane of one
/// element has any; 1 is as good as another.
pub fn flat_stride([h, w]: [i64; 2], [sh, sw]: [i64; 2]) -> Option<i64> {
    match (h, w) {
        (1, 1) => Some(1),
        (_, 1) => Some(sh),
        (1, _) => Some(sw),
        _ => (sh == w * sw).then_some(sw),
    }
}
