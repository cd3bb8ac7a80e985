//! The fused forward pass, decided: kernels, tiles, where x and y are read and written directly, the workspace map.

use super::arena::{Arena, LINE, THREAD_BYTES};
use super::maps::{Image, MOST_PARTS, Output, SamplerMap, image_size};
use super::sharing::Sharing;
use super::tiling::{GROUP_CHANNELS, Tiling, even_block};
use crate::cpu::kernels::{HasKernels, Kernels};
use crate::cpu::window::Window;
use crate::error::Result;
use crate::problem::{Geometry, Problem};
use std::ops::Range;

/// Byte offsets of one thread's scratch, within that scratch.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScratchMap {
    pub sampler: SamplerMap,
    pub col: usize,
    pub acc: usize,
    /// A block of packed weights, where they are packed block by block.
    pub packed: usize,
    /// Rows of x, where they are copied to a window, and which they are.
    pub window: usize,
    pub window_state: usize,
    pub size: usize,
}

/// Byte offsets within the workspace, once it is aligned to a cache line.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkspaceMap {
    /// A part of the packed weights.
    pub packed: usize,
    pub images: usize,
    pub image_size: usize,
    /// The states of the copies' parts, MOST_PARTS bytes for each copy that threads share or that windows are for.
    pub parts: usize,
    pub scratch: usize,
    pub size: usize,
}

/// Some groups, and some panels of output channels of each.
#[derive(Clone, Debug)]
pub struct Part {
    pub groups: Range<usize>,
    pub panels: Range<usize>,
}

/// Where a run without packed weights packs them. It has a bounded workspace for that.
#[derive(Clone, Copy, Debug)]
pub enum Packing {
    /// So many groups and panels at a time, in the workspace; all positions are computed for them before the next part.
    Parts { groups: usize, panels: usize },
    /// Where not even a panel fits: block by block of its sum, in each thread's scratch, for strips of tiles.
    Blocks(Tiling),
}

pub struct ForwardPlan<T: HasKernels> {
    pub problem: Problem,
    pub kernels: &'static Kernels<T>,
    pub tiling: Tiling,
    pub packing: Packing,
    /// Groups of one channel and one output channel, which panels go across.
    pub depthwise: bool,
    pub image: Image,
    /// Channels whose pixels are neighbours where x is copied.
    pub block: usize,
    /// Rows of each thread's window of x; 0 for none.
    pub window_rows: usize,
    pub output: Output,
    /// Lines of y are asked for before they are written.
    pub asks_for_output: bool,
    /// Threads that work at once, each with its scratch.
    pub workers: usize,
    /// Images worked on at once, each with its copy where x is copied; then no more than threads.
    pub images_in_flight: usize,
    /// One thread does an image from beginning to end, instead of all threads sharing each.
    pub image_per_worker: bool,
    pub scratch: ScratchMap,
    pub workspace: WorkspaceMap,
    /// Elements of the packed weights.
    pub packed_len: usize,
}

/// A window of so many bytes has room for what tiles mostly reach. One of 8 MiB falls out of the cache.
const WINDOW_BYTES: usize = 5 << 20;
/// Fewer rows than this would often not hold what the samples of a tile reach.
const WINDOW_ROWS: usize = 24;
/// A y of so many bytes is in a cache, if the caller used it lately.
const NEAR_OUTPUT: usize = 1 << 20;
/// Operations that sampling one value costs, for an estimate.
const SAMPLE_WORK: u64 = 16;

