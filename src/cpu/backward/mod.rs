//! The fused backward pass. For each image:
//!
//! 1. [`columns`]: unit of channels by unit, x is copied; column gradient = grad_y * weight, a tile at a time; from it
//!    the corner dot products, which give the gradients of offset and mask, and what each sample adds to grad_x;
//!    [`grad_x`] goes to the caller's layout;
//! 2. [`outputs`]: partial sums of the gradients of offset and mask are added up;
//! 3. [`weight`]: grad_weight += grad_y^T * im2col tile, sampled again, which is cheaper than storing it. Where there
//!    are few output channels, this is done in step 1, whose corners are read anyway (`sweeps`).
//!
//! [`bias`] goes along with the last large step that threads share. No step depends on another gradient's being wanted,
//! so bits do not either.

mod ahead;
mod bias;
mod columns;
mod depthwise;
mod grad_x;
mod grad_y;
mod hits;
mod outputs;
mod pack;
mod weight;

use super::element::{Compute, Element};
use super::images::{Blocks, Images, Pixels};
use super::kernels::*;
use super::sampler::SamplerInput;
use super::share::{share, share_in_turn};
use crate::error::Result;
use crate::exec::Team;
use crate::plan::arena::LINE;
use crate::plan::backward::{BackwardPlan, Packing};
use bias::Along;
pub use pack::pack;
use std::ops::Range;

/// The pointers of one run; each covers what the plan's problem describes. NULL: `mask` where absent, `weight` where
/// packed weights are given, gradients that are not wanted.
#[derive(Clone, Copy)]
pub struct BackwardPointers<T: Element> {
    pub x: *const T,
    pub offset: *const T,
    pub mask: *const T,
    pub weight: *const T,
    /// Packed weights, after their header, or NULL.
    pub packed: *const T::Compute,
    pub grad_y: *const T,
    pub grad_x: *mut T,
    pub grad_offset: *mut T,
    pub grad_mask: *mut T,
    pub grad_weight: *mut T,
    pub grad_bias: *mut T,
    /// DCN_GRAD_... bits of the gradients that are added to.
    pub accumulate: u32,
    pub workspace: *mut u8,
}

impl<T: Element> BackwardPointers<T> {
    fn wants_partial(&self) -> bool {
        !self.grad_offset.is_null() || !self.grad_mask.is_null()
    }

    fn wants_columns(&self) -> bool {
        self.wants_partial() || !self.grad_x.is_null()
    }

    /// Column gradient and grad_weight are done in one sweep if everything is wanted that a sample's corners are read
    /// for.
    fn wants_sweep(&self) -> bool {
        self.wants_partial() && !self.grad_x.is_null() && !self.grad_weight.is_null()
    }

    pub(super) fn adds_to(&self, gradient: u32) -> bool {
        self.accumulate & gradient != 0
    }
}

/// An image in flight.
#[derive(Clone, Copy)]
struct Place {
    n: usize,
    /// Of its copy, its grad_x and what belongs to them.
    slot: usize,
    /// Of its sum of grad_weight, where it has one of its own.
    sum: usize,
}

/// A step of a run whose units threads share.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Everything of an image, where each thread has images of its own.
    Images,
    /// The column gradient, and what follows from it.
    Columns,
    /// grad_weight, unless the column gradient's step sums it up.
    Weight,
}

/// A run in progress: the plan and where everything is.
struct Run<'a, T: HasKernels> {
    plan: &'a BackwardPlan<T>,
    tensors: BackwardPointers<T>,
    images: Images<'a, T>,
    /// All packed weights; NULL where each thread packs what it needs.
    packed: *const T::Compute,
    /// The aligned workspace.
    workspace: *mut u8,
}

// SAFETY: tasks read the inputs, and write disjoint parts of the gradients and of the workspace.
unsafe impl<T: HasKernels> Sync for Run<'_, T> {}

