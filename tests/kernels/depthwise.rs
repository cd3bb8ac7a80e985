//! The kernels for groups of one channel.

use super::Trial;
use super::forward::CornerArrays;
use super::operand::Operand;
use super::values::{Value, magnitude};
use deformconv::cpu::kernels::*;

/// Values [rows][columns of all panels] in panels of some columns, one behind the other.
struct Panels {
    columns: usize,
    rows: usize,
}

impl Panels {
    /// Room for so many channels.
    fn shape(&self, channels: usize) -> [usize; 2] {
        [channels.div_ceil(self.columns) * self.rows, self.columns]
    }

    /// Where the panels have what is in a row of a column.
    fn at(&self, row: usize, column: usize) -> [usize; 2] {
        [column / self.columns * self.rows + row, column % self.columns]
    }

    /// Row and column of what is in the panels.
    fn of(&self, row: usize, column: usize) -> [usize; 2] {
        [row % self.rows, row / self.rows * self.columns + column]
    }
}

pub fn depthwise<T: Value>(trial: &mut Trial<T>) {
    let (positions, place, finite) = (trial.positions(), trial.place, !trial.number.is_multiple_of(4));
    let (taps, pixels) = (1 + trial.random.below(MAX_DEPTHWISE_TAPS), 1 + trial.random.below(12));
    let accumulate = trial.random.one_in(2);
    // Some channels of one panel, or whole panels and a part of one.
    let first = if trial.random.one_in(3) { trial.random.below(trial.scalar.columns) } else { 0 };
    let channels = if first > 0 { trial.scalar.columns - first } else { trial.channels() };
    let corners: Vec<_> = (0..taps).map(|_| CornerArrays::random(trial, positions, pixels, finite)).collect();
    let image = Operand::new([pixels, channels], trial.stride(channels), place);
    let image = image.filled(|_, _| trial.random.number(finite));
    let mut values =
        |rows: usize| -> Vec<T> { (0..rows * (first + channels)).map(|_| trial.random.number(finite)).collect() };
    let (weight, before) = (values(taps), values(positions));
    let run = |kernels: &Kernels<T>, change: fn(T) -> T, corners: &[CornerArrays<T>], image: &Operand<T>| {
        let all = first + channels;
        let operand = |rows: usize, values: &[T]| {
            let panels = Panels { columns: kernels.columns, rows };
            Operand::new(panels.shape(all), kernels.columns, place).filled(|row, column| {
                let [row, column] = panels.of(row, column);
                if column < all { change(values[row * all + column]) } else { T::ZERO }
            })
        };
        let (weight, acc) = (operand(taps, &weight), operand(positions, &before));
        let corners: Vec<_> = corners.iter().map(CornerArrays::arguments).collect();
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe {
            (kernels.depthwise)(&DepthwiseArgs {
                positions,
                channels,
                corners: corners.as_ptr(),
                taps,
                image: image.pointer(),
                pixel_stride: image.stride,
                weight: weight.pointer().add(first),
                weight_stride: taps * kernels.columns,
                acc: acc.pointer().add(first),
                acc_stride: positions * kernels.columns,
                accumulate,
            });
        }
        // In the order of positions and channels, to compare different panels.
        let panels = Panels { columns: kernels.columns, rows: positions };
        Operand::new([positions, all], all, place).filled(|p, channel| {
            let [row, column] = panels.at(p, channel);
            acc.get(row, column)
        })
    };
    let (same, magnitudes) =
        (|value| value, corners.iter().map(|corners| corners.magnitudes(trial)).collect::<Vec<_>>());
    let [got, expected] = [trial.kernels, trial.scalar].map(|kernels| run(kernels, same, &corners, &image));
    let magnitudes = run(trial.scalar, magnitude, &magnitudes, &image.map(place, magnitude));
    got.assert_close(&expected, &magnitudes, 5 * taps + 1, "acc");
}

