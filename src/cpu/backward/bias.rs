//! grad_bias: grad_y summed over images and positions.

use super::super::kernels::HasKernels;
use super::super::share::share;
use super::super::sum::Sum;
use super::outputs::at;
use super::{Run, store};
use crate::abi::*;
use crate::error::Result;
use crate::exec::Team;

impl<T: HasKernels> Run<'_, T> {
    /// Writes grad_bias, if it is wanted; 0 where there is no image.
    pub(super) unsafe fn bias(&self, team: &Team) -> Result<()> {
        if self.tensors.grad_bias.is_null() {
            return Ok(());
        }
        let g = &self.plan.problem.geometry;
        share(team, self.plan.workers, g.o as usize, &|_, o| {
            let mut sum = Sum::new();
            for n in 0..g.n as usize {
                for p in 0..g.out_h as usize {
                    // SAFETY: a row of grad_y.
                    unsafe { self.add_row([n, o, p, 0], &mut sum) };
                }
            }
            let at = o as isize * self.plan.problem.grad_bias.strides[0] as isize;
            // SAFETY: each unit writes its own element.
            unsafe { store(sum.total(), self.tensors.grad_bias.offset(at), self.tensors.adds_to(DCN_GRAD_BIAS)) };
        })
    }

    unsafe fn add_row(&self, first: [usize; 4], sum: &mut Sum<T::Compute>) {
        let tensor = &self.plan.problem.grad_y;
        let stride = tensor.strides[3] as isize;
        // SAFETY: the row's elements.
        unsafe {
            let row = self.tensors.grad_y.offset(at(tensor, first));
            for q in 0..tensor.dims[3] as isize {
                sum.add((*row.offset(q * stride)).to_compute());
            }
        }
    }
}