impl<T: HasKernels> ForwardPlan<T> {
    pub fn new(problem: &Problem, kernels: &'static Kernels<T>, threads: usize) -> Result<Self> {
        let g = &problem.geometry;
        let samples = g.n as u64 * (g.c * g.taps()) as u64 * g.positions() as u64;
        let work = problem.forward_flops().saturating_add(samples.saturating_mul(SAMPLE_WORK));
        let image = Image::new::<T>(&problem.x);
        let depthwise = g.is_depthwise();
        let tiling = |sharing: &Sharing| Self::tiling(problem, kernels, sharing);
        let cost = |sharing: &Sharing| sharing.cost(g.positions() as usize, tiling(sharing).positions);
        let sharing = Sharing::new(g.n, work, image == Image::Copied, threads, cost);
        let tiling = tiling(&sharing);
        let workers = sharing.threads.min((g.n as usize).saturating_mul(tiling.tiles(g))).max(1);
        let groups = if depthwise { 1 } else { g.groups as usize };
        let mut plan = Self {
            problem: *problem,
            kernels,
            tiling,
            packing: Packing::Parts { groups, panels: tiling.panels },
            depthwise,
            image,
            block: g.c as usize,
            window_rows: 0,
            output: Output::new(&problem.y),
            asks_for_output: false,
            workers,
            images_in_flight: if sharing.image_per_thread { workers } else { sharing.images },
            image_per_worker: sharing.image_per_thread,
            scratch: ScratchMap::default(),
            workspace: WorkspaceMap::default(),
            packed_len: tiling.packed_group().saturating_mul(groups),
        };
        // All packed weights, a run's or the caller's, are to be counted.
        Arena::default().take::<T::Compute>(plan.packed_len)?;
        plan.scratch = plan.map_scratch()?;
        plan.packing = plan.decide_packing();
        plan.block = plan.copied_block();
        plan.scratch = plan.map_scratch()?;
        plan.window_rows = plan.decide_window();
        plan.asks_for_output = plan.decide_asking();
        plan.scratch = plan.map_scratch()?;
        // An empty batch needs none.
        if g.n > 0 {
            plan.workspace = plan.map_workspace()?;
        }
        Ok(plan)
    }

    fn tiling(problem: &Problem, kernels: &Kernels<T>, sharing: &Sharing) -> Tiling {
        let g = &problem.geometry;
        let cut = if g.is_depthwise() { Tiling::depthwise } else { Tiling::new };
        cut(g, kernels.rows, kernels.columns, size_of::<T::Compute>(), sharing)
    }

    /// As large parts as there is room for beside the threads' scratch.
    fn decide_packing(&self) -> Packing {
        let tiling = &self.tiling;
        let room = (THREAD_BYTES - self.scratch.size).saturating_mul(self.workers) - 2 * LINE;
        let room = room - self.part_states();
        let room = room / size_of::<T::Compute>();
        let groups = room / tiling.packed_group();
        if groups > 0 {
            let groups = even_block(self.packed_geometry().groups as usize, groups, 1);
            return Packing::Parts { groups, panels: tiling.panels };
        }
        let panels = room / tiling.packed_panel();
        if panels > 0 {
            return Packing::Parts { groups: 1, panels: even_block(tiling.panels, panels, 1) };
        }
        Packing::Blocks(self.strips())
    }

    /// The channels of a deformable group, if they fill no more than a cache line: then a line has nothing but what is
    /// sampled together, and the next pixel's. Depthwise those that a tile takes at a time, if all parts of the output
    /// channels start with such; otherwise all.
    fn copied_block(&self) -> usize {
        let (g, tiling) = (&self.problem.geometry, &self.tiling);
        let channels = g.channels_per_deformable_group() as usize;
        if channels.is_multiple_of(GROUP_CHANNELS) && channels * size_of::<T::Compute>() <= LINE {
            return channels;
        }
        let of_tile = tiling.panel_block * tiling.columns;
        let keeps_tiles = match self.packing {
            Packing::Parts { panels, .. } => panels == tiling.panels || panels.is_multiple_of(tiling.panel_block),
            Packing::Blocks(strips) => strips.panel_block == tiling.panel_block,
        };
        let fits = self.depthwise && keeps_tiles && (g.c as usize).is_multiple_of(of_tile);
        if fits { of_tile } else { g.c as usize }
    }

    /// Rows of a thread's window of x; 0 for none. Windows are for images of blocks of few channels, too large to be
    /// near all the time.
    fn decide_window(&self) -> usize {
        let (g, size) = (&self.problem.geometry, size_of::<T::Compute>());
        let row = self.row_elements().saturating_mul(size);
        let packed = (self.packed_in_run() * size).div_ceil(self.workers);
        let room = (THREAD_BYTES - 4 * LINE - MOST_PARTS).saturating_sub(self.scratch.size + packed);
        let rows = WINDOW_BYTES.min(room) / row;
        // Of an image of which little is sampled, little is copied.
        let all_is_sampled = g.taps().saturating_mul(g.positions()) >= g.h * g.w;
        let pays = !self.depthwise && self.block < g.c as usize && all_is_sampled;
        if pays && (WINDOW_ROWS..g.h as usize).contains(&rows) { rows } else { 0 }
    }

    /// Whether it pays to ask for lines of y: where the positions of a plane share them, no cache is likely to have
    /// them, and no window of x needs the room more.
    fn decide_asking(&self) -> bool {
        let y = &self.problem.y;
        let elements = y.dims[..4].iter().fold(1, |product: i64, &dim| product.saturating_mul(dim)) as usize;
        let is_far = elements.saturating_mul(size_of::<T>()) > NEAR_OUTPUT;
        self.output == Output::Planes && is_far && self.window_rows == 0 && !self.depthwise
    }

