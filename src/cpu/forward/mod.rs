//! The fused forward pass: pack the weights unless the caller did, all or a part of them, bring an image into the
//! layout that sampling wants, compute its tiles ([`strip`]), write them to y ([`store`]).

mod store;
mod strip;

use super::element::{Compute, Element};
use super::images::{Blocks, Images};
use super::kernels::HasKernels;
use super::pack::{Pack, Packed};
use super::sampled::{Made, Sampled};
use super::share::share;
use super::shared_copy::SharedParts;
use super::window::Window;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::arena::LINE;
use crate::plan::forward::{ForwardPlan, Packing, Part};
use crate::plan::maps::MOST_PARTS;
use crate::plan::tiling::Tiling;
use crate::problem::Tensor;
use std::ffi::c_void;
use strip::Worker;

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
    tiling: &'a Tiling,
    images: Images<'a, T>,
    /// What is computed, and its packed weights; NULL where they are packed block by block.
    packed: Packed<T::Compute>,
    /// States of the copies' parts.
    parts: *mut u8,
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
    if plan.problem.geometry.n == 0 {
        return Ok(());
    }
    let workspace = tensors.workspace.wrapping_add(tensors.workspace.align_offset(LINE));
    let map = &plan.workspace;
    let images = Images {
        x: &plan.problem.x,
        data: tensors.x,
        how: plan.image,
        kernels: plan.kernels,
        copies: workspace.wrapping_add(map.images),
        copy_size: map.image_size,
        blocks: Blocks::Even(plan.block),
    };
    let scratch = workspace.wrapping_add(map.scratch);
    let mut run = Run {
        plan,
        tensors,
        tiling: &plan.tiling,
        images,
        parts: workspace.wrapping_add(map.parts),
        packed: Packed { data: tensors.packed.cast_mut(), part: plan.all() },
        scratch,
    };
    // SAFETY: the workspace has room for everything that its map places there; each part is written before it is read.
    unsafe {
        match &plan.packing {
            Packing::Parts { .. } if tensors.packed.is_null() => {
                run.packed.data = workspace.wrapping_add(map.packed).cast();
                for (number, part) in plan.parts().enumerate() {
                    run.packed.part = part;
                    pack_part(plan, tensors.weight, &run.packed, team)?;
                    run.all_positions(number > 0, team)?;
                }
                return Ok(());
            }
            Packing::Blocks(strips) if tensors.packed.is_null() => run.tiling = strips,
            _ => {}
        }
        run.all_positions(false, team)
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
    let packed = Packed { data: to, part: plan.all() };
    // SAFETY: the caller's promise.
    unsafe { pack_part(plan, weight, &packed, team) }
}

/// Packs the weights of a part of the output channels.
unsafe fn pack_part<T: HasKernels>(
    plan: &ForwardPlan<T>,
    weight: *const T,
    to: &Packed<T::Compute>,
    team: &Team,
) -> Result<()> {
    let (geometry, tiling) = (plan.packed_geometry(), &plan.tiling);
    let job = Pack { kernels: plan.kernels, geometry, tiling, described: &plan.problem.weight, weight };
    let Part { groups, panels } = &to.part;
    share(team, plan.workers, groups.len() * panels.len(), &|_, unit| {
        // SAFETY: each unit is a panel of its own.
        unsafe { job.panel(to, groups.start + unit / panels.len(), panels.start + unit % panels.len()) }
    })
}

