//! The kernels of the backward pass.

use super::Trial;
use super::forward::CornerArrays;
use super::guarded::Place;
use super::operand::Operand;
use super::values::{Stored, Value, magnitude};
use deformconv::cpu::kernels::*;

/// What the corners of a tile are computed from.
struct Tile<T: Value> {
    place: Place,
    positions: usize,
    corners: CornerArrays<T>,
    gcol: Operand<T>,
    image: Operand<T>,
    /// What is in grad_x before.
    held: Operand<T>,
}

impl<T: Value> Tile<T> {
    fn magnitudes(&self, trial: &mut Trial<T>) -> Self {
        let [gcol, image, held] = [&self.gcol, &self.image, &self.held].map(|o| o.map(self.place, magnitude));
        Self { corners: self.corners.magnitudes(trial), gcol, image, held, ..*self }
    }

    /// The dot products, where a corner is inside, and grad_x.
    fn run(&self, kernels: &Kernels<T>, wants: [bool; 2]) -> [Operand<T>; 2] {
        self.run_with(kernels, wants, &self.gcol, std::ptr::null_mut())
    }

    /// The same with the samples in the column gradient's place.
    fn run_sampling(&self, kernels: &Kernels<T>) -> [Operand<T>; 3] {
        let col = self.gcol.map(self.place, |value| value);
        let [dots, grad_image] = self.run_with(kernels, [true, true], &col, col.pointer());
        [dots, grad_image, col]
    }

    /// The samples by the kernel that does nothing else.
    fn sample(&self, kernels: &Kernels<T>) -> Operand<T> {
        let col = self.gcol.map(self.place, |value| value);
        let args = SampleArgs {
            positions: self.positions,
            channels: col.columns,
            corners: self.corners.arguments(),
            image: self.image.pointer(),
            pixel_stride: self.image.stride,
            col: col.pointer(),
            col_stride: col.stride,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe { (kernels.sample)(&args) };
        col
    }

    fn run_with(
        &self,
        kernels: &Kernels<T>,
        [wants_dots, wants_grad]: [bool; 2],
        gcol: &Operand<T>,
        col: *mut T,
    ) -> [Operand<T>; 2] {
        let (place, channels) = (self.place, self.gcol.columns);
        let grad_image = self.held.map(place, |value| value);
        let dots = Operand::new([self.positions, 4], 4, place);
        let outside = Operand::new([1, channels], channels, place).filled(|_, _| T::from_f64(1.0));
        let null = std::ptr::null_mut();
        let args = CornerGradientsArgs {
            positions: self.positions,
            channels,
            corners: self.corners.arguments(),
            gcol: gcol.pointer(),
            gcol_stride: gcol.stride,
            image: if wants_dots { self.image.pointer() } else { null },
            pixel_stride: self.image.stride,
            dots: if wants_dots { dots.pointer() } else { null },
            grad_image: if wants_grad { grad_image.pointer() } else { null },
            grad_pixel_stride: grad_image.stride,
            outside: if wants_grad { outside.pointer() } else { null },
            col,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe { (kernels.corner_gradients)(&args) };
        dots.assert_gaps("dots");
        outside.assert_gaps("outside");
        let is_inside = |corner, p| self.corners.index.get(corner, p) >= 0;
        let zero = T::from_f64(0.0);
        let inside = Operand::new([4, self.positions], self.positions, place);
        [inside.filled(|k, p| if wants_dots && is_inside(k, p) { dots.get(p, k) } else { zero }), grad_image]
    }
}

pub fn corner_gradients<T: Value>(trial: &mut Trial<T>) {
    let (positions, channels, place) = (trial.positions(), trial.channels(), trial.place);
    let pixels = 1 + trial.random.below(12);
    let finite = !trial.number.is_multiple_of(4);
    let strides = [(); 3].map(|()| trial.stride(channels));
    let corners = CornerArrays::random(trial, positions, pixels, finite);
    let [gcol, image, held] = [(positions, strides[0]), (pixels, strides[1]), (pixels, strides[2])]
        .map(|(rows, stride)| Operand::new([rows, channels], stride, place).filled(|_, _| trial.random.number(finite)));
    let tile = Tile { place, positions, corners, gcol, image, held };
    let magnitudes = tile.magnitudes(trial).run(trial.scalar, [true, true]);
    let both = tile.run(trial.kernels, [true, true]);
    let expected = tile.run(trial.scalar, [true, true]);
    both[0].assert_close(&expected[0], &magnitudes[0], channels, "dots");
    both[1].assert_close(&expected[1], &magnitudes[1], 4 * positions, "grad_image");
    let (dots, grad) = (tile.run(trial.kernels, [true, false]), tile.run(trial.kernels, [false, true]));
    dots[0].assert_same(|k, p| both[0].get(k, p), positions, "dots by themselves");
    dots[1].assert_same(|pixel, c| tile.held.get(pixel, c), channels, "grad_image that is not wanted");
    grad[1].assert_same(|pixel, c| both[1].get(pixel, c), channels, "grad_image by itself");
    let (sampling, sampled) = (tile.run_sampling(trial.kernels), tile.sample(trial.kernels));
    sampling[0].assert_same(|k, p| both[0].get(k, p), positions, "dots with samples");
    sampling[1].assert_same(|pixel, c| both[1].get(pixel, c), channels, "grad_image with samples");
    sampling[2].assert_same(|p, c| sampled.get(p, c), channels, "samples");
    sampling[2].assert_gaps("samples");
}

pub fn offset_gradients<T: Stored>(trial: &mut Trial<T>) {
    let (positions, place) = (trial.positions(), trial.place);
    let room = positions + POSITION_PADDING - 1;
    let accumulate = trial.random.one_in(2);
    let corners = CornerArrays::new(trial, room);
    let to_stride = trial.stride(room);
    let random = &mut trial.random;
    // ly and lx, then 1 where the sample is in range; the other factors may be anything where it is not.
    let in_range: Vec<bool> = (0..room).map(|p| p < positions && !random.one_in(4)).collect();
    let fraction = corners.fraction.filled(|k, p| match (k, in_range[p]) {
        (2, in_range) => T::Compute::from_f64(if in_range { 1.0 } else { 0.0 }),
        (_, true) => random.between(0.0, 1.0),
        (_, false) => T::Compute::from_f64(0.0),
    });
    let corners = CornerArrays { fraction, ..corners };
    // Some corners of a sample may be outside; behind the last position anything may be.
    let index = corners.index.filled(|_, p| if p < positions && random.one_in(4) { -1 } else { p as i32 });
    let corners = CornerArrays { index, ..corners };
    let dots = Operand::new([room, 4], 4, place).filled(|p, _| random.number(in_range[p]));
    let mask = Operand::row((0..positions).map(|p| T::from_compute(random.number(in_range[p]))), place);
    let held = Operand::new([3, room], to_stride, place);
    let held = if accumulate { held.filled(|_, _| random.between(-1.0, 1.0)) } else { held };
    let run = |kernels: &Kernels<T>| {
        let to = held.map(place, |value| value);
        let args = OffsetGradientsArgs {
            positions,
            corners: corners.arguments(),
            dots: dots.pointer(),
            mask: mask.pointer(),
            to: to.pointer(),
            to_stride,
            accumulate,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe { (kernels.offset_gradients)(&args) };
        to
    };
    let (got, expected) = (run(trial.kernels), run(trial.scalar));
    got.assert_same(|k, p| expected.get(k, p), positions, "gradients");
}
