//! Which shape each tensor has to have.

use super::geometry::Geometry;
use super::kinds::DType;
use super::tensor::Tensor;
use crate::error::{Error, Result};

/// Names of a tensor's dimensions, outermost first.
pub(super) type Axes = &'static [&'static str];

pub(super) const X: Axes = &["N", "C", "H", "W"];
pub(super) const OFFSET: Axes = &["N", "2*D*K", "Ho", "Wo"];
pub(super) const MASK: Axes = &["N", "D*K", "Ho", "Wo"];
pub(super) const WEIGHT: Axes = &["O", "C/G", "kh", "kw"];
pub(super) const BIAS: Axes = &["O"];
pub(super) const Y: Axes = &["N", "O", "Ho", "Wo"];

/// The dimensions a tensor must have, and where they come from.
pub(super) struct Shape {
    pub axes: Axes,
    pub note: String,
    dims: [i64; 4],
}

impl Shape {
    fn new<const R: usize>(axes: Axes, dims: [i64; R], note: String) -> Self {
        debug_assert_eq!(axes.len(), R);
        Self { axes, note, dims: std::array::from_fn(|i| dims.get(i).copied().unwrap_or(1)) }
    }

    pub fn dims(&self) -> &[i64] {
        &self.dims[..self.axes.len()]
    }

    /// A tensor of this shape, row-major without gaps.
    pub fn contiguous(&self, name: &str, dtype: DType) -> Result<Tensor> {
        Tensor::contiguous(dtype, self.dims()).ok_or_else(|| {
            let (dims, dtype) = (self.dims(), dtype.name());
            Error::shape(format!("{name}.dims is {dims:?} of {dtype}, expected a size in bytes that fits 64 bits"))
        })
    }
}

/// The shapes that a geometry asks for; a gradient has that of its tensor.
pub(super) struct Shapes {
    pub x: Shape,
    pub offset: Shape,
    pub mask: Shape,
    pub weight: Shape,
    pub bias: Shape,
    pub y: Shape,
}

impl Shapes {
    pub fn new(g: &Geometry) -> Self {
        let Geometry { n, c, h, w, o, out_h, out_w, kernel_h, kernel_w, .. } = *g;
        let (groups, d, taps) = (g.groups, g.deformable_groups, g.taps());
        // No more than the operations of a run, which were counted: O is at least G, so O*(C/G) is at least C and D.
        let (masks, offsets) = (d * taps, 2 * d * taps);
        let sized = format!("the size equation gives Ho x Wo = {out_h} x {out_w}");
        Self {
            x: Shape::new(X, [n, c, h, w], "N, C, H, W".into()),
            offset: Shape::new(OFFSET, [n, offsets, out_h, out_w], format!("2*D*K = 2*{d}*{taps} channels; {sized}")),
            mask: Shape::new(MASK, [n, masks, out_h, out_w], format!("D*K = {d}*{taps} channels; {sized}")),
            weight: Shape::new(WEIGHT, [o, c / groups, kernel_h, kernel_w], format!("C/G = {c}/{groups} channels")),
            bias: Shape::new(BIAS, [o], format!("O = {o}")),
            y: Shape::new(Y, [n, o, out_h, out_w], format!("N, O, Ho, Wo; {sized}")),
        }
    }
}
