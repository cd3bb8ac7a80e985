//! Both passes, decided: which problems the device takes, how x is read, what the workspace holds, the tiling structs.
//! Nothing here calls CANN.

use super::cut::{Cut, Limits, Slab};
use super::tiling::*;
use crate::error::{Error, Result, require};
use crate::problem::{DType, Geometry, Problem, Tensor};

/// Buffers in device memory begin at multiples of this.
pub const ALIGN: usize = 512;

const BACKWARD: u32 = 1 << crate::abi::DCN_PASS_BACKWARD;

/// Refuses what is valid but not for this backend.
pub fn check(problem: &Problem) -> Result<()> {
    require(problem.dtype != DType::F64, || {
        Error::unsupported("x.dtype is f64, expected f32, f16 or bf16 on DCN_BACKEND_ASCEND")
    })?;
    image("x", &problem.x)?;
    contiguous("offset", Some(&problem.offset))?;
    contiguous("mask", problem.mask.as_ref())?;
    contiguous("weight", Some(&problem.weight))?;
    contiguous("bias", problem.bias.as_ref())?;
    contiguous("y", Some(&problem.y))?;
    if problem.passes & BACKWARD == 0 {
        return Ok(());
    }
    contiguous("grad_y", Some(&problem.grad_y))?;
    image("grad_x", &problem.grad_x)?;
    contiguous("grad_offset", Some(&problem.grad_offset))?;
    contiguous("grad_mask", problem.grad_mask.as_ref())?;
    contiguous("grad_weight", Some(&problem.grad_weight))?;
    contiguous("grad_bias", Some(&problem.grad_bias))
}

fn image(name: &str, tensor: &Tensor) -> Result<()> {
    require(tensor.is_contiguous() || tensor.is_channels_last(), || {
        strides(name, tensor, "those of contiguous NCHW or NHWC")
    })
}

fn contiguous(name: &str, tensor: Option<&Tensor>) -> Result<()> {
    tensor.map_or(Ok(()), |tensor| {
        require(tensor.is_contiguous(), || strides(name, tensor, "those of a contiguous tensor"))
    })
}

fn strides(name: &str, tensor: &Tensor, expected: &str) -> Error {
    let (strides, dims) = (&tensor.strides[..tensor.rank], tensor.shape());
    Error::unsupported(format!(
        "{name}.strides is {strides:?} for dims {dims:?}, expected {expected} on DCN_BACKEND_ASCEND"
    ))
}

/// How pixels lie where they are sampled and where grad_x is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// [N][H][W][C].
    Interleaved,
    /// [N][D][H][W][C/D].
    ByDeformableGroup,
}

/// How a tensor of images gets to, or from, the float buffer of [`Pixels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// The tensor itself is used.
    None,
    /// Transposed and widened, or back, image by image: so many matrices an image, of these sizes on the side of x.
    Planes { batch: i64, channels: i64 },
    /// Only widened, or rounded.
    Pixels,
}

/// What both passes share.
pub struct Shared {
    pub problem: Problem,
    pub pixels: Pixels,
    pub x: Copy,
    pub cut: Cut,
    /// C/G = 1: the products are sums of few terms that a matrix unit has no use for.
    pub depthwise: bool,
}

/// Bytes of one image of each tensor that has images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageBytes {
    pub x: i64,
    pub offset: i64,
    pub mask: i64,
    pub y: i64,
}

/// Sizes of a matrix product: [m, k] x [k, n].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    pub m: i64,
    pub k: i64,
    pub n: i64,
}

impl Shared {
    /// `summed`: grad_x is summed in the layout chosen here.
    pub fn new(problem: &Problem, summed: bool, limits: Limits) -> Self {
        let g = &problem.geometry;
        let interleaved =
            problem.x.is_channels_last() || g.deformable_groups == 1 || summed && problem.grad_x.is_channels_last();
        let pixels = if interleaved { Pixels::Interleaved } else { Pixels::ByDeformableGroup };
        let x = copy(g, pixels, &problem.x);
        Self {
            problem: *problem,
            pixels,
            x,
            cut: Cut::new(g, x != Copy::None || summed && copy(g, pixels, &problem.grad_x) != Copy::None, limits),
            depthwise: g.channels_per_group() == 1 && g.c > 1,
        }
    }

