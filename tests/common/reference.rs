//! The operator and its gradients, straight from their definition: naive loops, wide arithmetic, coordinates rounded as
//! the library rounds them.

use super::dtype::Dtype;
use super::problem::Problem;
use super::tensor::Tensor;
use super::wide::{DoubleDouble, Wide};
use std::collections::BTreeMap;
use std::ops::{AddAssign, Mul};

/// A sum of products, with what its error bound is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sum<R> {
    pub value: R,
    /// The sum of the terms' magnitudes.
    pub magnitude: f64,
    /// How many terms there are, fully expanded.
    pub terms: u64,
}

impl<R: Wide> Sum<R> {
    fn empty() -> Self {
        Self { value: R::from(0.0), magnitude: 0.0, terms: 0 }
    }

    fn term(value: R) -> Self {
        Self { value, magnitude: value.parts().0.abs(), terms: 1 }
    }

    fn number(value: f64) -> Self {
        Self::term(R::from(value))
    }
}

impl<R: Wide> AddAssign for Sum<R> {
    fn add_assign(&mut self, other: Self) {
        self.value += other.value;
        self.magnitude += other.magnitude;
        self.terms += other.terms;
    }
}

/// Every term of one by every term of the other.
impl<R: Wide> Mul for Sum<R> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            magnitude: self.magnitude * other.magnitude,
            terms: self.terms * other.terms,
        }
    }
}

/// What an element of an output should be.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub sum: Sum<DoubleDouble>,
    /// The contract leaves the value open.
    pub unspecified: bool,
}

impl Expected {
    fn new<R: Wide>(sum: Sum<R>, unspecified: bool) -> Self {
        let (high, low) = sum.value.parts();
        let value = DoubleDouble::from(high) + DoubleDouble::from(low);
        Self { sum: Sum { value, magnitude: sum.magnitude, terms: sum.terms }, unspecified }
    }

    /// Of an element that the library adds to.
    pub fn added_to(mut self, previous: f64) -> Self {
        self.sum += Sum::number(previous);
        self
    }
}

/// One of the four pixels around a sample, inside the image.
#[derive(Clone, Copy)]
struct Corner<R> {
    y: i64,
    x: i64,
    weight: R,
    /// Derivatives of the weight.
    by_y: R,
    by_x: R,
}

/// Where one tap of one deformable group samples at one output position.
struct Sample<R> {
    in_range: bool,
    corners: Vec<Corner<R>>,
    mask: f64,
}

/// Indices of a sample: image, deformable group, tap, output position.
#[derive(Clone, Copy)]
struct At {
    n: i64,
    d: i64,
    tap: i64,
    p: i64,
    q: i64,
}

struct Operator<'a> {
    problem: &'a Problem,
    output: [i64; 2],
    taps: i64,
    /// C/G, O/G and C/D.
    group_inputs: i64,
    group_outputs: i64,
    deformable_inputs: i64,
}

impl<'a> Operator<'a> {
    fn new(problem: &'a Problem) -> Self {
        let case = &problem.case;
        Self {
            problem,
            output: case.output(),
            taps: case.taps(),
            group_inputs: case.c / case.groups,
            group_outputs: case.o / case.groups,
            deformable_inputs: case.c / case.deformable_groups,
        }
    }

    fn sample<R: Wide>(&self, at: At) -> Sample<R> {
        let (problem, case) = (self.problem, &self.problem.case);
        let channel = at.d * self.taps + at.tap;
        let mask = problem.mask.as_ref().map_or(1.0, |mask| mask.get(&[at.n, channel, at.p, at.q]));
        let coordinate = |axis: usize, base: i64| {
            let offset = problem.offset.get(&[at.n, 2 * channel + axis as i64, at.p, at.q]);
            case.dtype.coordinate(base, offset)
        };
        let py = coordinate(0, case.base(0, at.p, at.tap / case.kernel[1]));
        let px = coordinate(1, case.base(1, at.q, at.tap % case.kernel[1]));
        let in_range = -1.0 < py && py < case.h as f64 && -1.0 < px && px < case.w as f64;
        let corners = if in_range { self.corners(py, px) } else { Vec::new() };
        Sample { in_range, corners, mask }
    }

