//! The fused forward pass: pack the weights unless the caller did, bring an image into the layout that sampling wants,
//! compute its tiles.

use super::element::Element;
use super::kernels::{HasKernels, TransposeArgs};
use super::pack::Pack;
use super::tile::Tile;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::arena::LINE;
use crate::plan::forward::{ForwardPlan, Image};
use crate::problem::Tensor;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Pixels that are transposed as one unit of work.
const PIXELS_PER_UNIT: usize = 1024;

/// The pointers of one run; each covers what the plan's problem describes. `mask` and `bias` are NULL where absent.
#[derive(Clone, Copy)]
pub struct ForwardPointers<T: Element> {
    pub x: *const T,
    pub offset: *const T,
    pub mask: *const T,
    pub weight: *const T,
    /// Packed weights, after their header, or NULL.
    pub packed: *const T::Compute,
    pub bias: *const T,
    pub y: *mut T,
    pub workspace: *mut u8,
}

/// A run in progress: the plan and where everything is.
pub struct Run<'a, T: HasKernels> {
    pub plan: &'a ForwardPlan<T>,
    pub tensors: ForwardPointers<T>,
    pub packed: *const T::Compute,
    /// Bias of every packed column, zeros where there is none.
    pub bias: *const T::Compute,
    workspace: *mut u8,
}

// SAFETY: tasks read the inputs, and write disjoint parts of y and of the workspace.
unsafe impl<T: HasKernels> Sync for Run<'_, T> {}

