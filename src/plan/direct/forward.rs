//! The direct forward pass.

use super::super::implementations::{Facts, Pass, forward_pointers};
use super::weights::Weights;
use crate::abi::*;
use crate::context::Isa;
use crate::cpu::direct::forward;
use crate::cpu::element::Element;
use crate::error::Result;
use crate::exec::Team;
use crate::problem::Problem;

pub struct DirectForward<T> {
    problem: Problem,
    weights: Weights<T>,
    workers: usize,
}

impl<T: Element> DirectForward<T> {
    pub fn new(problem: &Problem, threads: usize) -> Self {
        Self { problem: *problem, weights: Weights::new(problem), workers: threads }
    }
}

impl<T: Element> Pass<dcn_forward_args> for DirectForward<T> {
    fn facts(&self) -> Facts {
        Facts {
            kernel: c"direct",
            isa: Isa::Scalar.name(),
            workers: self.workers,
            tile_positions: 0,
            workspace_size: 0,
            packed_size: self.weights.packed_size(),
            packed_layout: self.weights.packed_layout(DCN_PASS_FORWARD),
        }
    }

    unsafe fn pack(&self, args: &dcn_pack_args, _team: &Team) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.weights.pack(args) };
        Ok(())
    }

    unsafe fn run(&self, args: &dcn_forward_args, workspace: *mut u8, team: &Team) -> Result<()> {
        let mut tensors = forward_pointers::<T>(args, workspace);
        let (problem, weight) = self.weights.of_run(&self.problem, tensors.weight, args.packed_weight);
        tensors.weight = weight;
        // SAFETY: the caller's promise.
        unsafe { forward::run(&problem, self.workers, tensors, team) }
    }
}
