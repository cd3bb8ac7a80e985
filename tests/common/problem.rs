//! A case made concrete: tensors in memory, and the descriptor of the C interface.

use super::case::Case;
use super::dtype::Dtype;
use super::layout::Layout;
use super::memory::Memory;
use super::tensor::Tensor;
use super::values::Random;
use deformconv::abi::*;

/// The inputs of a case, filled.
pub struct Problem {
    pub case: Case,
    pub x: Tensor,
    pub offset: Tensor,
    pub mask: Option<Tensor>,
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    pub descriptor: dcn_problem,
}

/// What a backward run reads besides, and what it writes.
pub struct Gradients {
    pub y: Tensor,
    pub x: Tensor,
    pub offset: Tensor,
    pub mask: Option<Tensor>,
    pub weight: Tensor,
    pub bias: Option<Tensor>,
}

struct Shapes {
    x: [i64; 4],
    offset: [i64; 4],
    mask: [i64; 4],
    weight: [i64; 4],
    bias: [i64; 1],
    y: [i64; 4],
}

impl Shapes {
    fn new(case: &Case) -> Self {
        let [ho, wo] = case.output();
        let mask_channels = case.deformable_groups * case.taps();
        Self {
            x: [case.n, case.c, case.h, case.w],
            offset: [case.n, 2 * mask_channels, ho, wo],
            mask: [case.n, mask_channels, ho, wo],
            weight: [case.o, case.c / case.groups, case.kernel[0], case.kernel[1]],
            bias: [case.o],
            y: [case.n, case.o, ho, wo],
        }
    }
}

/// Room for offset and mask, or their gradients, in one buffer: as the one convolution that predicts both leaves them.
pub fn offset_and_mask_in_one_buffer(case: &Case) -> (Tensor, Tensor) {
    let Shapes { offset: [n, offset, ho, wo], mask: [_, mask, ..], .. } = Shapes::new(case);
    let both = Tensor::new(case.dtype, &[n, offset + mask, ho, wo], &Layout::Contiguous, 0);
    (both.channels(0, offset), both.channels(offset, mask))
}

/// Rank 0 for `Implied`.
fn described(dtype: Dtype, dims: &[i64], layout: &Layout) -> dcn_tensor_desc {
    let mut descriptor = dcn_tensor_desc::default();
    if *layout == Layout::Implied {
        return descriptor;
    }
    descriptor.dtype = dtype.code();
    descriptor.rank = dims.len() as i32;
    descriptor.dims[..dims.len()].copy_from_slice(dims);
    if let Layout::Strided(_) = layout {
        descriptor.layout = DCN_LAYOUT_STRIDED;
        descriptor.strides[..dims.len()].copy_from_slice(&layout.strides(dims));
    }
    descriptor
}

fn overlaps_itself(dims: &[i64], layout: &Layout) -> bool {
    dims.iter().zip(layout.strides(dims)).any(|(dim, stride)| *dim > 1 && stride == 0)
}

impl Problem {
    pub fn new(case: &Case) -> Self {
        let shapes = Shapes::new(case);
        let layouts = &case.layouts;
        let tensor = |dims: &[i64], layout| Tensor::new(case.dtype, dims, layout, case.shift);
        let numbers = |tensor: &mut Tensor, stream| {
            let mut random = Random::new(case.seed, stream);
            tensor.fill(|_| case.numbers.draw(&mut random));
        };
        let mut x = tensor(&shapes.x, &layouts.x);
        numbers(&mut x, 1);
        let mut offset = tensor(&shapes.offset, &layouts.offset);
        let mut random = Random::new(case.seed, 2);
        offset.fill(|index| case.offsets.draw(case, index, &mut random));
        let mask = case.has_mask.then(|| {
            let mut mask = tensor(&shapes.mask, &layouts.mask);
            let mut random = Random::new(case.seed, 3);
            mask.fill(|_| case.masks.draw(case.dtype, &mut random));
            mask
        });
        let mut weight = tensor(&shapes.weight, &layouts.weight);
        numbers(&mut weight, 4);
        let bias = case.bias.map(|dtype| {
            let mut bias = Tensor::new(dtype, &shapes.bias, &layouts.bias, case.shift);
            numbers(&mut bias, 5);
            bias
        });
        let descriptor = Self::descriptor(case, &shapes);
        Self { case: case.clone(), x, offset, mask, weight, bias, descriptor }
    }

