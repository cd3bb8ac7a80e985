//! The fused forward pass: pack the weights unless the caller did, bring an image into the layout that sampling wants,
//! compute its tiles ([`tile`]), write them to y ([`store`]).

mod store;
mod tile;

use super::element::{Compute, Element};
use super::images::{Blocks, Images};
use super::kernels::HasKernels;
use super::pack::Pack;
use super::share::share;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::arena::LINE;
use crate::plan::forward::ForwardPlan;
use crate::problem::Tensor;
use std::ffi::c_void;
use tile::Worker;

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
    if plan.problem.geometry.n == 0 {
        return Ok(());
    }
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
        blocks: Blocks::Even(plan.block),
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
                    let mut image = self.images.sampled(first + slot, slot, parts);
                    Worker::new(self, worker).tile(self.plan.tile(first + slot, tile), &mut image)
                };
            })?;
        }
        Ok(())
    }

    /// Each thread takes the next image and does it alone, copying it as far as it is sampled.
    unsafe fn image_by_image(&self, team: &Team) -> Result<()> {
        share(team, self.plan.workers, self.plan.problem.geometry.n as usize, &|worker, n| {
            // SAFETY: one task runs as each worker, with the copy and the scratch of that worker.
            unsafe {
                let mut state = Worker::new(self, worker);
                let mut image = self.images.sampled(n, worker, 0);
                (0..self.plan.tiles()).for_each(|tile| state.tile(self.plan.tile(n, tile), &mut image));
            }
        })
    }
}
