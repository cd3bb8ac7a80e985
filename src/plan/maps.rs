//! Maps of the scratch and workspace parts that the passes have in common.

use super::arena::Arena;
use crate::cpu::kernels::{HasKernels, POSITION_PADDING, Reach};
use crate::error::Result;
use crate::problem::Tensor;

/// Byte offsets of a sampler's arrays within a thread's scratch.
#[derive(Clone, Copy, Debug, Default)]
pub struct SamplerMap {
    /// Elements of an array with one value for each position of a tile.
    pub stride: usize,
    /// Taps (of all deformable groups) whose corners are remembered.
    pub slots: usize,
    pub base_y: usize,
    pub base_x: usize,
    pub offset_y: usize,
    pub offset_x: usize,
    pub mask: usize,
    pub tags: usize,
    pub reaches: usize,
    pub index: usize,
    pub weight: usize,
    /// For the gradients alone.
    pub fraction: Option<usize>,
}

impl SamplerMap {
    pub fn new<C>(arena: &mut Arena, positions: usize, slots: usize, gradients: bool) -> Result<Self> {
        let stride = (positions + POSITION_PADDING).next_multiple_of(POSITION_PADDING);
        Ok(Self {
            stride,
            slots,
            base_y: arena.take::<C>(stride)?,
            base_x: arena.take::<C>(stride)?,
            offset_y: arena.take::<C>(stride)?,
            offset_x: arena.take::<C>(stride)?,
            mask: arena.take::<C>(stride)?,
            tags: arena.take::<u64>(slots)?,
            reaches: arena.take::<Reach<C>>(slots)?,
            index: arena.take::<i32>(slots * 4 * stride)?,
            weight: arena.take::<C>(slots * 4 * stride)?,
            fraction: if gradients { Some(arena.take::<C>(slots * 3 * stride)?) } else { None },
        })
    }
}

/// The most parts that a copy of an image is made in.
pub const MOST_PARTS: usize = 1024;

/// How a pass reads x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// Channels are contiguous and pixels evenly spaced: sampled where it is.
    Direct { pixel_stride: usize },
    /// Copied to the workspace, channels contiguous, an image at a time.
    Copied,
}

impl Image {
    pub fn new<T: HasKernels>(x: &Tensor) -> Self {
        match pixel_stride(x) {
            Some(stride @ 0..) if T::IS_COMPUTE => Self::Direct { pixel_stride: stride as usize },
            _ => Self::Copied,
        }
    }
}

/// How the forward pass writes y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Positions of a channel are neighbours (NCHW).
    Planes,
    /// Channels of a position are neighbours (NHWC), positions evenly spaced.
    Pixels { stride: isize },
    /// Element by element along the strides.
    Strided,
}

impl Output {
    pub fn new(y: &Tensor) -> Self {
        match pixel_stride(y) {
            _ if is_planes(y) => Self::Planes,
            Some(stride) => Self::Pixels { stride },
            None => Self::Strided,
        }
    }
}

/// Bytes of one image with contiguous channels, in the type it is computed in.
pub fn image_size<T: HasKernels>(x: &Tensor) -> Result<usize> {
    let mut arena = Arena::default();
    arena.take::<T::Compute>((x.dims[1] * x.dims[2] * x.dims[3]) as usize)?;
    Ok(arena.size())
}

/// The stride from one element of a plane to the next, row after row, if it is the same everywhere. A plane of one
/// element has any; 1 is as good as another.
pub fn flat_stride([h, w]: [i64; 2], [sh, sw]: [i64; 2]) -> Option<i64> {
    match (h, w) {
        (1, 1) => Some(1),
        (_, 1) => Some(sh),
        (1, _) => Some(sw),
        _ => (sh == w * sw).then_some(sw),
    }
}

/// Whether the tensor is planes whose positions are neighbours (NCHW).
pub fn is_planes(tensor: &Tensor) -> bool {
    let ([_, _, h, w, _], [_, _, sh, sw, _]) = (tensor.dims, tensor.strides);
    flat_stride([h, w], [sh, sw]) == Some(1)
}

/// Whether the tensor is evenly spaced pixels whose channels are neighbours (NHWC): the distance of pixels.
pub fn pixel_stride(tensor: &Tensor) -> Option<isize> {
    let ([_, c, h, w, _], [_, sc, sh, sw, _]) = (tensor.dims, tensor.strides);
    flat_stride([h, w], [sh, sw]).filter(|_| sc == 1 || c == 1).map(|stride| stride as isize)
}