    /// How grad_x comes home from its float buffer.
    pub fn grad_x(&self) -> Copy {
        copy(&self.problem.geometry, self.pixels, &self.problem.grad_x)
    }

    /// Elements of an image.
    pub fn image(&self) -> i64 {
        let g = &self.problem.geometry;
        g.c * g.h * g.w
    }

    pub fn image_bytes(&self) -> ImageBytes {
        let (g, size) = (&self.problem.geometry, self.problem.dtype.size() as i64);
        let samples = g.deformable_groups * g.taps() * g.positions() * size;
        ImageBytes { x: self.image() * size, offset: 2 * samples, mask: samples, y: g.o * g.positions() * size }
    }

    /// Groups of the col matrix.
    pub fn groups(&self) -> i64 {
        if self.depthwise { 1 } else { self.problem.geometry.groups }
    }

    /// K*C/G: columns of a group's col matrix.
    pub fn depth(&self) -> i64 {
        self.problem.geometry.taps() * self.problem.geometry.c / self.groups()
    }

    /// O/G.
    pub fn outputs(&self) -> i64 {
        self.problem.geometry.o / self.groups()
    }

    pub fn weights(&self) -> i64 {
        let g = &self.problem.geometry;
        g.o * g.channels_per_group() * g.taps()
    }

    /// The float copy of the weights: [O][K][C/G], depthwise [M][K][C].
    pub fn weight_in(&self) -> LayoutTiling {
        let g = &self.problem.geometry;
        match self.depthwise {
            true => LayoutTiling::transpose(1, g.c, g.o / g.c * g.taps()),
            false => LayoutTiling::transpose(g.o, g.channels_per_group(), g.taps()),
        }
    }

    /// The way back, for grad_weight.
    pub fn weight_out(&self) -> LayoutTiling {
        let g = &self.problem.geometry;
        match self.depthwise {
            true => LayoutTiling::transpose(1, g.o / g.c * g.taps(), g.c),
            false => LayoutTiling::transpose(g.o, g.taps(), g.channels_per_group()),
        }
    }

    pub fn x_in(&self, slab: Slab) -> LayoutTiling {
        self.layout(self.x, slab, true)
    }

    pub fn grad_x_out(&self, slab: Slab) -> LayoutTiling {
        self.layout(self.grad_x(), slab, false)
    }

    fn layout(&self, copy: Copy, slab: Slab, inwards: bool) -> LayoutTiling {
        let g = &self.problem.geometry;
        match copy {
            Copy::None | Copy::Pixels => LayoutTiling::transpose(1, 1, slab.images * self.image()),
            Copy::Planes { batch, channels } => {
                let (rows, columns) = if inwards { (channels, g.h * g.w) } else { (g.h * g.w, channels) };
                LayoutTiling::transpose(slab.images * batch, rows, columns)
            }
        }
    }

    pub fn sample(&self, chunk: Chunk) -> SampleTiling {
        let g = &self.problem.geometry;
        let per_group = g.channels_per_deformable_group();
        let (x_deformable, x_column) = match self.pixels {
            Pixels::Interleaved => (per_group, g.c),
            Pixels::ByDeformableGroup => (g.h * g.w * per_group, per_group),
        };
        SampleTiling {
            chunk,
            channels: g.c,
            height: g.h,
            width: g.w,
            out_width: g.out_w,
            out_plane: g.positions(),
            kernel_width: g.kernel_w,
            taps: g.taps(),
            stride_h: g.stride_h,
            stride_w: g.stride_w,
            pad_top: g.pad_top,
            pad_left: g.pad_left,
            dilation_h: g.dilation_h,
            dilation_w: g.dilation_w,
            groups: self.groups(),
            deformable_groups: g.deformable_groups,
            x_image: self.image(),
            x_deformable,
            x_row: g.w * x_column,
            x_column,
            accumulate_offset: 0,
            accumulate_mask: 0,
        }
    }

    pub fn output(&self, chunk: Chunk) -> OutputTiling {
        let bias = match &self.problem.bias {
            None => BIAS_ABSENT,
            Some(bias) if bias.dtype == self.problem.dtype => BIAS_OF_TENSORS,
            Some(_) => BIAS_FLOAT,
        };
        let g = &self.problem.geometry;
        OutputTiling { chunk, outputs: g.o, out_plane: g.positions(), bias }
    }