    /// The corners that are inside the image.
    fn corners<R: Wide>(&self, py: f64, px: f64) -> Vec<Corner<R>> {
        let case = &self.problem.case;
        // For each axis the two pixels, their weights, and those weights' derivatives.
        let sides = |coordinate: f64| {
            let first = coordinate.floor();
            let fraction = R::from(coordinate) - R::from(first);
            let one = R::from(1.0);
            [(first as i64, one - fraction, -one), (first as i64 + 1, fraction, one)]
        };
        let mut corners = Vec::with_capacity(4);
        for (y, weight_y, slope_y) in sides(py) {
            for (x, weight_x, slope_x) in sides(px) {
                if (0..case.h).contains(&y) && (0..case.w).contains(&x) {
                    let (by_y, by_x) = (slope_y * weight_x, weight_y * slope_x);
                    corners.push(Corner { y, x, weight: weight_y * weight_x, by_y, by_x });
                }
            }
        }
        corners
    }

    /// Σ over the corners of `coefficient` times the pixel of channel c.
    fn interpolate<R: Wide>(&self, sample: &Sample<R>, n: i64, c: i64, coefficient: fn(&Corner<R>) -> R) -> Sum<R> {
        let mut sum = Sum::empty();
        for corner in &sample.corners {
            let pixel = self.problem.x.get(&[n, c, corner.y, corner.x]);
            sum += Sum::term(coefficient(corner) * R::from(pixel));
        }
        sum
    }

    /// Everything that is sampled at one output position, with its place.
    fn samples_at<R: Wide>(&self, n: i64, p: i64, q: i64) -> Vec<(At, Sample<R>)> {
        let at = |i: i64| At { n, d: i / self.taps, tap: i % self.taps, p, q };
        (0..self.problem.case.deformable_groups * self.taps).map(|i| (at(i), self.sample(at(i)))).collect()
    }

    fn channels_of(&self, d: i64) -> std::ops::Range<i64> {
        d * self.deformable_inputs..(d + 1) * self.deformable_inputs
    }

    fn positions(&self) -> impl Iterator<Item = [i64; 3]> + use<> {
        let ([ho, wo], n) = (self.output, self.problem.case.n);
        (0..n).flat_map(move |n| (0..ho).flat_map(move |p| (0..wo).map(move |q| [n, p, q])))
    }

    fn weights<R: Wide>(&self) -> Vec<Sum<R>> {
        self.problem.weight.indices().map(|index| Sum::number(self.problem.weight.get(&index))).collect()
    }

    /// Column [c, tap] of the im2col matrix at one position: mask times sample.
    fn column<R: Wide>(&self, samples: &[(At, Sample<R>)]) -> Vec<Sum<R>> {
        let mut column = vec![Sum::empty(); (self.problem.case.c * self.taps) as usize];
        for (at, sample) in samples {
            for c in self.channels_of(at.d) {
                column[(c * self.taps + at.tap) as usize] =
                    Sum::number(sample.mask) * self.interpolate(sample, at.n, c, |corner| corner.weight);
            }
        }
        column
    }

