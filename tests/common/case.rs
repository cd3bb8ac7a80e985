//! A problem in words: sizes, layouts, and what its tensors are filled with.

use super::dtype::Dtype;
use super::layout::Layout;
use super::values::{Masks, Numbers, Offsets};

#[derive(Clone, Debug)]
pub struct Case {
    pub dtype: Dtype,
    pub n: i64,
    pub c: i64,
    pub h: i64,
    pub w: i64,
    pub o: i64,
    /// Height and width, here and below.
    pub kernel: [i64; 2],
    pub stride: [i64; 2],
    /// Top and left.
    pub pad_before: [i64; 2],
    /// Bottom and right.
    pub pad_after: [i64; 2],
    pub dilation: [i64; 2],
    pub groups: i64,
    pub deformable_groups: i64,
    /// Writes strides, dilations and groups of 1 as 0, their default.
    pub ones_by_default: bool,
    pub has_mask: bool,
    /// The bias's type, if there is one.
    pub bias: Option<Dtype>,
    /// As in the descriptor: bits of passes, 0 for both.
    pub passes: u32,
    pub layouts: Layouts,
    /// Elements between a multiple of 64 bytes and each tensor's first one.
    pub shift: usize,
    pub numbers: Numbers,
    pub offsets: Offsets,
    pub masks: Masks,
    pub seed: u64,
}

#[derive(Clone, Debug)]
pub struct Layouts {
    pub x: Layout,
    pub offset: Layout,
    pub mask: Layout,
    pub weight: Layout,
    pub bias: Layout,
    pub y: Layout,
    pub grad_y: Layout,
    pub grad_x: Layout,
    pub grad_offset: Layout,
    pub grad_mask: Layout,
    pub grad_weight: Layout,
    pub grad_bias: Layout,
}

impl Default for Layouts {
    fn default() -> Self {
        Self {
            x: Layout::Contiguous,
            offset: Layout::Contiguous,
            mask: Layout::Contiguous,
            weight: Layout::Contiguous,
            bias: Layout::Contiguous,
            y: Layout::Implied,
            grad_y: Layout::Implied,
            grad_x: Layout::Implied,
            grad_offset: Layout::Implied,
            grad_mask: Layout::Implied,
            grad_weight: Layout::Implied,
            grad_bias: Layout::Implied,
        }
    }
}

impl Layouts {
    /// x and y with their channels innermost.
    pub fn channels_last() -> Self {
        Self { x: Layout::channels_last(), y: Layout::channels_last(), ..Self::default() }
    }
}

impl Default for Case {
    /// A common 3x3 problem with odd sizes.
    fn default() -> Self {
        Self {
            dtype: Dtype::F32,
            n: 2,
            c: 6,
            h: 7,
            w: 9,
            o: 5,
            kernel: [3, 3],
            stride: [1, 1],
            pad_before: [1, 1],
            pad_after: [1, 1],
            dilation: [1, 1],
            groups: 1,
            deformable_groups: 1,
            ones_by_default: false,
            has_mask: true,
            bias: Some(Dtype::F32),
            passes: 0,
            layouts: Layouts::default(),
            shift: 0,
            numbers: Numbers::Plain,
            offsets: Offsets::Moderate,
            masks: Masks::Unit,
            seed: 1,
        }
    }
}

impl Case {
    /// The same problem in another element type, the bias's too.
    pub fn of(self, dtype: Dtype) -> Self {
        Self { dtype, bias: self.bias.map(|_| dtype), ..self }
    }

    fn padded(&self, axis: usize) -> i64 {
        [self.h, self.w][axis] + self.pad_before[axis] + self.pad_after[axis]
    }

    /// How far the padded image is larger than the dilated kernel, along an axis.
    pub fn slack(&self, axis: usize) -> i64 {
        self.padded(axis) - (self.dilation[axis] * (self.kernel[axis] - 1) + 1)
    }

    /// Ho and Wo.
    pub fn output(&self) -> [i64; 2] {
        [0, 1].map(|axis| {
            assert!(self.slack(axis) >= 0, "the kernel is larger than the padded image");
            self.slack(axis) / self.stride[axis] + 1
        })
    }

    pub fn taps(&self) -> i64 {
        self.kernel[0] * self.kernel[1]
    }

    /// Multiplications of one pass, about.
    pub fn work(&self) -> i64 {
        let [ho, wo] = self.output();
        self.n * ho * wo * self.c * self.taps() * (self.o / self.groups + 8)
    }

    /// Where a tap samples at an output position, without the offset.
    pub fn base(&self, axis: usize, position: i64, tap: i64) -> i64 {
        position * self.stride[axis] - self.pad_before[axis] + tap * self.dilation[axis]
    }
}