/// Computes the gradients that are wanted.
///
/// # Safety
///
/// The pointers are what [`BackwardPointers`] says, the workspace has the plan's size, outputs overlap nothing.
pub unsafe fn run<T: HasKernels>(plan: &BackwardPlan<T>, tensors: BackwardPointers<T>, team: &Team) -> Result<()> {
    let workspace = tensors.workspace.wrapping_add(tensors.workspace.align_offset(LINE));
    let images = Images {
        x: &plan.problem.x,
        data: tensors.x,
        how: plan.image,
        kernels: plan.kernels,
        copies: workspace.wrapping_add(plan.workspace.images),
        copy_size: plan.workspace.image_size,
        blocks: Blocks::Units(&plan.channels),
    };
    let mut run = Run { plan, tensors, images, packed: tensors.packed, workspace };
    // SAFETY: the workspace has room for everything that its map places there; each part is written before it is read.
    unsafe {
        let n = plan.problem.geometry.n as usize;
        if n == 0 {
            return run.no_images(team);
        }
        if tensors.wants_columns() && tensors.packed.is_null() && plan.packing == Packing::All {
            let packed = workspace.wrapping_add(plan.workspace.packed).cast();
            pack(plan, tensors.weight, packed, team)?;
            run.packed = packed;
        }
        let together = if run.image_per_worker() { plan.image_sums } else { plan.images_in_flight };
        for units in run.weight_bands() {
            let mut images = 0..together.min(n);
            loop {
                let bias = run.bias_along(&images, &units);
                if run.image_per_worker() {
                    run.image_by_image(&images, bias, team)?;
                } else {
                    run.images(&images, &units, bias, team)?;
                }
                if images.end == n {
                    break;
                }
                run.add_image_sums(&images, &units, team)?;
                images = images.end..n.min(images.end + together);
            }
            run.finish_weight(&images, &units, team)?;
        }
        Ok(())
    }
}

