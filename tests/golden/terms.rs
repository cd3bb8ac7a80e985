//! What the contract's error bound is made of: for each element of a result, how many terms it is the sum of, and the
//! sum of their magnitudes.

use crate::case::Case;
use std::collections::BTreeMap;
use std::iter;

/// Σ|terms| and the number of terms, element by element.
pub struct Terms {
    pub magnitude: Vec<f64>,
    pub count: Vec<f64>,
}

impl Terms {
    fn new(len: usize) -> Self {
        Self { magnitude: vec![0.0; len], count: vec![0.0; len] }
    }

    fn add(&mut self, element: usize, magnitude: f64, count: usize) {
        self.magnitude[element] += magnitude;
        self.count[element] += count as f64;
    }
}

/// A corner of a sample that lies inside the image: its index in the plane, and the magnitudes of its bilinear weight
/// and of that weight's derivatives by py and px.
struct Corner {
    pixel: usize,
    weight: f64,
    by_y: f64,
    by_x: f64,
}

fn corners(py: f64, px: f64, height: usize, width: usize) -> Vec<Corner> {
    let (h, w) = (height as f64, width as f64);
    if !(-1.0 < py && py < h && -1.0 < px && px < w) {
        return Vec::new();
    }
    let (y0, x0) = (py.floor(), px.floor());
    let rows = [(y0, 1.0 - (py - y0)), (y0 + 1.0, py - y0)];
    let columns = [(x0, 1.0 - (px - x0)), (x0 + 1.0, px - x0)];
    let all = rows.iter().flat_map(|&row| columns.iter().map(move |&column| (row, column)));
    let inside = all.filter(|((y, _), (x, _))| (0.0..h).contains(y) && (0.0..w).contains(x));
    let corner = |((y, by_x), (x, by_y)): ((f64, f64), (f64, f64))| {
        let pixel = y as usize * width + x as usize;
        Corner { pixel, weight: by_x * by_y, by_y, by_x }
    };
    inside.map(corner).collect()
}

/// The operands and sizes of a case; magnitudes of all operands but the offset.
struct Operands {
    x: Vec<f64>,
    offset: Vec<f64>,
    mask: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    grad_y: Vec<f64>,
    channels: usize,
    size: (usize, usize),
    outputs: usize,
    kernel: (usize, usize),
    output_size: (usize, usize),
    groups: usize,
    deformable_groups: usize,
}

impl Operands {
    fn of(case: &Case) -> Self {
        let shape = |name: &str| case.tensor(name).shape.as_slice();
        let offset = case.tensor("offset").values.to_f64();
        let magnitudes = |name: &str, absent: (f64, usize)| match case.get(name) {
            Some(tensor) => tensor.values.to_f64().iter().map(|value| value.abs()).collect(),
            None => vec![absent.0; absent.1],
        };
        Self {
            x: magnitudes("x", (0.0, 0)),
            mask: magnitudes("mask", (1.0, offset.len() / 2)),
            weight: magnitudes("weight", (0.0, 0)),
            bias: magnitudes("bias", (0.0, 0)),
            grad_y: magnitudes("grad_y", (0.0, case.tensor("y").values.len())),
            offset,
            channels: shape("x")[1],
            size: (shape("x")[2], shape("x")[3]),
            outputs: shape("weight")[0],
            kernel: (shape("weight")[2], shape("weight")[3]),
            output_size: (shape("y")[2], shape("y")[3]),
            groups: case.number("groups") as usize,
            deformable_groups: case.number("deformable_groups") as usize,
        }
    }
}

