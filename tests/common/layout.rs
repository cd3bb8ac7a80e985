//! How a tensor lies in memory.

/// Contiguous and implied layouts, and those with strides of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Layout {
    /// Described with DCN_LAYOUT_CONTIGUOUS.
    #[default]
    Contiguous,
    /// Described with rank 0, for y and the gradients: as the library takes it from the other tensors.
    Implied,
    Strided(Strided),
}

/// Strides built from the innermost dimension outwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Strided {
    /// Dimensions, outermost first.
    pub order: Vec<usize>,
    /// Elements left free between neighbours along each dimension.
    pub gaps: Vec<i64>,
    /// Dimensions with negative strides.
    pub reversed: Vec<bool>,
    /// Dimensions with stride 0.
    pub broadcast: Vec<bool>,
}

impl Strided {
    pub fn ordered(order: &[usize]) -> Self {
        let rank = order.len();
        Self { order: order.to_vec(), gaps: vec![0; rank], reversed: vec![false; rank], broadcast: vec![false; rank] }
    }

    fn strides(&self, dims: &[i64]) -> Vec<i64> {
        let mut strides = vec![0; dims.len()];
        let mut extent = 1;
        for &d in self.order.iter().rev() {
            if self.broadcast[d] {
                continue;
            }
            let stride = extent + self.gaps[d];
            extent = stride * dims[d].max(1);
            strides[d] = if self.reversed[d] { -stride } else { stride };
        }
        strides
    }
}

impl Layout {
    pub fn strided(order: &[usize]) -> Self {
        Self::Strided(Strided::ordered(order))
    }

    /// Of a tensor of rank 4 whose second dimension is the channels.
    pub fn channels_last() -> Self {
        Self::strided(&[0, 2, 3, 1])
    }

    /// Row major, with stride 0 along the dimensions named.
    pub fn broadcast(rank: usize, dimensions: &[usize]) -> Self {
        let mut strided = Strided::ordered(&(0..rank).collect::<Vec<_>>());
        dimensions.iter().for_each(|&d| strided.broadcast[d] = true);
        Self::Strided(strided)
    }

    /// For `Implied`, the strides a contiguous tensor has.
    pub fn strides(&self, dims: &[i64]) -> Vec<i64> {
        match self {
            Self::Strided(strided) => strided.strides(dims),
            _ => Strided::ordered(&(0..dims.len()).collect::<Vec<_>>()).strides(dims),
        }
    }
}