    fn descriptor(case: &Case, shapes: &Shapes) -> dcn_problem {
        let (dtype, layouts) = (case.dtype, &case.layouts);
        let optional = |present: bool, dtype, dims: &[i64], layout| {
            if present { described(dtype, dims, layout) } else { dcn_tensor_desc::default() }
        };
        let one = |value: i64| if case.ones_by_default && value == 1 { 0 } else { value };
        let has_bias = case.bias.is_some();
        dcn_problem {
            struct_size: size_of::<dcn_problem>(),
            passes: case.passes,
            stride_h: one(case.stride[0]),
            stride_w: one(case.stride[1]),
            pad_top: case.pad_before[0],
            pad_left: case.pad_before[1],
            pad_bottom: case.pad_after[0],
            pad_right: case.pad_after[1],
            dilation_h: one(case.dilation[0]),
            dilation_w: one(case.dilation[1]),
            groups: one(case.groups),
            deformable_groups: one(case.deformable_groups),
            x: described(dtype, &shapes.x, &layouts.x),
            offset: described(dtype, &shapes.offset, &layouts.offset),
            mask: optional(case.has_mask, dtype, &shapes.mask, &layouts.mask),
            weight: described(dtype, &shapes.weight, &layouts.weight),
            bias: optional(has_bias, case.bias.unwrap_or(dtype), &shapes.bias, &layouts.bias),
            y: described(dtype, &shapes.y, &layouts.y),
            grad_y: described(dtype, &shapes.y, &layouts.grad_y),
            grad_x: described(dtype, &shapes.x, &layouts.grad_x),
            grad_offset: described(dtype, &shapes.offset, &layouts.grad_offset),
            grad_mask: optional(case.has_mask, dtype, &shapes.mask, &layouts.grad_mask),
            grad_weight: described(dtype, &shapes.weight, &layouts.grad_weight),
            grad_bias: optional(has_bias, dtype, &shapes.bias, &layouts.grad_bias),
            ..dcn_problem::default()
        }
    }

    /// A y of the case's layout, all poison.
    pub fn y(&self) -> Tensor {
        Tensor::new(self.case.dtype, &Shapes::new(&self.case).y, &self.case.layouts.y, self.case.shift)
    }

    /// grad_y filled, the gradients all poison.
    pub fn gradients(&self) -> Gradients {
        self.gradients_with_x_in(Memory::poisoned)
    }

    /// The same with grad_x in a block that `memory` makes.
    pub fn gradients_with_x_in(&self, memory: fn(usize) -> Memory) -> Gradients {
        let case = &self.case;
        let (shapes, layouts) = (Shapes::new(case), &case.layouts);
        let tensor_in = |memory, dims: &[i64], layout: &Layout, of: &Layout| {
            let implied = if overlaps_itself(dims, of) { &Layout::Contiguous } else { of };
            let layout = if *layout == Layout::Implied { implied } else { layout };
            Tensor::in_memory(memory, case.dtype, dims, layout, case.shift)
        };
        let tensor = |dims: &[i64], layout: &Layout, of: &Layout| tensor_in(Memory::poisoned, dims, layout, of);
        let mut y = tensor(&shapes.y, &layouts.grad_y, &layouts.y);
        let mut random = Random::new(case.seed, 6);
        y.fill(|_| case.numbers.draw(&mut random));
        Gradients {
            y,
            x: tensor_in(memory, &shapes.x, &layouts.grad_x, &layouts.x),
            offset: tensor(&shapes.offset, &layouts.grad_offset, &layouts.offset),
            mask: case.has_mask.then(|| tensor(&shapes.mask, &layouts.grad_mask, &layouts.mask)),
            weight: tensor(&shapes.weight, &layouts.grad_weight, &layouts.weight),
            // grad_bias is described on its own: contiguous unless the case says otherwise.
            bias: case.bias.map(|_| tensor(&shapes.bias, &layouts.grad_bias, &Layout::Contiguous)),
        }
    }
}

impl Gradients {
    /// The outputs by name.
    pub fn outputs(&self) -> Vec<(&'static str, &Tensor)> {
        let all = [
            ("grad_x", Some(&self.x)),
            ("grad_offset", Some(&self.offset)),
            ("grad_mask", self.mask.as_ref()),
            ("grad_weight", Some(&self.weight)),
            ("grad_bias", self.bias.as_ref()),
        ];
        all.into_iter().filter_map(|(name, tensor)| Some((name, tensor?))).collect()
    }

    pub fn into_outputs(self) -> Vec<(&'static str, Tensor)> {
        let all = [
            ("grad_x", Some(self.x)),
            ("grad_offset", Some(self.offset)),
            ("grad_mask", self.mask),
            ("grad_weight", Some(self.weight)),
            ("grad_bias", self.bias),
        ];
        all.into_iter().filter_map(|(name, tensor)| Some((name, tensor?))).collect()
    }

    pub fn outputs_mut(&mut self) -> Vec<(&'static str, &mut Tensor)> {
        let all = [
            ("grad_x", Some(&mut self.x)),
            ("grad_offset", Some(&mut self.offset)),
            ("grad_mask", self.mask.as_mut()),
            ("grad_weight", Some(&mut self.weight)),
            ("grad_bias", self.bias.as_mut()),
        ];
        all.into_iter().filter_map(|(name, tensor)| Some((name, tensor?))).collect()
    }
}
