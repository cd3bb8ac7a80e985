//! The kernels that move values between a tensor and the type that is computed in.

use super::Trial;
use super::effort::wants;
use super::guarded::Place;
use super::operand::Operand;
use super::values::{Number, Stored};
use deformconv::cpu::element::Compute;
use deformconv::cpu::kernels::*;

pub fn store_planes<T: Stored>(trial: &mut Trial<T>) {
    store(trial, false);
}

pub fn store_pixels<T: Stored>(trial: &mut Trial<T>) {
    store(trial, true);
}

fn store<T: Stored>(trial: &mut Trial<T>, pixels: bool) {
    let (positions, place) = (trial.positions(), trial.place);
    let columns = 1 + trial.number % trial.kernels.columns;
    let random = &mut trial.random;
    let acc = Operand::<T::Compute>::new([positions, trial.kernels.columns], trial.kernels.columns, place);
    let acc = acc.filled(|_, _| random.number(false));
    let bias = Operand::<T::Compute>::row((0..trial.kernels.columns).map(|_| random.number(false)), place);
    let shape = if pixels { [positions, columns] } else { [columns, positions] };
    let y = Operand::<T>::new(shape, trial.stride(shape[1]), place);
    let upside_down = trial.random.one_in(2);
    let y_matrix = matrix(&y, upside_down);
    let args = StoreArgs {
        positions,
        columns,
        acc: acc.pointer(),
        bias: bias.pointer(),
        y: y_matrix.data,
        stride: y_matrix.stride,
    };
    // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
    unsafe { if pixels { (trial.kernels.store_pixels)(&args) } else { (trial.kernels.store_planes)(&args) } };
    let expected = |row: usize, column: usize| {
        let row = if upside_down { shape[0] - 1 - row } else { row };
        let (p, k) = if pixels { (row, column) } else { (column, row) };
        T::from_compute(acc.get(p, k) + bias.get(0, k))
    };
    y.assert_same(expected, shape[1], "y");
}

/// The rows of an operand, or the last one first.
fn matrix<N: Number>(operand: &Operand<N>, upside_down: bool) -> Matrix<*mut N> {
    let stride = operand.stride as isize;
    if upside_down {
        Matrix { data: operand.row_pointer(operand.rows - 1), stride: -stride }
    } else {
        Matrix { data: operand.pointer(), stride }
    }
}

pub fn widen<T: Stored>(trial: &mut Trial<T>) {
    copy(trial, trial.kernels.widen, false, |value: T| value.to_compute());
}

pub fn narrow<T: Stored>(trial: &mut Trial<T>) {
    copy(trial, trial.kernels.narrow, false, T::from_compute);
}

pub fn planes_to_pixels<T: Stored>(trial: &mut Trial<T>) {
    copy(trial, trial.kernels.planes_to_pixels, true, |value: T| value.to_compute());
}

pub fn pixels_to_planes<T: Stored>(trial: &mut Trial<T>) {
    copy(trial, trial.kernels.pixels_to_planes, true, T::from_compute);
}

/// A kernel that copies what it converts as `convert` does.
fn copy<T: Stored, From: Stored<Compute = T::Compute>, To: Number>(
    trial: &mut Trial<T>,
    kernel: unsafe fn(&CopyArgs<From, To>),
    transposed: bool,
    convert: impl Fn(From) -> To,
) {
    let rows = trial.channels();
    let columns = trial.positions() + 64 * trial.random.below(3);
    let (from_stride, to_columns) = (trial.stride(columns), if transposed { rows } else { columns });
    let (place, to_stride) = (trial.place, trial.stride(to_columns));
    let random = &mut trial.random;
    let from = Operand::new([rows, columns], from_stride, place);
    let from = from.filled(|_, _| From::from_compute(random.of_few_bits()));
    let to = Operand::<To>::new(if transposed { [columns, rows] } else { [rows, columns] }, to_stride, place);
    let upside_down = [random.one_in(2), random.one_in(2)];
    let from_matrix = matrix(&from, upside_down[0]);
    let from_matrix = Matrix { data: from_matrix.data.cast_const(), stride: from_matrix.stride };
    let args = CopyArgs { rows, columns, from: from_matrix, to: matrix(&to, upside_down[1]) };
    // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
    unsafe { kernel(&args) };
    let turned = |row: usize, rows: usize, upside_down: bool| if upside_down { rows - 1 - row } else { row };
    let expected = |row: usize, column: usize| {
        let row = turned(row, to.rows, upside_down[1]);
        let (row, column) = if transposed { (column, row) } else { (row, column) };
        convert(from.get(turned(row, rows, upside_down[0]), column))
    };
    to.assert_same(expected, to_columns, "copy");
}

/// Every half is widened to what it is, zeros with their signs, and rounded back to itself.
pub fn there_and_back<T: Stored>(from_bits: fn(u16) -> T, to_bits: fn(T) -> u16) {
    let halves = Operand::<T>::row((0..=u16::MAX).map(from_bits).collect::<Vec<_>>().into_iter(), Place::End);
    let count = halves.columns;
    for row in T::TABLE.iter().filter(|row| wants(row.isa) && row.isa.is_available()) {
        let wide = Operand::<T::Compute>::new([1, count], count, Place::End);
        let back = Operand::<T>::new([1, count], count, Place::End);
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        unsafe {
            (row.widen)(&CopyArgs::row(count, halves.pointer(), wide.pointer()));
            (row.narrow)(&CopyArgs::row(count, wide.pointer(), back.pointer()));
        }
        wide.assert_same(|_, at| from_bits(at as u16).to_compute(), count, "widened");
        let is_number = |half: T| half.to_compute() <= half.to_compute();
        let expected =
            |half: T| to_bits(if is_number(half) { half } else { T::from_compute(half.to_compute().canonical()) });
        for at in 0..count {
            let (got, expected) = (to_bits(back.get(0, at)), expected(from_bits(at as u16)));
            assert_eq!(got, expected, "{}: there and back", row.name.to_string_lossy());
        }
    }
}
