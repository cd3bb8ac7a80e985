//! The kernels of the forward pass.

use super::Trial;
use super::operand::Operand;
use super::values::{Random, Stored, Value, magnitude};
use deformconv::cpu::kernels::*;
use std::ptr::{null, null_mut};

/// Sets of `sets` corners for each of some positions.
pub struct CornerArrays<T> {
    pub index: Operand<i32>,
    pub weight: Operand<T>,
    pub fraction: Operand<T>,
}

impl<T: Value> CornerArrays<T> {
    /// Of poison, with room for so many positions.
    pub fn new<S: Stored<Compute = T>>(trial: &mut Trial<S>, room: usize) -> Self {
        let stride = trial.stride(room);
        Self {
            index: Operand::new([4, room], stride, trial.place),
            weight: Operand::new([4, room], stride, trial.place),
            fraction: Operand::new([3, room], stride, trial.place),
        }
    }

    /// Anywhere in an image of so many pixels, and now and then outside; behind the last position, far from it.
    pub fn random(trial: &mut Trial<T>, positions: usize, pixels: usize, finite: bool) -> Self {
        let empty = Self::new(trial, positions + POSITION_PADDING - 1);
        let random = &mut trial.random;
        let inside = |random: &mut Random| if random.one_in(4) { -1 } else { random.below(pixels) as i32 };
        Self {
            index: empty.index.filled(|_, p| if p < positions { inside(random) } else { i32::MAX - p as i32 }),
            weight: empty.weight.filled(|_, _| random.number(finite)),
            fraction: empty.fraction,
        }
    }

    /// The same corners, weighing their magnitudes.
    pub fn magnitudes(&self, trial: &Trial<T>) -> Self {
        Self {
            index: self.index.map(trial.place, |index| index),
            weight: self.weight.map(trial.place, magnitude),
            fraction: self.fraction.map(trial.place, magnitude),
        }
    }

    pub fn arguments(&self) -> Corners<T> {
        Corners {
            index: self.index.pointer(),
            weight: self.weight.pointer(),
            fraction: self.fraction.pointer(),
            stride: self.index.stride,
        }
    }
}

/// Offsets that lead to every side of the image's border and far beyond.
fn offset<T: Value>(random: &mut Random, size: i32) -> T {
    let far = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e30, 3e9, -3e9, -0.0];
    match random.below(8) {
        0 => T::from_f64(far[random.below(far.len())]),
        1 => T::from_f64((random.below(9) as f64 - 4.0) / 2.0),
        2 => T::from_f64(f64::from(size) - 3.0 + random.below(12) as f64 / 4.0),
        3 => random.between(-f64::from(size) - 2.0, f64::from(size) + 2.0),
        _ => random.between(-3.0, 3.0),
    }
}