pub fn scale<T: Value>(trial: &mut Trial<T>) {
    let (rows, place, columns) = (trial.positions(), trial.place, trial.kernels.columns);
    let finite = !trial.number.is_multiple_of(4);
    let accumulate = trial.random.one_in(2);
    let (left_stride, acc_stride) = (trial.stride(columns), trial.stride(columns));
    let left = Operand::new([rows, columns], left_stride, place).filled(|_, _| trial.random.number(finite));
    let behind = trial.random.below(size_of::<T>());
    let scale = Operand::unaligned([1, columns], columns, place, behind).filled(|_, _| trial.random.number(finite));
    let acc = Operand::new([rows, columns], acc_stride, place);
    let acc = if accumulate { acc.filled(|_, _| trial.random.number(finite)) } else { acc };

    let run = |kernels: &Kernels<T>, left: &Operand<T>, scale: &Operand<T>, acc: &Operand<T>, first: usize| {
        // SAFETY: the processor has the instruction set, and the operands have a panel of columns from the first on.
        unsafe {
            (kernels.scale)(&ScaleArgs {
                rows,
                left: left.pointer().add(first),
                left_stride: left.stride,
                scale: scale.pointer().add(first),
                acc: acc.pointer().add(first),
                acc_stride: acc.stride,
                accumulate,
            });
        }
    };
    let scalar = |change: fn(T) -> T| {
        let widened = |operand: &Operand<T>| operand.widened(trial.scalar_columns(), T::ZERO, place, change);
        let (left, scale, acc) = (widened(&left), widened(&scale), widened(&acc));
        for first in (0..trial.scalar_columns()).step_by(trial.scalar.columns) {
            run(trial.scalar, &left, &scale, &acc, first);
        }
        acc
    };
    let (expected, magnitudes) = (scalar(|value| value), scalar(magnitude));
    run(trial.kernels, &left, &scale, &acc, 0);
    acc.assert_close(&expected, &magnitudes, 2, "acc");
}

pub fn column_dots<T: Value>(trial: &mut Trial<T>) {
    let (rows, place, columns) = (trial.positions(), trial.place, trial.kernels.columns);
    let finite = !trial.number.is_multiple_of(4);
    let accumulate = trial.random.one_in(2);
    let (left_stride, right_stride) = (trial.stride(columns), trial.stride(columns));
    let left = Operand::new([rows, columns], left_stride, place).filled(|_, _| trial.random.number(finite));
    let right = Operand::new([rows, columns], right_stride, place).filled(|_, _| trial.random.number(finite));
    let acc = Operand::new([1, columns], columns, place);
    let acc = if accumulate { acc.filled(|_, _| trial.random.number(finite)) } else { acc };

    let run = |kernels: &Kernels<T>, left: &Operand<T>, right: &Operand<T>, acc: &Operand<T>, first: usize| {
        // SAFETY: the processor has the instruction set, and the operands have a panel of columns from the first on.
        unsafe {
            (kernels.column_dots)(&ColumnDotsArgs {
                rows,
                left: left.pointer().add(first),
                left_stride: left.stride,
                right: right.pointer().add(first),
                right_stride: right.stride,
                acc: acc.pointer().add(first),
                accumulate,
            });
        }
    };
    let scalar = |change: fn(T) -> T| {
        let widened = |operand: &Operand<T>| operand.widened(trial.scalar_columns(), T::ZERO, place, change);
        let (left, right, acc) = (widened(&left), widened(&right), widened(&acc));
        for first in (0..trial.scalar_columns()).step_by(trial.scalar.columns) {
            run(trial.scalar, &left, &right, &acc, first);
        }
        acc
    };
    let (expected, magnitudes) = (scalar(|value| value), scalar(magnitude));
    run(trial.kernels, &left, &right, &acc, 0);
    acc.assert_close(&expected, &magnitudes, rows + 1, "acc");
}
