//! The kernels of the backward pass.

use super::Trial;
use super::forward::CornerArrays;
use super::operand::Operand;
use super::values::{Value, magnitude};
use deformconv::cpu::kernels::*;

pub fn dots<T: Value>(trial: &mut Trial<T>) {
    let (positions, channels, place) = (trial.positions(), trial.channels(), trial.place);
    let pixels = 1 + trial.random.below(12);
    let finite = !trial.number.is_multiple_of(4);
    let corners = CornerArrays::random(trial, positions, pixels, finite);
    let (pixel_stride, gcol_stride) = (trial.stride(channels), trial.stride(channels));
    let image = Operand::new([pixels, channels], pixel_stride, place).filled(|_, _| trial.random.number(finite));
    let gcol = Operand::new([positions, channels], gcol_stride, place).filled(|_, _| trial.random.number(finite));
    let run = |kernels: &Kernels<T>, image: &Operand<T>, gcol: &Operand<T>| {
        let dots = Operand::new([4, positions], corners.index.stride, place);
        let args = DotsArgs {
            positions,
            channels,
            corners: corners.arguments(),
            image: image.pointer(),
            pixel_stride,
            gcol: gcol.pointer(),
            gcol_stride,
            dots: dots.pointer(),
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe { (kernels.dots)(&args) };
        dots
    };
    let (got, expected) = (run(trial.kernels, &image, &gcol), run(trial.scalar, &image, &gcol));
    let magnitudes = run(trial.scalar, &image.map(place, magnitude), &gcol.map(place, magnitude));
    got.assert_close(&expected, &magnitudes, channels, "dots");
}

pub fn scatter<T: Value>(trial: &mut Trial<T>) {
    let (positions, channels, place) = (trial.positions(), trial.channels(), trial.place);
    let pixels = 1 + trial.random.below(12);
    let finite = !trial.number.is_multiple_of(4);
    let corners = CornerArrays::random(trial, positions, pixels, finite);
    let (pixel_stride, gcol_stride) = (trial.stride(channels), trial.stride(channels));
    let gcol = Operand::new([positions, channels], gcol_stride, place).filled(|_, _| trial.random.number(finite));
    let held = Operand::new([pixels, channels], pixel_stride, place).filled(|_, _| trial.random.number(finite));
    let run = |kernels: &Kernels<T>, corners: &CornerArrays<T>, gcol: &Operand<T>, change: fn(T) -> T| {
        let grad_image = held.map(place, change);
        let args = ScatterArgs {
            positions,
            channels,
            corners: corners.arguments(),
            gcol: gcol.pointer(),
            gcol_stride,
            grad_image: grad_image.pointer(),
            pixel_stride,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe { (kernels.scatter)(&args) };
        grad_image
    };
    let same: fn(T) -> T = |value| value;
    let (got, expected) = (run(trial.kernels, &corners, &gcol, same), run(trial.scalar, &corners, &gcol, same));
    let magnitudes = run(trial.scalar, &corners.magnitudes(trial), &gcol.map(place, magnitude), magnitude);
    got.assert_close(&expected, &magnitudes, 4 * positions, "grad_image");
}

pub fn offset_gradients<T: Value>(trial: &mut Trial<T>) {
    let (positions, place) = (trial.positions(), trial.place);
    let room = positions + POSITION_PADDING - 1;
    let accumulate = trial.random.one_in(2);
    let corners = CornerArrays::new(trial, room);
    let (stride, to_stride) = (corners.index.stride, trial.stride(room));
    let random = &mut trial.random;
    // ly and lx, then 1 where the sample is in range; the other factors may be anything where it is not.
    let in_range: Vec<bool> = (0..room).map(|p| p < positions && !random.one_in(4)).collect();
    let fraction = corners.fraction.filled(|k, p| match (k, in_range[p]) {
        (2, in_range) => T::from_f64(if in_range { 1.0 } else { 0.0 }),
        (_, true) => random.between(0.0, 1.0),
        (_, false) => T::from_f64(0.0),
    });
    let corners = CornerArrays { fraction, ..corners };
    let dots = Operand::new([4, room], stride, place).filled(|_, p| random.number(in_range[p]));
    let mask = Operand::new([1, room], room, place).filled(|_, p| random.number(in_range[p]));
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
