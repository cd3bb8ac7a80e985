//! The weights of the direct passes, packed: contiguous.

use super::super::packed::{HEADER_SIZE, PackedHeader, layout_id};
use crate::abi::{dcn_pack_args, dcn_pass};
use crate::cpu::element::Element;
use crate::problem::{Problem, Tensor};
use std::ffi::c_void;
use std::marker::PhantomData;

pub struct Weights<T> {
    described: Tensor,
    packed: Tensor,
    element: PhantomData<fn() -> T>,
}

impl<T: Element> Weights<T> {
    pub fn new(problem: &Problem) -> Self {
        let mut packed = problem.weight;
        let mut stride = 1;
        for axis in (0..4).rev() {
            packed.strides[axis] = stride;
            stride *= packed.dims[axis];
        }
        Self { described: problem.weight, packed, element: PhantomData }
    }

    /// Bytes, header included.
    pub fn packed_size(&self) -> usize {
        HEADER_SIZE + self.packed.elements() as usize * size_of::<T>()
    }

    pub fn packed_layout(&self, pass: dcn_pass) -> u64 {
        let shape = self.packed.dims.map(|dim| dim as usize);
        layout_id(pass, "direct", &[&shape, &[size_of::<T>()]])
    }

    /// # Safety
    ///
    /// `args->weight` covers the described weights, `args->packed` has room for the packed ones.
    pub unsafe fn pack(&self, args: &dcn_pack_args) {
        let header = PackedHeader { layout: self.packed_layout(args.pass), size: self.packed_size() as u64 };
        let (from, to) = (args.weight.cast::<T>(), args.packed.cast::<u8>());
        let [o, c, h, w, _] = self.described.dims;
        let [so, sc, sh, sw, _] = self.described.strides;
        // SAFETY: the caller's promise; elements are written one after the other, at any alignment.
        unsafe {
            header.write(to);
            let mut to = to.add(HEADER_SIZE).cast::<T>();
            for (o, c) in (0..o).flat_map(|o| (0..c).map(move |c| (o, c))) {
                for (i, j) in (0..h).flat_map(|i| (0..w).map(move |j| (i, j))) {
                    to.write_unaligned(*from.offset((o * so + c * sc + i * sh + j * sw) as isize));
                    to = to.add(1);
                }
            }
        }
    }

    /// The problem and the weights of a run that has packed weights, or not.
    pub fn of_run(&self, problem: &Problem, weight: *const T, packed: *const c_void) -> (Problem, *const T) {
        if packed.is_null() {
            return (*problem, weight);
        }
        (Problem { weight: self.packed, ..*problem }, packed.cast::<u8>().wrapping_add(HEADER_SIZE).cast())
    }
}
