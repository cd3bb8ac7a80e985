//! Tiles of grad_y, copied and widened in the order in which they lie in memory, planes or pixels: the micro-kernel takes
//! its left operand either way.

use super::super::kernels::{HasKernels, Kernels, MultiplyArgs};
use super::super::layout::{Matrix, transpose_widening};
use super::super::tile::Tile;
use super::Run;
use super::outputs::at;
use crate::plan::backward::padded_row;
use crate::plan::maps::is_planes;

/// A tile of some output channels of grad_y: rows of positions, one for each output channel (`planes`), or the other way
/// round.
#[derive(Clone, Copy)]
pub(super) struct GradY<C> {
    pub data: *const C,
    pub stride: usize,
    planes: bool,
}

impl<C> GradY<C> {
    /// The micro-kernel for grad_y as [positions][output channels].
    pub fn multiply(&self, kernels: &Kernels<C>) -> unsafe fn(&MultiplyArgs<C>) {
        if self.planes { kernels.multiply_transposed } else { kernels.multiply }
    }

    /// The micro-kernel for grad_y as [output channels][positions].
    pub fn multiply_transposed(&self, kernels: &Kernels<C>) -> unsafe fn(&MultiplyArgs<C>) {
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
                let from = self.tensors.grad_y.offset(at(tensor, [tile.n, first, 0, 0])).add(tile.first);
                for o in 0..outputs {
                    let plane = from.offset(o as isize * tensor.strides[1] as isize);
                    T::widen(self.plan.kernels.isa, plane, to.add(o * stride), tile.positions);
                }
            } else {
                self.copy_pixels(tile, first, outputs, Matrix { data: to, stride: stride as isize });
            }
        }
        GradY { data: to, stride, planes }
    }

    /// Copies output channels `first..first + outputs` of a tile, positions outside.
    ///
    /// # Safety
    ///
    /// Tile and output channels exist, and `to` has room for them.
    pub(super) unsafe fn copy_grad_y_pixels(
        &self,
        tile: Tile,
        first: usize,
        outputs: usize,
        to: Matrix<*mut T::Compute>,
    ) {
        let tensor = &self.plan.problem.grad_y;
        // SAFETY: the caller's promise.
        unsafe {
            if is_planes(tensor) {
                let data = self.tensors.grad_y.offset(at(tensor, [tile.n, first, 0, 0])).add(tile.first);
                let planes = Matrix { data, stride: tensor.strides[1] as isize };
                transpose_widening(self.plan.kernels, [outputs, tile.positions], planes, to);
            } else {
                self.copy_pixels(tile, first, outputs, to);
            }
        }
    }

    unsafe fn copy_pixels(&self, tile: Tile, first: usize, outputs: usize, to: Matrix<*mut T::Compute>) {
        let tensor = &self.plan.problem.grad_y;
        let (out_w, so) = (tensor.dims[3] as usize, tensor.strides[1] as isize);
        for p in 0..tile.positions {
            let element = [tile.n, first, (tile.first + p) / out_w, (tile.first + p) % out_w];
            // SAFETY: the caller's promise.
            unsafe {
                let from = self.tensors.grad_y.offset(at(tensor, element));
                let to = to.data.offset(p as isize * to.stride);
                if so == 1 {
                    T::widen(self.plan.kernels.isa, from, to, outputs);
                } else {
                    (0..outputs as isize).for_each(|o| *to.offset(o) = (*from.offset(o * so)).to_compute());
                }
            }
        }
    }
}