pub fn coordinates<T: Stored>(trial: &mut Trial<T>) {
    let (positions, place) = (trial.positions(), trial.place);
    let room = positions + POSITION_PADDING - 1;
    let [height, width] = [[1, 1], [5, 9], [1, 40], [33, 17], [46_340, 46_340]][trial.random.below(5)];
    let random = &mut trial.random;
    let mut base = |size: i32| {
        let room = Operand::new([1, room], room, place);
        let mut value = || T::Compute::from_f64(random.below(size as usize + 3) as f64 - 1.0);
        room.filled(|_, p| if p < positions { value() } else { T::Compute::from_f64(f64::NAN) })
    };
    let (base_y, base_x) = (base(height), base(width));
    let row =
        |value: &mut dyn FnMut() -> T::Compute| Operand::row((0..positions).map(|_| T::from_compute(value())), place);
    let offset_y = row(&mut || offset(random, height));
    let offset_x = row(&mut || offset(random, width));
    let mask = row(&mut || random.number(false));
    let [tap_y, tap_x] = [0, 1].map(|_| T::Compute::from_f64(random.below(5) as f64));
    let gradients = random.one_in(2);
    let [got, expected] = [0, 1].map(|_| CornerArrays::new(trial, room));
    let [reach, at_least] = [(trial.kernels, &got), (trial.scalar, &expected)].map(|(kernels, corners)| {
        let all = corners.arguments();
        let args = CoordinatesArgs {
            positions,
            base_y: base_y.pointer(),
            base_x: base_x.pointer(),
            tap_y,
            tap_x,
            offset_y: offset_y.pointer(),
            offset_x: offset_x.pointer(),
            mask: mask.pointer(),
            height,
            width,
            corners: Corners { fraction: if gradients { all.fraction } else { null_mut() }, ..all },
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe { (kernels.coordinates)(&args) }
    });
    let (size, one) = (T::Compute::from_f64(height.into()), T::Compute::from_f64(1.0));
    assert!(at_least.deepest <= reach.deepest && reach.deepest < size, "{reach:?}, scalar: {at_least:?}");
    assert!(at_least.highest <= reach.highest && reach.highest <= size + one, "{reach:?}, scalar: {at_least:?}");
    got.index.assert_same(|k, p| expected.index.get(k, p), positions, "index");
    got.weight.assert_same(|k, p| expected.weight.get(k, p), positions, "weight");
    // Where they are not wanted, both are untouched.
    got.fraction.assert_same(|k, p| expected.fraction.get(k, p), positions, "fraction");
}

pub fn sample<T: Value>(trial: &mut Trial<T>) {
    let (positions, channels, place) = (trial.positions(), trial.channels(), trial.place);
    let pixels = 1 + trial.random.below(12);
    let finite = !trial.number.is_multiple_of(4);
    let corners = CornerArrays::random(trial, positions, pixels, finite);
    let (pixel_stride, col_stride) = (trial.stride(channels), trial.stride(channels));
    let image = Operand::new([pixels, channels], pixel_stride, place).filled(|_, _| trial.random.number(finite));
    let run = |kernels: &Kernels<T>, corners: &CornerArrays<T>, image: &Operand<T>| {
        let col = Operand::new([positions, channels], col_stride, place);
        let args = SampleArgs {
            positions,
            channels,
            corners: corners.arguments(),
            image: image.pointer(),
            pixel_stride,
            col: col.pointer(),
            col_stride,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe { (kernels.sample)(&args) };
        col
    };
    let (got, expected) = (run(trial.kernels, &corners, &image), run(trial.scalar, &corners, &image));
    let magnitudes = run(trial.scalar, &corners.magnitudes(trial), &image.map(place, magnitude));
    got.assert_close(&expected, &magnitudes, 4, "col");
}

pub fn multiply<T: Value>(trial: &mut Trial<T>) {
    product(trial, false, |kernels| kernels.multiply);
}

pub fn multiply_transposed<T: Value>(trial: &mut Trial<T>) {
    product(trial, true, |kernels| kernels.multiply_transposed);
}

type Product<T> = unsafe fn(&MultiplyArgs<T>);

fn product<T: Value>(trial: &mut Trial<T>, transposed: bool, kernel: fn(&Kernels<T>) -> Product<T>) {
    let (rows, place, columns) = (trial.positions(), trial.place, trial.kernels.columns);
    let depth = if trial.number.is_multiple_of(16) { 256 } else { 1 + trial.random.below(20) };
    let finite = !trial.number.is_multiple_of(4);
    let accumulate = trial.random.one_in(2);
    let (scalar_columns, trial_number) = (trial.scalar_columns(), trial.number);
    let left_shape = if transposed { [depth, rows] } else { [rows, depth] };
    let left_stride = trial.stride(left_shape[1]);
    let left = Operand::new(left_shape, left_stride, place).filled(|_, _| trial.random.number(finite));
    let right_stride = trial.stride(columns);
    let behind = trial.random.below(size_of::<T>());
    let right = Operand::unaligned([depth, columns], right_stride, place, behind);
    let right = right.filled(|_, _| trial.random.number(finite));
    let acc_stride = trial.stride(columns);
    let acc = Operand::new([rows, columns], acc_stride, place);
    let acc = if accumulate { acc.filled(|_, _| trial.random.number(finite)) } else { acc };

    let arguments = |left: &Operand<T>, right: &Operand<T>, acc: &Operand<T>| MultiplyArgs {
        rows,
        depth,
        left: left.pointer(),
        left_stride,
        right: right.pointer(),
        right_stride: right.stride,
        acc: acc.pointer(),
        acc_stride: acc.stride,
        accumulate,
        // Where it leads to makes no difference: behind the operand are pages that may not be touched.
        next: [null(), right.pointer().cast_const(), right.pointer().cast_const().wrapping_add(depth * right_stride)]
            [trial_number % 3],
    };
    let scalar = |change: fn(T) -> T| {
        let widened = |operand: &Operand<T>| operand.widened(scalar_columns, T::ZERO, place, change);
        let (left, right, acc) = (left.map(place, change), widened(&right), widened(&acc));
        for first in (0..scalar_columns).step_by(trial.scalar.columns) {
            let args = arguments(&left, &right, &acc);
            // SAFETY: the operands are what the arguments say, for the columns of one panel.
            unsafe {
                let args = MultiplyArgs { right: args.right.add(first), acc: args.acc.add(first), ..args };
                kernel(trial.scalar)(&args);
            }
        }
        acc
    };
    let (expected, magnitudes) = (scalar(|value| value), scalar(magnitude));
    // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
    unsafe { kernel(trial.kernels)(&arguments(&left, &right, &acc)) };
    acc.assert_close(&expected, &magnitudes, depth + 1, "acc");
}