    /// The part of a column, or of anything indexed like it, that output channel o is connected to.
    fn inputs_of<'c, R>(&self, o: i64, column: &'c [Sum<R>]) -> &'c [Sum<R>] {
        let length = (self.group_inputs * self.taps) as usize;
        let first = (o / self.group_outputs) as usize * length;
        &column[first..first + length]
    }

    fn forward<R: Wide>(&self) -> Vec<Expected> {
        let [ho, wo] = self.output;
        let o_count = self.problem.case.o;
        let weights = self.weights::<R>();
        let filter_length = (self.group_inputs * self.taps) as usize;
        let mut y = vec![Sum::<R>::empty(); (self.problem.case.n * o_count * ho * wo) as usize];
        for [n, p, q] in self.positions() {
            let column = self.column(&self.samples_at::<R>(n, p, q));
            for (o, filter) in (0..o_count).zip(weights.chunks(filter_length)) {
                let sum = &mut y[(((n * o_count + o) * ho + p) * wo + q) as usize];
                if let Some(bias) = &self.problem.bias {
                    *sum += Sum::number(bias.get(&[o]));
                }
                for (weight, value) in filter.iter().zip(self.inputs_of(o, &column)) {
                    *sum += *weight * *value;
                }
            }
        }
        y.into_iter().map(|sum| Expected::new(sum, false)).collect()
    }
}

/// y, row major.
pub fn forward(problem: &Problem) -> Vec<Expected> {
    let operator = Operator::new(problem);
    match problem.case.dtype {
        Dtype::F64 => operator.forward::<DoubleDouble>(),
        _ => operator.forward::<f64>(),
    }
}

/// More elements of grad_x would take too much memory.
const MOST_LISTED: i64 = 1 << 28;

/// The five gradients, row major, by name; grad_mask and grad_bias always, whether the problem has them or not.
pub struct Gradients {
    /// Nothing where there are more elements than [`MOST_LISTED`].
    pub x: Vec<Expected>,
    /// The elements of grad_x that samples hit, by their number, row major.
    pub x_hit: BTreeMap<i64, Expected>,
    pub offset: Vec<Expected>,
    pub mask: Vec<Expected>,
    pub weight: Vec<Expected>,
    pub bias: Vec<Expected>,
}

impl Gradients {
    pub fn named(&self, name: &str) -> &[Expected] {
        match name {
            "grad_x" => &self.x,
            "grad_offset" => &self.offset,
            "grad_mask" => &self.mask,
            "grad_weight" => &self.weight,
            "grad_bias" => &self.bias,
            _ => panic!("{name} is no gradient"),
        }
    }
}

/// The gradients while they are summed up.
struct Sums<R> {
    /// By number, row major, with whether the contract leaves them open.
    x: BTreeMap<i64, (Sum<R>, bool)>,
    offset: Vec<Sum<R>>,
    offset_unspecified: Vec<bool>,
    mask: Vec<Sum<R>>,
    weight: Vec<Sum<R>>,
    bias: Vec<Sum<R>>,
}

