//! The direct backward pass, with its cut of grad_x.

use super::super::arena::{Arena, LINE};
use super::super::implementations::{Facts, Pass, backward_pointers};
use super::weights::Weights;
use crate::abi::*;
use crate::context::Isa;
use crate::cpu::direct::backward;
use crate::cpu::direct::grad_x::Hit;
use crate::cpu::element::Element;
use crate::error::Result;
use crate::exec::Team;
use crate::problem::Problem;

/// Into how many blocks the samples of a channel are cut: the longest chain of additions in memory, where one pixel is
/// hit in every block. Few enough for the error bound to hold even if all terms are alike.
const BLOCKS: usize = 64;
/// Blocks are no smaller than this, whose hits stay in the second-level cache.
const LEAST_BLOCK: usize = 4096;
/// Hits of a block are numbered by 32 bits.
const LARGEST_BLOCK: usize = 1 << 30;

/// How the channels of grad_x are summed up, and each worker's part of the workspace: byte offsets within it.
#[derive(Clone, Copy, Debug)]
pub struct GradXMap {
    pub workers: usize,
    /// Samples of a block.
    pub block: usize,
    pub hits: usize,
    /// Where sums of blocks are added up, if that is not in grad_x itself.
    pub plane: Option<usize>,
    pub worker_size: usize,
}

impl GradXMap {
    /// The hits take at most as much memory as a plane in the type that it is computed in (or a few hundred KiB), which
    /// the plane itself may take once more. That leaves 64 blocks where K * Ho * Wo is at most 4 * H * W and 2^36, and
    /// 256 up to four times either. Beyond that, chains may be longer: those of pixels that samples of so many blocks
    /// hit.
    fn new<T: Element>(problem: &Problem, threads: usize) -> Result<Self> {
        let g = &problem.geometry;
        let (samples, pixels) = ((g.positions() * g.taps()) as usize, (g.h * g.w) as usize);
        let hits_size = 4 * size_of::<Hit<T::Compute>>();
        let most = (pixels.saturating_mul(size_of::<T::Compute>()) / hits_size).min(LARGEST_BLOCK);
        // Halves can be rounded but once: all hits have to be there, or a plane of sums.
        let has_plane = !T::IS_COMPUTE && samples > most;
        let block = if T::IS_COMPUTE || has_plane {
            samples.div_ceil(BLOCKS).min(most).max(LEAST_BLOCK).min(samples)
        } else {
            samples
        };
        let mut arena = Arena::default();
        Ok(Self {
            workers: threads.min((g.n * g.c) as usize),
            block,
            hits: arena.take_bytes(block * hits_size)?,
            plane: has_plane.then(|| arena.take::<T::Compute>(pixels)).transpose()?,
            worker_size: arena.size(),
        })
    }

    /// Bytes of the workspace, which may have any alignment.
    fn size(&self) -> Result<usize> {
        let mut arena = Arena::default();
        arena.take_bytes(self.worker_size.saturating_mul(self.workers))?;
        Ok(if arena.size() > 0 { arena.size() + LINE - 1 } else { 0 })
    }
}

pub struct DirectBackward<T> {
    problem: Problem,
    weights: Weights<T>,
    workers: usize,
    grad_x: GradXMap,
    workspace_size: usize,
}

impl<T: Element> DirectBackward<T> {
    pub fn new(problem: &Problem, threads: usize) -> Result<Self> {
        let grad_x = GradXMap::new::<T>(problem, threads)?;
        let workspace_size = grad_x.size()?;
        Ok(Self { problem: *problem, weights: Weights::new(problem), workers: threads, grad_x, workspace_size })
    }
}

impl<T: Element> Pass<dcn_backward_args> for DirectBackward<T> {
    fn facts(&self) -> Facts {
        Facts {
            kernel: c"direct",
            isa: Isa::Scalar.name(),
            workers: self.workers,
            tile_positions: 0,
            workspace_size: self.workspace_size,
            packed_size: self.weights.packed_size(),
            packed_layout: self.weights.packed_layout(DCN_PASS_BACKWARD),
        }
    }

    unsafe fn pack(&self, args: &dcn_pack_args, _team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.weights.pack(args) };
        Ok(())
    }

    unsafe fn run(&self, args: &dcn_backward_args, workspace: *mut u8, team: &Team) -> Result<()> {
        let mut tensors = backward_pointers::<T>(args, workspace);
        let (problem, weight) = self.weights.of_run(&self.problem, tensors.weight, args.packed_weight);
        tensors.weight = weight;
        // SAFETY: the caller's promise.
        unsafe { backward::run(&problem, self.workers, &self.grad_x, tensors, team) }
    }
}
