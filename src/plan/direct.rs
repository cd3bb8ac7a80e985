//! The direct pass, planned: no tiles, no workspace; rows of y are shared by the threads.

use super::implementations::{Facts, Pass, pointers};
use super::packed::{HEADER_SIZE, layout_id};
use crate::abi::*;
use crate::context::Isa;
use crate::cpu::direct::Direct;
use crate::cpu::element::Element;
use crate::error::Result;
use crate::exec::Team;
use crate::problem::{Problem, Tensor};
use std::marker::PhantomData;

pub struct DirectPlan<T> {
    problem: Problem,
    /// The weights as they are packed: contiguous.
    packed_weight: Tensor,
    workers: usize,
    element: PhantomData<fn() -> T>,
}

impl<T: Element> DirectPlan<T> {
    pub fn new(problem: &Problem, threads: usize) -> Self {
        let mut packed_weight = problem.weight;
        let mut stride = 1;
        for axis in (0..4).rev() {
            packed_weight.strides[axis] = stride;
            stride *= packed_weight.dims[axis];
        }
        Self { problem: *problem, packed_weight, workers: threads, element: PhantomData }
    }
}

impl<T: Element> Pass<dcn_forward_args> for DirectPlan<T> {
    fn facts(&self) -> Facts {
        let shape = self.packed_weight.dims.map(|dim| dim as usize);
        Facts {
            kernel: c"direct",
            isa: Isa::Scalar.name(),
            workers: self.workers,
            tile_positions: 0,
            workspace_size: 0,
            packed_size: HEADER_SIZE + self.packed_weight.elements() as usize * size_of::<T>(),
            packed_layout: layout_id(DCN_PASS_FORWARD, "direct", &[&shape, &[size_of::<T>()]]),
        }
    }

    unsafe fn pack(&self, args: &dcn_pack_args, _team: &Team) -> Result<()> {
        let (from, to) = (self.problem.weight, args.packed.cast::<u8>());
        let [o, c, h, w, _] = from.dims;
        let [so, sc, sh, sw, _] = from.strides;
        // SAFETY: the caller's promise; elements are written one after the other.
        unsafe {
            self.facts().packed_header().write(to);
            let mut to = to.add(HEADER_SIZE).cast::<T>();
            for (o, c) in (0..o).flat_map(|o| (0..c).map(move |c| (o, c))) {
                for (i, j) in (0..h).flat_map(|i| (0..w).map(move |j| (i, j))) {
                    let value = *args.weight.cast::<T>().offset((o * so + c * sc + i * sh + j * sw) as isize);
                    to.write_unaligned(value);
                    to = to.add(1);
                }
            }
        }
        Ok(())
    }

    unsafe fn run(&self, args: &dcn_forward_args, workspace: *mut u8, team: &Team) -> Result<()> {
        let mut tensors = pointers::<T>(args, workspace);
        let mut problem = self.problem;
        if !args.packed_weight.is_null() {
            problem.weight = self.packed_weight;
            tensors.weight = args.packed_weight.cast::<u8>().wrapping_add(HEADER_SIZE).cast();
        }
        let direct = Direct { problem: &problem, tensors };
        let g = &problem.geometry;
        let rows = g.n * g.o * g.out_h;
        let workers = (self.workers.min(team.size()) as i64).min(rows);
        team.run(workers as usize, &|worker| {
            for row in (worker as i64..rows).step_by(workers as usize) {
                // SAFETY: each row is one worker's.
                unsafe { direct.row(row) };
            }
        })
    }
}
