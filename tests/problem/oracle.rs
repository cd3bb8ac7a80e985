//! The contract's rules once more, in the shortest form that says whether a descriptor is allowed and what it means.
//! Written for certainty, not for messages: i128 throughout, no order.

use deformconv::abi::*;

type Wide = i128;

/// One tensor: element size, dimensions, strides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub size: Wide,
    pub dims: Vec<Wide>,
    pub strides: Vec<Wide>,
}

/// The tensors of an allowed problem: x, offset, mask, weight, bias, y, then their gradients with grad_y first.
pub type Views = Vec<Option<View>>;

fn fits(factors: &[Wide]) -> bool {
    let product = factors.iter().try_fold(1, |product: Wide, &factor| product.checked_mul(factor.max(1)));
    product.is_some_and(|product| product <= i64::MAX.into())
}

fn wide(values: &[i64]) -> Vec<Wide> {
    values.iter().map(|&v| v.into()).collect()
}

fn size_of_dtype(dtype: i32) -> Option<Wide> {
    [(DCN_F32, 4), (DCN_F64, 8), (DCN_F16, 2), (DCN_BF16, 2)].iter().find(|(d, _)| *d == dtype).map(|(_, size)| *size)
}

/// Strides that nothing steps along are those of a contiguous tensor.
fn view(size: Wide, dims: &[Wide], strides: Option<&[i64]>) -> Option<View> {
    fits(&[&[size], dims].concat()).then_some(())?;
    let contiguous = |i: usize| -> Wide { dims[i + 1..].iter().map(|d: &Wide| *d.max(&1)).product() };
    let moot = |i: usize| dims.contains(&0) || dims[i] == 1;
    let stride = |i: usize| strides.filter(|_| !moot(i)).map_or_else(|| contiguous(i), |s: &[i64]| Wide::from(s[i]));
    let view = View { size, dims: dims.to_vec(), strides: (0..dims.len()).map(stride).collect() };
    let reach: Wide = (0..dims.len()).filter(|&i| !moot(i)).map(|i| (dims[i] - 1) * view.strides[i].abs()).sum();
    ((reach + 1) * size <= i64::MAX.into()).then_some(view)
}

pub fn overlaps(view: &View) -> bool {
    if view.dims.contains(&0) {
        return false;
    }
    let mut steps: Vec<_> = view.strides.iter().zip(&view.dims).filter(|(_, d)| **d > 1).collect();
    steps.sort_by_key(|(stride, _)| stride.abs());
    let reach = |n| steps[..n].iter().map(|(stride, dim)| (**dim - 1) * stride.abs()).sum::<Wide>();
    (0..steps.len()).any(|i| steps[i].0.abs() <= reach(i))
}

/// `Some(None)` for an absent tensor, `None` for one that breaks a rule.
fn read(desc: &dcn_tensor_desc, dtypes: &[i32], dims: &[Wide]) -> Option<Option<View>> {
    let rank = dims.len();
    (desc.reserved0 == 0 && desc.reserved == [0; 4]).then_some(())?;
    if desc.rank == 0 {
        return Some(None);
    }
    (desc.rank == rank as i32 && dtypes.contains(&desc.dtype) && [0, 1].contains(&desc.layout)).then_some(())?;
    (wide(&desc.dims[..rank]) == dims).then_some(())?;
    view(size_of_dtype(desc.dtype)?, dims, (desc.layout == 1).then_some(&desc.strides[..])).map(Some)
}

fn written(view: View) -> Option<View> {
    (!overlaps(&view)).then_some(view)
}

fn output_size(size: i64, before: i64, after: i64, reach: [i64; 3], limit: Wide) -> Option<Wide> {
    let [stride, dilation, kernel] = reach.map(Wide::from);
    let padded = Wide::from(size) + Wide::from(before) + Wide::from(after);
    let numerator = padded - (dilation * (kernel - 1) + 1);
    (padded <= limit && numerator >= 0).then(|| numerator / stride + 1)
}