impl<T: HasKernels> Run<'_, T> {
    /// Computes the output channels of the run's part. `again`: not for the first part.
    unsafe fn all_positions(&self, again: bool, team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe {
            self.forget_windows();
            if self.plan.image_per_worker { self.image_by_image(team) } else { self.strip_by_strip(again, team) }
        }
    }

    /// All threads share each image's work.
    unsafe fn strip_by_strip(&self, again: bool, team: &Team) -> Result<()> {
        let (geometry, tiling) = (&self.plan.problem.geometry, self.tiling);
        let (n, tiles) = (geometry.n as usize, tiling.tiles(geometry));
        let strips = tiles.div_ceil(tiling.strip);
        let may_wait = team.may_wait();
        for first in (0..n).step_by(self.plan.images_in_flight) {
            let images = self.plan.images_in_flight.min(n - first);
            // Copies of all images are still there.
            if !(again && images == n) {
                // SAFETY: no task runs.
                unsafe { self.begin_copies(first, images, team)? };
            }
            share(team, self.plan.workers, images * strips, &|worker, unit| {
                let (slot, strip) = (unit / strips, unit % strips);
                // SAFETY: one task runs as each worker; units write disjoint positions of y.
                unsafe {
                    let made = if may_wait { Made::Shared(self.parts(slot)) } else { Made::Everything };
                    let mut image = self.sampled(worker, first + slot, slot, made);
                    Worker::new(self, worker).strip(first + slot, strip, &mut image);
                };
            })?;
        }
        Ok(())
    }

    /// Has the threads copy some images where they sample them, or before that if they must not wait for one another.
    unsafe fn begin_copies(&self, first: usize, images: usize, team: &Team) -> Result<()> {
        let parts = self.images.parts();
        if team.may_wait() {
            // SAFETY: the workspace has room for the states, and nobody uses them yet.
            (0..images).for_each(|slot| unsafe { self.parts(slot).reset(parts) });
            return Ok(());
        }
        share(team, self.plan.workers, images * parts, &|_, unit| {
            let (slot, part) = (unit / parts, unit % parts);
            // SAFETY: units write disjoint parts of disjoint copies.
            unsafe { self.images.copy_part(first + slot, slot, part) };
        })
    }

    /// Has a thread copy an image for itself: beside a window, only what that does not hold.
    unsafe fn begin_copy(&self, slot: usize) -> Made {
        if self.plan.window_rows == 0 {
            return Made::Nothing;
        }
        // SAFETY: the workspace has room for the states, and nobody else uses them.
        unsafe { self.parts(slot).reset(self.images.parts()) };
        Made::Shared(self.parts(slot))
    }

    /// The window of a worker, where the plan has any.
    fn window(&self, worker: usize) -> Option<Window<T::Compute>> {
        let (map, rows) = (&self.plan.scratch, self.plan.window_rows);
        let scratch = self.scratch.wrapping_add(worker * map.size);
        let (state, pixels) = (scratch.wrapping_add(map.window_state), scratch.wrapping_add(map.window).cast());
        (rows > 0).then(|| Window::new(state, pixels, rows, self.plan.problem.geometry.w as usize))
    }

    /// Image `n` as a worker samples it. What has been copied needs no window.
    unsafe fn sampled(&self, worker: usize, n: usize, slot: usize, made: Made) -> Sampled<'_, T> {
        let copied = self.images.parts() > 0 && matches!(made, Made::Everything);
        // SAFETY: the caller's promise.
        unsafe {
            let image = self.images.sampled(n, slot, made);
            match self.window(worker) {
                Some(window) if !copied => image.through(window),
                _ => image,
            }
        }
    }

    /// Windows start anew, at the top.
    unsafe fn forget_windows(&self) {
        // SAFETY: the workspace holds the windows of all workers, and no task runs.
        (0..self.plan.workers).filter_map(|worker| self.window(worker)).for_each(|window| unsafe { window.forget() });
    }

    /// The states of the parts of a copy.
    fn parts(&self, slot: usize) -> SharedParts {
        SharedParts::new(self.parts.wrapping_add(slot * MOST_PARTS))
    }

    /// Each thread takes the next image and does it alone, copying it as far as it is sampled: for each part of the
    /// output channels anew, as groups may reach further than those before.
    unsafe fn image_by_image(&self, team: &Team) -> Result<()> {
        let (geometry, tiling) = (&self.plan.problem.geometry, self.tiling);
        share(team, self.plan.workers, geometry.n as usize, &|worker, n| {
            // SAFETY: one task runs as each worker, with the copy and the scratch of that worker.
            unsafe {
                let mut state = Worker::new(self, worker);
                let mut image = self.sampled(worker, n, worker, self.begin_copy(worker));
                let strips = tiling.tiles(geometry).div_ceil(tiling.strip);
                (0..strips).for_each(|strip| state.strip(n, strip, &mut image));
            }
        })
    }
}
