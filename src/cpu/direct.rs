//! The operator as its formula, one output element at a time, straight from the caller's strides: for images too large
//! for the index arithmetic of the fused path.

use super::element::{Compute, Element};
use super::forward::{ForwardPointers, bias_at};
use super::sum::Sum;
use crate::problem::{Problem, Tensor};

/// Where an output element is.
#[derive(Clone, Copy)]
struct Position {
    n: i64,
    p: i64,
    q: i64,
}

/// The tensors of a run with their descriptions.
pub struct Direct<'a, T: Element> {
    pub problem: &'a Problem,
    pub tensors: ForwardPointers<T>,
}

// SAFETY: inputs are read, and each output element is computed once.
unsafe impl<T: Element> Sync for Direct<'_, T> {}

impl<T: Element> Direct<'_, T> {
    /// Computes row `row` of N * O * Ho rows of y.
    ///
    /// # Safety
    ///
    /// The pointers cover what the problem describes; nobody else computes the same row.
    pub unsafe fn row(&self, row: i64) {
        let g = &self.problem.geometry;
        let (n, o, p) = (row / (g.o * g.out_h), row / g.out_h % g.o, row % g.out_h);
        for q in 0..g.out_w {
            // SAFETY: n, o, p, q is an element of y.
            unsafe {
                let value = self.output(o, Position { n, p, q });
                *self.tensors.y.offset(at(&self.problem.y, [n, o, p, q])) = T::from_compute(value);
            }
        }
    }

    unsafe fn output(&self, o: i64, position: Position) -> T::Compute {
        let g = &self.problem.geometry;
        let first_channel = o / g.outputs_per_group() * g.channels_per_group();
        let mut sum = Sum::new();
        for i in 0..g.kernel_h {
            for j in 0..g.kernel_w {
                for c in 0..g.channels_per_group() {
                    // SAFETY: o, c, i, j is an element of weight, first_channel + c a channel of x.
                    unsafe {
                        // Packed weights may have any alignment.
                        let weight =
                            self.tensors.weight.offset(at(&self.problem.weight, [o, c, i, j])).read_unaligned();
                        sum.add(weight.to_compute() * self.column(first_channel + c, (i, j), position));
                    }
                }
            }
        }
        match &self.problem.bias {
            // SAFETY: o is an element of bias.
            Some(bias) => unsafe { sum.total() + bias_at::<T>(bias, self.tensors.bias, o) },
            None => sum.total(),
        }
    }

    /// mask * S: one element of the im2col matrix.
    unsafe fn column(&self, c: i64, (i, j): (i64, i64), Position { n, p, q }: Position) -> T::Compute {
        let g = &self.problem.geometry;
        let channel = c / g.channels_per_deformable_group() * g.taps() + i * g.kernel_w + j;
        // SAFETY: the channel exists in mask, 2 * channel and the next one in offset.
        unsafe {
            let offset = |axis| {
                let at = at(&self.problem.offset, [n, 2 * channel + axis, p, q]);
                (*self.tensors.offset.offset(at)).to_compute()
            };
            let y = T::Compute::from_i64(p * g.stride_h - g.pad_top + i * g.dilation_h) + offset(0);
            let x = T::Compute::from_i64(q * g.stride_w - g.pad_left + j * g.dilation_w) + offset(1);
            let value = self.sample(n, c, y, x);
            match &self.problem.mask {
                Some(mask) => (*self.tensors.mask.offset(at(mask, [n, channel, p, q]))).to_compute() * value,
                None => value,
            }
        }
    }

    unsafe fn sample(&self, n: i64, c: i64, y: T::Compute, x: T::Compute) -> T::Compute {
        let (zero, one) = (T::Compute::ZERO, T::Compute::ONE);
        let [_, _, h, w, _] = self.problem.x.dims;
        let inside = |v: T::Compute, size: i64| -one < v && v < T::Compute::from_i64(size);
        if !(inside(y, h) && inside(x, w)) {
            return zero;
        }
        let (y0, x0) = (y.floor(), x.floor());
        let (ly, lx) = (y - y0, x - x0);
        let (y0, x0) = (y0.to_i64(), x0.to_i64());
        let mut sum = zero;
        for (row, wy) in [(y0, one - ly), (y0 + 1, ly)] {
            for (column, wx) in [(x0, one - lx), (x0 + 1, lx)] {
                if (0..h).contains(&row) && (0..w).contains(&column) {
                    // SAFETY: a pixel of the image.
                    let value = unsafe { *self.tensors.x.offset(at(&self.problem.x, [n, c, row, column])) };
                    sum += wy * wx * value.to_compute();
                }
            }
        }
        sum
    }
}

/// The offset of an element, in elements; fits, as the extent of a checked tensor does.
fn at(tensor: &Tensor, index: [i64; 4]) -> isize {
    index.iter().zip(tensor.strides).map(|(index, stride)| index * stride).sum::<i64>() as isize
}