    pub fn depthwise(&self, chunk: Chunk, accumulate: bool) -> DepthwiseTiling {
        let g = &self.problem.geometry;
        DepthwiseTiling {
            channels: g.c,
            multiplier: g.o / g.c,
            taps: g.taps(),
            rows: chunk.rows(),
            accumulate: accumulate.into(),
        }
    }

    pub fn grad_bias(&self, accumulate: bool) -> GradBiasTiling {
        let g = &self.problem.geometry;
        GradBiasTiling { batch: g.n, outputs: g.o, out_plane: g.positions(), accumulate: accumulate.into() }
    }

    /// W_g times the transposed col_g.
    pub fn forward_product(&self, rows: i64) -> Product {
        Product { m: self.outputs(), k: self.depth(), n: rows }
    }

    /// grad_g times col_g.
    pub fn weight_product(&self, rows: i64) -> Product {
        Product { m: self.outputs(), k: rows, n: self.depth() }
    }

    /// The transposed grad_g times W_g.
    pub fn col_product(&self, rows: i64) -> Product {
        Product { m: rows, k: self.outputs(), n: self.depth() }
    }
}

fn copy(g: &Geometry, pixels: Pixels, tensor: &Tensor) -> Copy {
    match pixels {
        Pixels::Interleaved if tensor.is_channels_last() => match tensor.dtype {
            DType::F32 => Copy::None,
            _ => Copy::Pixels,
        },
        Pixels::Interleaved => Copy::Planes { batch: 1, channels: g.c },
        Pixels::ByDeformableGroup => {
            Copy::Planes { batch: g.deformable_groups, channels: g.channels_per_deformable_group() }
        }
    }
}

/// Byte offsets of the buffers within the workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Map {
    pub weight: usize,
    pub x: usize,
    /// Backward only: float sums of grad_x and grad_weight.
    pub grad_x: usize,
    pub grad_weight: usize,
    pub col: usize,
    /// [O][R]: the product, or grad_y.
    pub rows: usize,
    /// What CANN's products ask for.
    pub product: usize,
    pub product_size: usize,
    pub size: usize,
}

impl Map {
    pub fn forward(shared: &Shared, product_size: u64) -> Result<Self> {
        Self::new(shared, product_size, false)
    }

    pub fn backward(shared: &Shared, product_size: u64) -> Result<Self> {
        Self::new(shared, product_size, true)
    }

    fn new(shared: &Shared, product_size: u64, backward: bool) -> Result<Self> {
        let (images, rows) = (shared.cut.slab_images, shared.cut.most_rows());
        let mut next = Next(0);
        let mut map = Self { weight: next.floats(&[shared.weights()])?, ..Self::default() };
        if shared.x != Copy::None {
            map.x = next.floats(&[images, shared.image()])?;
        }
        if backward {
            if shared.grad_x() != Copy::None {
                map.grad_x = next.floats(&[images, shared.image()])?;
            }
            map.grad_weight = next.floats(&[shared.weights()])?;
        }
        map.col = next.floats(&[rows, shared.groups(), shared.depth()])?;
        map.rows = next.floats(&[rows, shared.problem.geometry.o])?;
        map.product_size = usize::try_from(product_size).map_err(|_| too_large())?;
        map.product = next.bytes(map.product_size)?;
        map.size = next.0;
        Ok(map)
    }
}

/// Where the next buffer begins.
struct Next(usize);

impl Next {
    fn floats(&mut self, dims: &[i64]) -> Result<usize> {
        let count = dims.iter().try_fold(4_i64, |bytes, &dim| bytes.checked_mul(dim)).ok_or_else(too_large)?;
        self.bytes(count as usize)
    }

    fn bytes(&mut self, bytes: usize) -> Result<usize> {
        let first = self.0;
        let end = bytes.checked_next_multiple_of(ALIGN).and_then(|bytes| first.checked_add(bytes));
        self.0 = end.filter(|&end| end <= isize::MAX as usize).ok_or_else(too_large)?;
        Ok(first)
    }
}

fn too_large() -> Error {
    Error::shape("the workspace of this problem does not fit 64 bits")
}

#[cfg(test)]
mod tests;