/// The terms of every result of a case, by the name of its tensor.
pub fn terms(case: &Case) -> BTreeMap<&'static str, Terms> {
    let operands = Operands::of(case);
    let batch = case.tensor("x").shape[0];
    let mut terms: BTreeMap<&'static str, Terms> = [
        ("y", operands.grad_y.len()),
        ("grad_x", operands.x.len()),
        ("grad_offset", operands.offset.len()),
        ("grad_mask", operands.mask.len()),
        ("grad_weight", operands.weight.len()),
        ("grad_bias", operands.outputs),
    ]
    .map(|(name, len)| (name, Terms::new(len)))
    .into();
    add_bias(&operands, &mut terms);
    let (kernel_h, kernel_w) = operands.kernel;
    for n in 0..batch {
        for c in 0..operands.channels {
            for (i, j) in (0..kernel_h).flat_map(|i| iter::repeat(i).zip(0..kernel_w)) {
                add_tap(case, &operands, [n, c, i, j], &mut terms);
            }
        }
    }
    terms
}

fn add_bias(operands: &Operands, terms: &mut BTreeMap<&'static str, Terms>) {
    let plane = operands.output_size.0 * operands.output_size.1;
    for (element, &gradient) in operands.grad_y.iter().enumerate() {
        let o = element / plane % operands.outputs;
        terms.get_mut("grad_bias").unwrap().add(o, gradient, 1);
        if let Some(&bias) = operands.bias.get(o) {
            terms.get_mut("y").unwrap().add(element, bias, 1);
        }
    }
}

/// Adds what one kernel tap of one channel of one image contributes, at all output positions.
fn add_tap(case: &Case, operands: &Operands, [n, c, i, j]: [usize; 4], terms: &mut BTreeMap<&'static str, Terms>) {
    let (height, width) = operands.size;
    let (out_h, out_w) = operands.output_size;
    let (kernel_h, kernel_w) = operands.kernel;
    let (group_channels, group_outputs) = (operands.channels / operands.groups, operands.outputs / operands.groups);
    let group = c / group_channels;
    let d = c / (operands.channels / operands.deformable_groups);
    let mask_channel = (n * operands.deformable_groups + d) * kernel_h * kernel_w + i * kernel_w + j;
    let image = (n * operands.channels + c) * height * width;
    let base = |position: usize, stride: &str, pad: &str, tap: usize, dilation: &str| {
        (position as i64 * case.number(stride) - case.number(pad) + tap as i64 * case.number(dilation)) as f64
    };
    let mut add = |name, element, magnitude, count| terms.get_mut(name).unwrap().add(element, magnitude, count);

    for (p, q) in (0..out_h).flat_map(|p| iter::repeat(p).zip(0..out_w)) {
        let at = |channel: usize| (channel * out_h + p) * out_w + q;
        let (dy, dx) = (at(2 * mask_channel), at(2 * mask_channel + 1));
        let py = base(p, "stride_h", "pad_top", i, "dilation_h") + operands.offset[dy];
        let px = base(q, "stride_w", "pad_left", j, "dilation_w") + operands.offset[dx];
        let corners = corners(py, px, height, width);
        let sum = |of: fn(&Corner) -> f64| -> f64 {
            corners.iter().map(|corner| of(corner) * operands.x[image + corner.pixel]).sum()
        };
        let (sample, by_y, by_x) = (sum(|c| c.weight), sum(|c| c.by_y), sum(|c| c.by_x));
        let mask = operands.mask[at(mask_channel)];

        let mut column_gradient = 0.0;
        for o in group * group_outputs..(group + 1) * group_outputs {
            let y = at(n * operands.outputs + o);
            let weight = ((o * group_channels + c % group_channels) * kernel_h + i) * kernel_w + j;
            column_gradient += operands.weight[weight] * operands.grad_y[y];
            add("y", y, operands.weight[weight] * mask * sample, corners.len());
            add("grad_weight", weight, operands.grad_y[y] * mask * sample, corners.len());
        }
        let count = corners.len() * group_outputs;
        add("grad_mask", at(mask_channel), column_gradient * sample, count);
        add("grad_offset", dy, mask * column_gradient * by_y, count);
        add("grad_offset", dx, mask * column_gradient * by_x, count);
        for corner in &corners {
            add("grad_x", image + corner.pixel, corner.weight * mask * column_gradient, group_outputs);
        }
    }
}