/// The tensors of an allowed problem, `None` for a problem that breaks a rule.
pub fn allowed(p: &dcn_problem) -> Option<Views> {
    let header = [0, 1].contains(&p.backend) && p.flags <= 1 && p.passes <= 3 && p.reserved0 == 0;
    (header && p.x.rank == 4 && p.weight.rank == 4).then_some(())?;
    let dtype = p.x.dtype;
    let size = size_of_dtype(dtype)?;
    let [n, c, h, w] = std::array::from_fn(|i| p.x.dims[i]);
    let [o, _, kh, kw] = std::array::from_fn(|i| p.weight.dims[i]);
    let numbers = [p.stride_h, p.stride_w, p.dilation_h, p.dilation_w, p.groups, p.deformable_groups];
    let not_negative = [n, p.pad_top, p.pad_left, p.pad_bottom, p.pad_right].iter().chain(&numbers).all(|v| *v >= 0);
    let positive = [c, h, w, o, kh, kw].iter().all(|v| *v >= 1);
    (not_negative && positive && kh <= 32768 && kw <= 32768).then_some(())?;
    let [stride_h, stride_w, dilation_h, dilation_w, groups, d] = numbers.map(|v| if v == 0 { 1 } else { v });
    (c % groups == 0 && o % groups == 0 && c % d == 0).then_some(())?;

    let limit = 1 << if dtype == DCN_F64 { 53 } else { 24 };
    let out_h = output_size(h, p.pad_top, p.pad_bottom, [stride_h, dilation_h, kh], limit)?;
    let out_w = output_size(w, p.pad_left, p.pad_right, [stride_w, dilation_w, kw], limit)?;
    let [n, c, h, w, o, kh, kw, groups, d] = [n, c, h, w, o, kh, kw, groups, d].map(Wide::from);
    fits(&[2, n, o, out_h, out_w, c / groups, kh, kw]).then_some(())?;

    let x = [n, c, h, w];
    let offset = [n, 2 * d * kh * kw, out_h, out_w];
    let mask = [n, d * kh * kw, out_h, out_w];
    let weight = [o, c / groups, kh, kw];
    let y = [n, o, out_h, out_w];
    let bias_dtypes = [dtype, if size == 2 { DCN_F32 } else { dtype }];
    let required = |desc, dims: &[Wide]| read(desc, &[dtype], dims)?;
    let x_view = required(&p.x, &x)?;
    let offset_view = required(&p.offset, &offset)?;
    let weight_view = required(&p.weight, &weight)?;
    let mask_view = read(&p.mask, &[dtype], &mask)?;
    let bias_view = read(&p.bias, &bias_dtypes, &[o])?;

    let contiguous = |dims: &[Wide]| view(size, dims, None);
    let output = |desc, like: Option<View>, dims: &[Wide]| match read(desc, &[dtype], dims)? {
        Some(view) => written(view),
        None => like.and_then(written).or_else(|| contiguous(dims)),
    };
    let y_view = output(&p.y, None, &y)?;
    let absent = dcn_tensor_desc::default();
    let gradient = |desc| if p.passes == 1 { &absent } else { desc };
    let grad_y = read(gradient(&p.grad_y), &[dtype], &y)?.unwrap_or(y_view.clone());
    let grad_x = output(gradient(&p.grad_x), Some(x_view.clone()), &x)?;
    let grad_offset = output(gradient(&p.grad_offset), Some(offset_view.clone()), &offset)?;
    let grad_mask = match &mask_view {
        None => read(gradient(&p.grad_mask), &[], &[]).filter(Option::is_none)?,
        like => Some(output(gradient(&p.grad_mask), like.clone(), &mask)?),
    };
    let grad_weight = output(gradient(&p.grad_weight), Some(weight_view.clone()), &weight)?;
    let grad_bias = output(gradient(&p.grad_bias), None, &[o])?;
    let mx_driving = dtype == DCN_F32
        && mask_view.is_some()
        && bias_view.is_none()
        && (d, kh, kw, c % 64, o % 64) == (1, 3, 3, 0, 0)
        && (p.pad_top, p.pad_left) == (p.pad_bottom, p.pad_right);
    (p.flags == 0 || mx_driving).then_some(())?;
    let forward = vec![Some(x_view), Some(offset_view), mask_view, Some(weight_view), bias_view, Some(y_view)];
    let backward = vec![Some(grad_y), Some(grad_x), Some(grad_offset), grad_mask, Some(grad_weight), Some(grad_bias)];
    Some([forward, backward].concat())
}
