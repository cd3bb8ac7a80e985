//! What a run of either pass does: kernels and products of one plan, in the buffers of one call.

use super::cut::Slab;
use super::device::{Device, Function};
use super::launch::{Matrix, Scratch, Stream, product_scratch};
use super::plan::{Copy, Map, Shared};
use super::tiling::Chunk;
use crate::abi::*;
use crate::context::Context;
use crate::error::Result;
use crate::plan::implementations::{Facts, shape};
use crate::plan::packed::layout_id;
use crate::problem::{DType, Problem};
use std::ffi::c_void;

pub type Address = *mut c_void;

/// `address + bytes`; NULL stays NULL.
pub fn offset(address: Address, bytes: i64) -> Address {
    if address.is_null() { address } else { address.wrapping_byte_offset(bytes as isize) }
}

/// Kernels by the dtype of the tensors, or of floats alone.
pub fn kernel(device: &Device, name: &str, dtype: DType) -> Result<Function> {
    device.function(&format!("dcn_{name}_{}", dtype.name()))
}

/// The kernels that a product needs where CANN's would waste its work.
pub fn depthwise_kernel(device: &Device, shared: &Shared, name: &str) -> Result<Option<Function>> {
    let function = || kernel(device, &format!("depthwise_{name}"), DType::F32);
    shared.depthwise.then(function).transpose()
}

/// The float buffers of a run, and the plan's shapes of the matrices in them.
#[derive(Clone, Copy)]
pub struct Buffers<'a> {
    shared: &'a Shared,
    /// W, packed by the caller or in the workspace.
    pub weight: Address,
    /// A slab's copy of x.
    pub x: Address,
    /// Backward: the sum of a slab's grad_x, unless it is summed in grad_x itself.
    pub grad_x: Address,
    /// Backward.
    pub grad_weight: Address,
    pub col: Address,
    /// [O][R]: the product, or grad_y.
    pub rows: Address,
    pub scratch: Scratch,
}

const FLOAT: i64 = size_of::<f32>() as i64;

impl<'a> Buffers<'a> {
    /// Those that the map places in the workspace; of the weights only where `packed` is NULL.
    pub fn new(shared: &'a Shared, map: &Map, workspace: *mut u8, packed: *const c_void) -> Self {
        let at = |bytes: usize| workspace.wrapping_add(bytes).cast();
        Self {
            shared,
            weight: if packed.is_null() { at(map.weight) } else { packed.cast_mut() },
            x: at(map.x),
            grad_x: at(map.grad_x),
            grad_weight: at(map.grad_weight),
            col: at(map.col),
            rows: at(map.rows),
            scratch: Scratch { address: at(map.product), size: map.product_size },
        }
    }

    /// The x of a slab in the layout that samples are read in, brought into it if need be.
    ///
    /// # Safety
    ///
    /// `x` is the slab's; the buffers have the sizes that the plan's map gives them.
    pub unsafe fn sampled_x(&self, stream: &Stream, layout_in: Function, x: Address, slab: Slab) -> Result<Address> {
        if self.shared.x == Copy::None {
            return Ok(x);
        }
        // SAFETY: the caller's promise.
        unsafe { stream.kernel(layout_in, &[x, self.x], &self.shared.x_in(slab))? };
        Ok(self.x)
    }

    /// W_g: [O/G, K*C/G].
    fn weight_of(&self, group: i64) -> Matrix {
        Self::matrix(self.weight, self.shared.outputs(), self.shared.depth(), group)
    }

    fn grad_weight_of(&self, group: i64) -> Matrix {
        Self::matrix(self.grad_weight, self.shared.outputs(), self.shared.depth(), group)
    }

    /// col_g: [R, K*C/G].
    fn col_of(&self, rows: i64, group: i64) -> Matrix {
        Self::matrix(self.col, rows, self.shared.depth(), group)
    }

    /// product_g, grad_g: [O/G, R].
    fn rows_of(&self, rows: i64, group: i64) -> Matrix {
        Self::matrix(self.rows, self.shared.outputs(), rows, group)
    }

    /// Matrix `group` of those that lie one behind the other.
    fn matrix(first: Address, rows: i64, columns: i64, group: i64) -> Matrix {
        Matrix { address: offset(first, group * rows * columns * FLOAT), rows, columns, transposed: false }
    }
}