    /// Elements of a row of x, all channels.
    fn row_elements(&self) -> usize {
        (self.problem.geometry.w as usize).saturating_mul(self.problem.geometry.c as usize)
    }

    /// Elements of the packed weights that a run has room for in the workspace.
    fn packed_in_run(&self) -> usize {
        match self.packing {
            Packing::Parts { groups, panels } => groups * panels * self.tiling.packed_panel(),
            Packing::Blocks(_) => 0,
        }
    }

    /// Large tiles, in strips of as many of them as the accumulators have room for and all threads get equally many of.
    fn strips(&self) -> Tiling {
        let (g, size) = (&self.problem.geometry, size_of::<T::Compute>());
        let tiling = Self::tiling(&self.problem, self.kernels, &Sharing::alone(g.n));
        let tiles = tiling.tiles(g);
        let mut strips = tiles.div_ceil(tiling.in_strips(size, tiles).strip);
        while strips < tiles && !evenly_shared(strips.saturating_mul(self.images_in_flight), self.workers) {
            strips += 1;
        }
        tiling.in_strips(size, tiles.div_ceil(strips))
    }

    /// All output channels.
    pub fn all(&self) -> Part {
        Part { groups: 0..self.packed_geometry().groups as usize, panels: 0..self.tiling.panels }
    }

    /// The output channels, cut as weights are packed.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let all = self.all();
        let [groups, panels] = match self.packing {
            Packing::Parts { groups, panels } => [groups, panels],
            Packing::Blocks(_) => [all.groups.end, all.panels.end],
        };
        all.groups.clone().step_by(groups).flat_map(move |group| {
            let groups = group..all.groups.end.min(group + groups);
            let end = all.panels.end;
            all.panels
                .clone()
                .step_by(panels)
                .map(move |panel| Part { groups: groups.clone(), panels: panel..end.min(panel + panels) })
        })
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
        tiling.max_depth() + LINE / size_of::<f32>()
    }

    fn map_scratch(&self) -> Result<ScratchMap> {
        let strips = match self.packing {
            Packing::Parts { .. } => None,
            Packing::Blocks(strips) => Some(strips),
        };
        // A run has one cut or the other.
        let most = |of: &dyn Fn(&Tiling) -> usize| of(&self.tiling).max(strips.as_ref().map_or(0, of));
        let (positions, slots) = (most(&|tiling| tiling.positions), most(&|tiling| tiling.coordinate_slots));
        let mut arena = Arena::default();
        Ok(ScratchMap {
            sampler: SamplerMap::new::<T::Compute>(&mut arena, positions, slots, false)?,
            // Depthwise there is no im2col tile.
            col: arena.take::<T::Compute>(if self.depthwise { 0 } else { positions * self.col_stride() })?,
            acc: arena.take::<T::Compute>(most(&|tiling| tiling.levels * tiling.acc_level()))?,
            packed: arena.take::<T::Compute>(strips.map_or(0, |strips| strips.packed_block()))?,
            window: arena.take::<T::Compute>(self.window_rows * self.row_elements())?,
            window_state: arena.take_bytes(Window::<T::Compute>::STATE_BYTES)?,
            size: arena.size(),
        })
    }

    /// Bytes for the states of the copies' parts.
    fn part_states(&self) -> usize {
        let has_states = !self.image_per_worker || self.window_rows > 0;
        if self.image == Image::Copied && has_states { MOST_PARTS * self.images_in_flight } else { 0 }
    }

    fn map_workspace(&self) -> Result<WorkspaceMap> {
        let image_size = if self.image == Image::Copied { image_size::<T>(&self.problem.x)? } else { 0 };
        let mut arena = Arena::default();
        let packed = arena.take::<T::Compute>(self.packed_in_run())?;
        let images = arena.take_bytes(image_size.saturating_mul(self.images_in_flight))?;
        let parts = arena.take_bytes(self.part_states())?;
        let scratch = arena.take_bytes(self.scratch.size.saturating_mul(self.workers))?;
        // The caller's workspace may have any alignment.
        Ok(WorkspaceMap { packed, images, image_size, parts, scratch, size: arena.size() + LINE - 1 })
    }
}

/// Whether so many units keep the workers busy for all but a ninth of the time.
fn evenly_shared(units: usize, workers: usize) -> bool {
    (workers - units % workers) % workers <= units / 8
}
