//! `dcn_tensor_desc` → [`Tensor`]: the rules that hold for every tensor.

use super::kinds::DType;
use super::shapes::{Axes, Shape};
use super::tensor::Tensor;
use crate::abi::*;
use crate::error::{Error, Result, require};

/// A described tensor, with the name that messages call it by. It is checked in two steps, since some shapes follow
/// from others: [`Self::open`] looks at what it says by itself, [`Self::tensor`] at whether it fits.
pub(super) struct Descriptor<'a> {
    name: &'static str,
    desc: &'a dcn_tensor_desc,
    pub dtype: DType,
}

impl<'a> Descriptor<'a> {
    /// `None` if the tensor is absent; of such a descriptor only the reserved fields are read.
    pub fn open(name: &'static str, desc: &'a dcn_tensor_desc, axes: Axes) -> Result<Option<Self>> {
        let dcn_tensor_desc { rank, layout, reserved0, reserved, .. } = *desc;
        let layouts = "DCN_LAYOUT_CONTIGUOUS or DCN_LAYOUT_STRIDED";
        require(reserved0 == 0, || Error::argument(format!("{name}.reserved0 is {reserved0}, expected 0")))?;
        require(reserved == [0; 4], || Error::argument(format!("{name}.reserved is {reserved:?}, expected zeros")))?;
        if rank == 0 {
            return Ok(None);
        }
        require(usize::try_from(rank) == Ok(axes.len()), || wrong_rank(name, &rank, axes))?;
        let dtype = DType::read(name, desc.dtype)?;
        require([DCN_LAYOUT_CONTIGUOUS, DCN_LAYOUT_STRIDED].contains(&layout), || {
            Error::argument(format!("{name}.layout is {layout}, expected {layouts}"))
        })?;
        Ok(Some(Self { name, desc, dtype }))
    }

    pub fn open_required(name: &'static str, desc: &'a dcn_tensor_desc, axes: Axes) -> Result<Self> {
        Self::open(name, desc, axes)?.ok_or_else(|| wrong_rank(name, &"0 (absent)", axes))
    }

    /// The first `R` dimensions.
    pub fn dims<const R: usize>(&self) -> [i64; R] {
        std::array::from_fn(|i| self.desc.dims[i])
    }

    /// The tensor, if it has one of these dtypes, the first of which is that of x, and this shape.
    pub fn tensor(&self, dtypes: &[DType], shape: &Shape) -> Result<Tensor> {
        let (name, desc, dtype) = (self.name, self.desc, self.dtype);
        let (dims, expected) = (&desc.dims[..shape.dims().len()], shape.dims());
        require(dtypes.contains(&dtype), || wrong_dtype(name, dtype, dtypes))?;
        require(dims == expected, || {
            Error::shape(format!("{name}.dims is {dims:?}, expected {expected:?} ({})", shape.note))
        })?;
        let contiguous = shape.contiguous(name, dtype)?;
        if desc.layout == DCN_LAYOUT_CONTIGUOUS {
            return Ok(contiguous);
        }
        contiguous.with_strides(&desc.strides).ok_or_else(|| {
            let strides = &desc.strides[..dims.len()];
            Error::stride(format!(
                "{name}.strides is {strides:?} for dims {dims:?} of {}, expected an extent whose bytes fit 64 bits",
                dtype.name()
            ))
        })
    }

    /// [`Self::tensor`] for one that is written: no two of its elements may share memory.
    pub fn output(&self, dtype: DType, shape: &Shape) -> Result<Tensor> {
        let tensor = self.tensor(&[dtype], shape)?;
        require(!tensor.overlaps_itself(), || {
            let (strides, dims) = (&tensor.strides[..tensor.rank], tensor.shape());
            let expected = "each stride of an output to step over all that the smaller ones reach";
            Error::stride(format!("{}.strides is {strides:?} for dims {dims:?}, expected {expected}", self.name))
        })?;
        Ok(tensor)
    }
}

fn wrong_rank(name: &str, rank: &dyn std::fmt::Display, axes: Axes) -> Error {
    Error::shape(format!("{name}.rank is {rank}, expected {} ([{}])", axes.len(), axes.join(", ")))
}

fn wrong_dtype(name: &str, dtype: DType, dtypes: &[DType]) -> Error {
    let mut expected = format!("{} (the dtype of x)", dtypes[0].name());
    dtypes[1..].iter().for_each(|other| expected += &format!(" or {}", other.name()));
    Error::argument(format!("{name}.dtype is {}, expected {expected}", dtype.name()))
}
