//! The kernels for groups of one channel.

use super::Trial;
use super::operand::Operand;
use super::values::{Value, magnitude};
use deformconv::cpu::kernels::*;

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