impl Operator<'_> {
    fn backward<R: Wide>(&self, grad_y: &Tensor) -> Gradients {
        let case = &self.problem.case;
        let [ho, wo] = self.output;
        let zeros = |length: i64| vec![Sum::<R>::empty(); length as usize];
        let image = case.n * case.c * case.h * case.w;
        let samples = case.n * case.deformable_groups * self.taps * ho * wo;
        let weights = self.weights::<R>();
        let mut sums = Sums {
            x: BTreeMap::new(),
            offset: zeros(2 * samples),
            offset_unspecified: vec![false; 2 * samples as usize],
            mask: zeros(samples),
            weight: zeros(weights.len() as i64),
            bias: zeros(case.o),
        };
        for [n, p, q] in self.positions() {
            let g: Vec<Sum<R>> = (0..case.o).map(|o| Sum::number(grad_y.get(&[n, o, p, q]))).collect();
            let samples = self.samples_at::<R>(n, p, q);
            self.add_weight_gradients(&g, &self.column(&samples), &mut sums);
            let grad_column = self.grad_column(&g, &weights);
            for (at, sample) in samples.iter().filter(|(_, sample)| sample.in_range) {
                self.add_sample_gradients(*at, sample, &grad_column, &mut sums);
            }
        }
        let specified = |sums: Vec<Sum<R>>| sums.into_iter().map(|sum| Expected::new(sum, false)).collect();
        let marked = |sums: Vec<Sum<R>>, unspecified: Vec<bool>| {
            sums.into_iter().zip(unspecified).map(|(sum, unspecified)| Expected::new(sum, unspecified)).collect()
        };
        let hit = sums.x.into_iter().map(|(pixel, (sum, unspecified))| (pixel, Expected::new(sum, unspecified)));
        let hit: BTreeMap<i64, Expected> = hit.collect();
        let listed = if image <= MOST_LISTED { image } else { 0 };
        let zero = Expected::new(Sum::<R>::empty(), false);
        Gradients {
            x: (0..listed).map(|pixel| hit.get(&pixel).copied().unwrap_or(zero)).collect(),
            x_hit: hit,
            offset: marked(sums.offset, sums.offset_unspecified),
            mask: specified(sums.mask),
            weight: specified(sums.weight),
            bias: specified(sums.bias),
        }
    }

    /// gcol[c, tap] = Σ over o in the group of c of weight · g.
    fn grad_column<R: Wide>(&self, g: &[Sum<R>], weights: &[Sum<R>]) -> Vec<Sum<R>> {
        let filter_length = (self.group_inputs * self.taps) as usize;
        let mut column = vec![Sum::empty(); (self.problem.case.c * self.taps) as usize];
        for (o, filter) in weights.chunks(filter_length).enumerate() {
            let first = o / self.group_outputs as usize * filter_length;
            for (sum, weight) in column[first..first + filter_length].iter_mut().zip(filter) {
                *sum += *weight * g[o];
            }
        }
        column
    }

    fn add_weight_gradients<R: Wide>(&self, g: &[Sum<R>], column: &[Sum<R>], sums: &mut Sums<R>) {
        let filter_length = (self.group_inputs * self.taps) as usize;
        for (o, filter) in sums.weight.chunks_mut(filter_length).enumerate() {
            sums.bias[o] += g[o];
            for (sum, value) in filter.iter_mut().zip(self.inputs_of(o as i64, column)) {
                *sum += g[o] * *value;
            }
        }
    }

    /// What a sample in range adds to grad_x, grad_offset and grad_mask.
    fn add_sample_gradients<R: Wide>(&self, at: At, sample: &Sample<R>, grad_column: &[Sum<R>], sums: &mut Sums<R>) {
        let case = &self.problem.case;
        let [ho, wo] = self.output;
        let place = |channels: i64, channel: i64| (((at.n * channels + channel) * ho + at.p) * wo + at.q) as usize;
        let (channels, channel) = (case.deformable_groups * self.taps, at.d * self.taps + at.tap);
        let (in_mask, mask) = (place(channels, channel), Sum::number(sample.mask));
        let [in_y, in_x] = [0, 1].map(|axis| place(2 * channels, 2 * channel + axis));
        let unspecified = !sample.mask.is_finite();
        sums.offset_unspecified[in_y] |= unspecified;
        sums.offset_unspecified[in_x] |= unspecified;
        for c in self.channels_of(at.d) {
            let gcol = grad_column[(c * self.taps + at.tap) as usize];
            sums.mask[in_mask] += gcol * self.interpolate(sample, at.n, c, |corner| corner.weight);
            sums.offset[in_y] += mask * gcol * self.interpolate(sample, at.n, c, |corner| corner.by_y);
            sums.offset[in_x] += mask * gcol * self.interpolate(sample, at.n, c, |corner| corner.by_x);
            for corner in &sample.corners {
                let pixel = ((at.n * case.c + c) * case.h + corner.y) * case.w + corner.x;
                let (sum, is_open) = sums.x.entry(pixel).or_insert((Sum::empty(), false));
                *sum += Sum::term(corner.weight) * mask * gcol;
                *is_open |= unspecified;
            }
        }
    }
}

pub fn backward(problem: &Problem, grad_y: &Tensor) -> Gradients {
    let operator = Operator::new(problem);
    match problem.case.dtype {
        Dtype::F64 => operator.backward::<DoubleDouble>(grad_y),
        _ => operator.backward::<f64>(grad_y),
    }
}