/// Computes y.
///
/// # Safety
///
/// The pointers are what [`ForwardPointers`] says, the workspace has the plan's size, outputs overlap nothing.
pub unsafe fn run<T: HasKernels>(plan: &ForwardPlan<T>, tensors: ForwardPointers<T>, team: &Team) -> Result<()> {
    let workspace = tensors.workspace.wrapping_add(tensors.workspace.align_offset(LINE));
    let map = &plan.workspace;
    let own_packed = workspace.wrapping_add(map.packed).cast::<T::Compute>();
    let packed = if tensors.packed.is_null() { own_packed.cast_const() } else { tensors.packed };
    let bias = workspace.wrapping_add(map.bias).cast::<T::Compute>();
    let run = Run { plan, tensors, packed, bias: bias.cast_const(), workspace };
    // SAFETY: the workspace has room for everything that its map places there; each part is written before it is read.
    unsafe {
        run.fill_bias(bias);
        if tensors.packed.is_null() {
            pack(plan, tensors.weight, own_packed, team)?;
        }
        if plan.image_per_worker { run.image_by_image(team) } else { run.tile_by_tile(team) }
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
    let (geometry, tiling) = (&plan.problem.geometry, &plan.tiling);
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
        let (problem, tiling) = (&self.plan.problem, &self.plan.tiling);
        let per_group = problem.geometry.outputs_per_group() as usize;
        let padded = tiling.panels * tiling.columns;
        for column in 0..problem.geometry.groups as usize * padded {
            let (group, column_of_group) = (column / padded, column % padded);
            let value = match &problem.bias {
                Some(bias) if column_of_group < per_group => {
                    let o = (group * per_group + column_of_group) as i64;
                    // SAFETY: o is an output channel, and the bias is described, so its pointer is not NULL.
                    unsafe { (*self.tensors.bias.offset((o * bias.strides[0]) as isize)).to_compute() }
                }
                _ => super::element::Compute::ZERO,
            };
            // SAFETY: the caller's promise.
            unsafe { *to.add(column) = value };
        }
    }

    /// All threads share each image's work.
    unsafe fn tile_by_tile(&self, team: &Team) -> Result<()> {
        let (n, tiles) = (self.plan.problem.geometry.n as usize, self.plan.tiles());
        for first in (0..n).step_by(self.plan.images_in_flight) {
            let images = self.plan.images_in_flight.min(n - first);
            if self.plan.image == Image::Copied {
                let parts = self.pixels().div_ceil(PIXELS_PER_UNIT);
                share(team, self.plan.workers, images * parts, &|_, unit| {
                    let (slot, part) = (unit / parts, unit % parts);
                    // SAFETY: units write disjoint pixels of disjoint copies.
                    unsafe { self.copy_pixels(first + slot, slot, part) };
                })?;
            }
            share(team, self.plan.workers, images * tiles, &|worker, unit| {
                let (slot, tile) = (unit / tiles, unit % tiles);
                // SAFETY: one task runs as each worker; units write disjoint positions of y.
                unsafe { self.tile(worker).compute(first + slot, self.image(first + slot, slot), tile) };
            })?;
        }
        Ok(())
    }

    /// Each thread takes the next image and does it alone.
    unsafe fn image_by_image(&self, team: &Team) -> Result<()> {
        let parts = self.pixels().div_ceil(PIXELS_PER_UNIT);
        share(team, self.plan.workers, self.plan.problem.geometry.n as usize, &|worker, n| {
            // SAFETY: one task runs as each worker, with the copy and the scratch of that worker.
            unsafe {
                if self.plan.image == Image::Copied {
                    (0..parts).for_each(|part| self.copy_pixels(n, worker, part));
                }
                let mut scratch = self.tile(worker);
                (0..self.plan.tiles()).for_each(|tile| scratch.compute(n, self.image(n, worker), tile));
            }
        })
    }

    fn pixels(&self) -> usize {
        (self.plan.problem.geometry.h * self.plan.problem.geometry.w) as usize
    }

    /// The scratch of a worker.
    unsafe fn tile(&self, worker: usize) -> Tile<'_, T> {
        let map = &self.plan.workspace;
        // SAFETY: the workspace holds a scratch for each worker.
        unsafe { Tile::new(self, self.workspace.add(map.scratch + worker * self.plan.scratch.size)) }
    }

    /// Where tiles sample image `n`: in x, or in the copy in `slot`.
    unsafe fn image(&self, n: usize, slot: usize) -> (*const T::Compute, usize) {
        // SAFETY: n is an image of x, slot one of the copies.
        unsafe {
            match self.plan.image {
                Image::Direct { pixel_stride } => {
                    (image_of(&self.plan.problem.x, self.tensors.x, n).cast(), pixel_stride)
                }
                Image::Copied => (self.copy_of(slot).cast_const(), self.plan.problem.geometry.c as usize),
            }
        }
    }

    unsafe fn copy_of(&self, slot: usize) -> *mut T::Compute {
        let map = &self.plan.workspace;
        // SAFETY: slot is one of the images in flight.
        unsafe { self.workspace.add(map.images + slot * map.image_size).cast() }
    }

    /// Copies one part of image `n` to the copy in `slot`, channels contiguous.
    unsafe fn copy_pixels(&self, n: usize, slot: usize, part: usize) {
        let x = &self.plan.problem.x;
        let [_, c, _, w, _] = x.dims.map(|dim| dim as usize);
        let [_, sc, sh, sw, _] = x.strides.map(|stride| stride as isize);
        let first = part * PIXELS_PER_UNIT;
        let pixels = PIXELS_PER_UNIT.min(self.pixels() - first);
        // SAFETY: all pixels of this part are in the image and in the copy.
        unsafe {
            let image = image_of(x, self.tensors.x, n);
            let to = self.copy_of(slot).add(first * c);
            let flat = crate::plan::forward::flat_stride([x.dims[2], x.dims[3]], [x.strides[2], x.strides[3]]);
            if flat == Some(1) && T::IS_COMPUTE {
                let planes = image.add(first).cast();
                let args = TransposeArgs { channels: c, pixels, planes, plane_stride: sc, to, pixel_stride: c };
                (self.plan.kernels.planes_to_pixels)(&args);
                return;
            }
            for pixel in 0..pixels {
                let (y, x) = ((first + pixel) / w, (first + pixel) % w);
                let from = image.offset(y as isize * sh + x as isize * sw);
                for channel in 0..c {
                    *to.add(pixel * c + channel) = (*from.offset(channel as isize * sc)).to_compute();
                }
            }
        }
    }
}

/// # Safety
///
/// `n` is an image of the tensor at `pointer`.
unsafe fn image_of<T>(tensor: &Tensor, pointer: *const T, n: usize) -> *const T {
    // SAFETY: the caller's promise; extents fit an isize.
    unsafe { pointer.offset(n as isize * tensor.strides[0] as isize) }
}

/// Runs `body(worker, unit)` once for each unit in 0..units; workers take the next unit when they are done with one.
fn share(team: &Team, workers: usize, units: usize, body: &(dyn Fn(usize, usize) + Sync)) -> Result<()> {
    let next = AtomicUsize::new(0);
    team.run(workers.min(team.size()).min(units), &|worker| {
        loop {
            let unit = next.fetch_add(1, Ordering::Relaxed);
            if unit >= units {
                break;
            }
            body(worker, unit);
        }
    })
}