impl Matrix {
    fn transpose(self) -> Self {
        Self { rows: self.columns, columns: self.rows, transposed: !self.transposed, ..self }
    }
}

/// Matrix products of a chunk, one a group.
#[derive(Clone, Copy)]
pub enum Products {
    /// product_g = W_g col_gᵀ.
    Output,
    /// grad_weight_g = grad_g col_g, or += where earlier chunks have been there.
    GradWeight { accumulate: bool },
    /// grad_col_g = grad_gᵀ W_g.
    GradCol,
}

impl Products {
    /// Puts them on the stream; `depthwise` is the kernel that does it all where CANN's would waste their work.
    ///
    /// # Safety
    ///
    /// The buffers have the sizes that the plan's map gives them.
    pub unsafe fn start(
        self,
        stream: &Stream,
        depthwise: Option<Function>,
        buffers: &Buffers,
        chunk: Chunk,
    ) -> Result<()> {
        let accumulate = matches!(self, Self::GradWeight { accumulate: true });
        if let Some(function) = depthwise {
            let Buffers { weight, col, rows, grad_weight, .. } = *buffers;
            let addresses = match self {
                Self::Output => [col, weight, rows],
                Self::GradWeight { .. } => [rows, col, grad_weight],
                Self::GradCol => [rows, weight, col],
            };
            // SAFETY: the caller's promise.
            return unsafe { stream.kernel(function, &addresses, &buffers.shared.depthwise(chunk, accumulate)) };
        }
        for group in 0..buffers.shared.groups() {
            let weight = buffers.weight_of(group);
            let col = buffers.col_of(chunk.rows(), group);
            let rows = buffers.rows_of(chunk.rows(), group);
            let (a, b, out) = match self {
                Self::Output => (weight, col.transpose(), rows),
                Self::GradWeight { .. } => (rows, col, buffers.grad_weight_of(group)),
                Self::GradCol => (rows.transpose(), weight, col),
            };
            // SAFETY: the caller's promise.
            unsafe { stream.product(a, b, out, accumulate, buffers.scratch)? };
        }
        Ok(())
    }
}

pub fn log_choice(context: &Context, pass: &str, problem: &Problem) {
    context.log.line(DCN_LOG_DISPATCH, || format!("plan,{pass},ascend,chosen,{}", shape(problem)));
}

/// What is known of a planned pass.
pub fn facts(shared: &Shared, map: &Map) -> Facts {
    let g = &shared.problem.geometry;
    let shape = [g.o, g.groups, g.channels_per_group(), g.kernel_h, g.kernel_w].map(|size| size as usize);
    Facts {
        kernel: c"ascend",
        isa: c"ascend",
        workers: 1,
        tile_positions: shared.cut.most_rows() as usize,
        workspace_size: if g.n == 0 { 0 } else { map.size },
        packed_size: shared.weights() as usize * size_of::<f32>(),
        // Both passes read the same packed weights.
        packed_layout: layout_id(DCN_PASS_FORWARD, "ascend", &[&shape, &[shared.problem.dtype.size()]]),
    }
}

/// Packs the weights into device memory of the caller's.
///
/// # Safety
///
/// `args->weight` covers the weights, `args->packed` has `packed_size` bytes.
pub unsafe fn pack(device: &Device, shared: &Shared, layout_in: Function, args: &dcn_pack_args) -> Result<()> {
    let stream = Stream::new(device, args.stream)?;
    // SAFETY: the caller's promise.
    unsafe { stream.kernel(layout_in, &[args.weight.cast_mut(), args.packed], &shared.weight_in()) }
}

/// The most scratch that CANN's products of a plan ask for, as CANN says; 0 where there are none.
pub fn scratch_size(device: &Device, shared: &Shared, backward: bool) -> Result<u64> {
    if shared.depthwise || shared.problem.geometry.n == 0 {
        return Ok(0);
    }
    let ask = |product, transposed, accumulate| product_scratch(&device.acl, product, transposed, accumulate);
    let mut most = 0;
    for rows in shared.cut.distinct_rows() {
        if backward {
            most = most.max(ask(shared.weight_product(rows), (false, false), false)?);
            most = most.max(ask(shared.weight_product(rows), (false, false), true)?);
            most = most.max(ask(shared.col_product(rows), (true, false), false)?);
        } else {
            most = most.max(ask(shared.forward_product(rows), (false, true), false)?);
        }
    }
    Ok(most)
}
