//! Shape and strides of one tensor, and what follows from them.

use super::kinds::DType;

/// Most dimensions a descriptor has room for.
pub(super) const MAX_RANK: usize = 5;

/// A tensor of a checked problem. The bytes of its elements and of its extent fit an `i64`; strides are in elements,
/// and those that are never stepped along (dimensions of size 1, tensors without elements) are those of a contiguous
/// tensor, whatever the descriptor says, so that arithmetic on strides cannot overflow.
#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    pub dtype: DType,
    pub rank: usize,
    pub dims: [i64; MAX_RANK],
    pub strides: [i64; MAX_RANK],
}

impl Tensor {
    /// Row-major without gaps; `None` if the bytes do not fit an `i64`. A dimension of 0 is taken for 1 there, so that
    /// the size of one image fits also where the batch is empty.
    pub(super) fn contiguous(dtype: DType, shape: &[i64]) -> Option<Self> {
        let mut tensor = Self { dtype, rank: shape.len(), dims: [1; MAX_RANK], strides: [1; MAX_RANK] };
        let mut elements = 1_i64;
        for (i, &dim) in shape.iter().enumerate().rev() {
            tensor.dims[i] = dim;
            tensor.strides[i] = elements;
            elements = elements.checked_mul(dim.max(1))?;
        }
        elements.checked_mul(dtype.size() as i64)?;
        Some(tensor)
    }

    /// This shape with other strides; `None` if the bytes between its first and its last element do not fit an `i64`.
    pub(super) fn with_strides(mut self, strides: &[i64; MAX_RANK]) -> Option<Self> {
        if self.is_empty() {
            return Some(self);
        }
        // The number of elements fits an i64, hence so does the sum of all dim - 1, and this sum fits an i128.
        let mut reach = 0_i128;
        for i in (0..self.rank).filter(|&i| self.dims[i] > 1) {
            self.strides[i] = strides[i];
            reach += i128::from(self.dims[i] - 1) * i128::from(strides[i].unsigned_abs());
        }
        i64::try_from(reach + 1).ok()?.checked_mul(self.dtype.size() as i64)?;
        Some(self)
    }

    pub fn shape(&self) -> &[i64] {
        &self.dims[..self.rank]
    }

    pub fn elements(&self) -> i64 {
        self.shape().iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }

    /// Lowest and highest element offset from element [0, ..., 0], inclusive; (0, -1) if there are no elements.
    pub fn extent(&self) -> (i64, i64) {
        if self.is_empty() {
            return (0, -1);
        }
        let reaches = (0..self.rank).map(|i| (self.dims[i] - 1) * self.strides[i]);
        reaches.fold((0, 0), |(low, high), reach| (low + reach.min(0), high + reach.max(0)))
    }

    /// Whether the elements fill the extent without gaps.
    pub fn is_dense(&self) -> bool {
        let (low, high) = self.extent();
        high - low + 1 == self.elements() && !self.overlaps_itself()
    }

    /// False only if no two elements share memory. The rule is the contract's, sufficient for that: each stride steps
    /// over all that the smaller ones reach.
    pub fn overlaps_itself(&self) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut steps = [(0_i64, 1_i64); MAX_RANK];
        for (i, step) in steps.iter_mut().enumerate().take(self.rank).filter(|(i, _)| self.dims[*i] > 1) {
            *step = (self.strides[i].abs(), self.dims[i]);
        }
        steps.sort_unstable();
        let mut reach = 0;
        steps.iter().filter(|(_, dim)| *dim > 1).any(|(stride, dim)| {
            let overlaps = *stride <= reach;
            reach += (dim - 1) * stride;
            overlaps
        })
    }

    /// Row-major without gaps; for an image, NCHW.
    pub fn is_contiguous(&self) -> bool {
        self.is_packed((0..self.rank).rev())
    }

    /// A contiguous batch of images whose channels are neighbours: NHWC.
    pub fn is_channels_last(&self) -> bool {
        self.rank == 4 && self.is_packed([1, 3, 2, 0].into_iter())
    }

    /// Whether the strides are those without gaps when the dimensions are nested in this order, innermost first. Those
    /// that are never stepped along do not count.
    fn is_packed(&self, mut innermost_first: impl Iterator<Item = usize>) -> bool {
        let mut stride = 1;
        self.is_empty()
            || innermost_first.all(|i| {
                let packed = self.dims[i] == 1 || self.strides[i] == stride;
                stride *= self.dims[i];
                packed
            })
    }
}
