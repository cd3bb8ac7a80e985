//! Tiles of grad_y, copied and widened in the order in which they lie in memory, planes or pixels: the micro-kernel
//! takes its left operand either way.

use super::super::kernels::{CopyArgs, HasKernels, Kernels, Matrix, MultiplyArgs};
use super::super::sampler::Columns;
use super::super::tile::Tile;
use super::Run;
use super::outputs::at;
use crate::cpu::element::Element;
use crate::plan::backward::padded_row;
use crate::plan::maps::is_planes;
use std::ptr::null;

/// A tile of some output channels of grad_y: rows of positions, one for each output channel (`planes`), or the other
/// way round.
#[derive(Clone, Copy)]
pub(super) struct GradY<C> {
    pub data: *const C,
    pub stride: usize,
    planes: bool,
}

impl<C> GradY<C> {
    pub fn none() -> Self {
        Self { data: null(), stride: 0, planes: false }
    }

    /// The micro-kernel for grad_y as [positions][output channels].
    pub fn multiply<T: Element<Compute = C>>(&self, kernels: &Kernels<T>) -> unsafe fn(&MultiplyArgs<C>) {
        if self.planes { kernels.multiply_transposed } else { kernels.multiply }
    }

    /// The micro-kernel for grad_y as [output channels][positions].
    pub fn multiply_transposed<T: Element<Compute = C>>(&self, kernels: &Kernels<T>) -> unsafe fn(&MultiplyArgs<C>) {
        if self.planes { kernels.multiply } else { kernels.multiply_transposed }
    }

    /// Where output channel `o` begins.
    ///
    /// # Safety
    ///
    /// The tile has it.
    pub unsafe fn output(&self, o: usize) -> *const C {
        // SAFETY: the caller's promise.
        unsafe { self.data.add(if self.planes { o * self.stride } else { o }) }
    }
}

impl<T: HasKernels> Run<'_, T> {
    /// Copies output channels `first..first + outputs` of a tile.
    ///
    /// # Safety
    ///
    /// Tile and output channels exist, `to` has room for as many rows of [`padded_row`] elements, of either.
    pub(super) unsafe fn copy_grad_y(
        &self,
        tile: Tile,
        first: usize,
        outputs: usize,
        to: *mut T::Compute,
    ) -> GradY<T::Compute> {
        let tensor = &self.plan.problem.grad_y;
        let planes = is_planes(tensor);
        let stride = padded_row(if planes { tile.positions } else { outputs });
        // SAFETY: output channels and positions of grad_y; the rows fit.
        unsafe {
            if planes {
                let from = self.planes(tile, first);
                let to = Matrix { data: to, stride: stride as isize };
                (self.plan.kernels.widen)(&CopyArgs { rows: outputs, columns: tile.positions, from, to });
            } else {
                self.copy_pixels(tile, first, outputs, Matrix { data: to, stride: stride as isize });
            }
        }
        GradY { data: to, stride, planes }
    }

    /// Depthwise: copies the channels of some columns, a row for each position.
    ///
    /// # Safety
    ///
    /// Tile and channels exist, and `to` has room for them.
    pub(super) unsafe fn copy_grad_y_pixels(&self, tile: Tile, columns: &Columns, to: *mut T::Compute) {
        let Columns { first_channel: first, channels, .. } = *columns;
        let to = Matrix { data: to, stride: self.plan.grad_y_stride() as isize };
        // SAFETY: the caller's promise.
        unsafe {
            if is_planes(&self.plan.problem.grad_y) {
                let from = self.planes(tile, first);
                (self.plan.kernels.planes_to_pixels)(&CopyArgs { rows: channels, columns: tile.positions, from, to });
            } else {
                self.copy_pixels(tile, first, channels, to);
            }
        }
    }

    /// The tile's positions in the planes of output channels, from the first one on.
    unsafe fn planes(&self, tile: Tile, first: usize) -> Matrix<*const T> {
        let tensor = &self.plan.problem.grad_y;
        // SAFETY: an output channel and a position of grad_y.
        let data = unsafe { self.tensors.grad_y.offset(at(tensor, [tile.n, first, 0, 0])).add(tile.first) };
        Matrix { data, stride: tensor.strides[1] as isize }
    }

    unsafe fn copy_pixels(&self, tile: Tile, first: usize, outputs: usize, to: Matrix<*mut T::Compute>) {
        let tensor = &self.plan.problem.grad_y;
        let so = tensor.strides[1] as isize;
        // SAFETY: the caller's promise.
        unsafe {
            for run in tile.runs() {
                let data = self.tensors.grad_y.offset(at(tensor, [tile.n, first, run.row, run.column]));
                let from = Matrix { data, stride: tensor.strides[3] as isize };
                let to = Matrix { data: to.data.offset(run.at as isize * to.stride), stride: to.stride };
                if so == 1 {
                    (self.plan.kernels.widen)(&CopyArgs { rows: run.positions, columns: outputs, from, to });
                    continue;
                }
                for p in 0..run.positions as isize {
                    let (from, to) = (from.data.offset(p * from.stride), to.data.offset(p * to.stride));
                    (0..outputs as isize).for_each(|o| *to.offset(o) = (*from.offset(o * so)).to_compute());
                }
            }
        }
    }
}