impl<T: HasKernels> Run<'_, T> {
    /// The units of grad_weight that are added up at a time: all, but where the workspace has no room for them. The
    /// rest of the work goes with the first ones.
    fn weight_bands(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let (all, band) = (self.plan.weight.units(), self.plan.weight_band);
        let bands = if self.tensors.grad_weight.is_null() { 1 } else { all.div_ceil(band) };
        (0..bands).map(move |number| number * band..all.min((number + 1) * band))
    }

    /// What is summed over images, where there are none: zeros.
    unsafe fn no_images(&self, team: &Team) -> Result<()> {
        // SAFETY: units write disjoint parts.
        unsafe {
            share(team, self.plan.workers, self.bias_units(), &|_, unit| self.bias(unit))?;
            self.finish_weight(&(0..0), &(0..self.plan.weight.units()), team)
        }
    }

    /// All gradients of some images, but what is summed over images: of that some units' part is added up.
    unsafe fn images(&self, images: &Range<usize>, units: &Range<usize>, bias: Along, team: &Team) -> Result<()> {
        let (first, count) = (images.start, images.len());
        let columns = units.start == 0 && self.tensors.wants_columns();
        let (grad_x, weight) = (columns && !self.tensors.grad_x.is_null(), !self.tensors.grad_weight.is_null());
        // The column gradient copies x itself, unit by unit.
        let parts = if weight && !columns { self.images.parts() } else { 0 };
        let (by_image, all) = (self.plan.weight.sum.by_image, units.len());
        let weight_units = match (self.has_weight_step(), by_image) {
            (false, _) => 0,
            (_, true) => count * all,
            (_, false) => all,
        };
        // SAFETY: units write disjoint parts; the images exist.
        unsafe {
            share(team, self.plan.workers, count * parts, &|_, unit| {
                self.images.copy_part(first + unit / parts, unit / parts, unit % parts);
            })?;
            if grad_x {
                (0..count).for_each(|slot| self.clear_hits(slot));
            }
            if columns {
                self.column_gradients(first, count, bias.with(Step::Columns), team)?;
            }
            share_in_turn(team, self.plan.workers, [weight_units, bias.with(Step::Weight)], &|worker, unit| {
                if unit >= weight_units {
                    return self.bias(unit - weight_units);
                }
                let (slot, number) = (unit / all, units.start + unit % all);
                let slots = if by_image { slot..slot + 1 } else { 0..count };
                self.add_to_weight(worker, number, first, slots);
            })
        }
    }

    /// Each thread takes the next image and does it alone: all gradients but what is summed over images, of which each
    /// has its own sum. So nobody waits, and one thread copies while another one computes.
    unsafe fn image_by_image(&self, images: &Range<usize>, bias: Along, team: &Team) -> Result<()> {
        share_in_turn(team, self.plan.workers, [images.len(), bias.with(Step::Images)], &|worker, unit| {
            let (n, slot) = (images.start + unit, worker);
            // SAFETY: one task runs as each worker, with that worker's slot; image n exists, and behind images come
            // units of grad_bias.
            unsafe {
                if n >= images.end {
                    return self.bias(n - images.end);
                }
                self.clear_hits(slot);
                self.column_gradients_alone(Place { n, slot, sum: unit }, worker);
            }
        })
    }

    /// Whether the column gradient's sweep over the tiles sums grad_weight up, too.
    fn sweeps(&self) -> bool {
        let plan = self.plan;
        plan.one_sweep && self.tensors.wants_sweep() && plan.weight_band == plan.weight.units()
    }

    /// Whether grad_weight has a step of its own.
    fn has_weight_step(&self) -> bool {
        !self.tensors.grad_weight.is_null() && !self.sweeps()
    }

    /// Whether each thread does images of its own from beginning to end.
    fn image_per_worker(&self) -> bool {
        self.plan.image_per_worker && self.sweeps()
    }

    /// The last large step that threads share for some images.
    fn last_step(&self) -> Step {
        if self.image_per_worker() {
            Step::Images
        } else if self.tensors.wants_columns() && !self.has_weight_step() {
            Step::Columns
        } else {
            Step::Weight
        }
    }

    /// The scratch of a worker.
    unsafe fn scratch(&self, worker: usize) -> *mut u8 {
        // SAFETY: the workspace holds a scratch for each worker.
        unsafe { self.workspace.add(self.plan.workspace.scratch + worker * self.plan.scratch.size) }
    }

    /// grad_x of the image in `slot` as it is summed up: blocks of channels, one behind the other, so that a unit has
    /// its cache lines to itself. Good for the channels of `channel`'s unit.
    unsafe fn grad_pixels(&self, slot: usize, channel: usize) -> Pixels<T::Compute> {
        let map = &self.plan.workspace;
        // SAFETY: slot is one of the images in flight.
        unsafe {
            let image = self.workspace.add(map.grad_images + slot * map.grad_image_size).cast();
            Pixels::of_block(image, self.plan.pixels(), &self.plan.channels.neighbours(channel))
        }
    }

    /// Partial sums of the image in `slot` for a row of partial sums and a tap of the band: three rows, for Δy, Δx and
    /// mask.
    unsafe fn partial(&self, slot: usize, row: usize, tap: usize) -> *mut T::Compute {
        let (map, band) = (&self.plan.workspace, &self.plan.band);
        // SAFETY: slot is one of the images in flight, row and tap are within the band.
        unsafe {
            let image = self.workspace.add(map.partial + slot * map.partial_size).cast::<T::Compute>();
            image.add((row * band.taps + tap) * 3 * band.stride)
        }
    }

    fn sampler_input(&self) -> SamplerInput<'_, T> {
        let (problem, kernels) = (&self.plan.problem, self.plan.kernels);
        SamplerInput { problem, kernels, offset: self.tensors.offset, mask: self.tensors.mask }
    }
}

/// Stores a gradient: rounded once, added to what is there where that is asked for.
///
/// # Safety
///
/// `to` is an element of the gradient, and nobody else looks at it.
pub(super) unsafe fn store<T: Element>(value: T::Compute, to: *mut T, add: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        let value = if add { (*to).to_compute() + value } else { value };
        *to = T::from_compute(value.canonical());
    }
}

/// Sets `count` elements to 0.
///
/// # Safety
///
/// `to` has room for them.
unsafe fn clear<C: Compute>(to: *mut C, count: usize) {
    // SAFETY: the caller's promise; zero bytes are the value 0.
    unsafe { std::ptr::write_bytes(to, 0, count) };
}
