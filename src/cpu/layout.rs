//! Matrices transposed between stored and computed types: by the kernel where both are the same, else block by block on
//! the stack, with a conversion of the block's rows.

use super::element::Compute;
use super::kernels::{HasKernels, Kernels, TransposeArgs};

/// Rows and columns of a block on the stack.
const ROWS: usize = 32;
const COLUMNS: usize = 128;

/// Elements in rows that are `stride` apart, neighbours within a row.
#[derive(Clone, Copy)]
pub struct Matrix<P> {
    pub data: P,
    pub stride: isize,
}

/// to[column][row] = from[row][column], in the type that is computed in.
///
/// # Safety
///
/// `from` has `rows` x `columns` elements, `to` as many; its stride is not negative.
pub unsafe fn transpose_widening<T: HasKernels>(
    kernels: &Kernels<T::Compute>,
    [rows, columns]: [usize; 2],
    from: Matrix<*const T>,
    to: Matrix<*mut T::Compute>,
) {
    if T::IS_COMPUTE {
        let from = Matrix { data: from.data.cast(), stride: from.stride };
        // SAFETY: the caller's promise.
        return unsafe { transpose(kernels, [rows, columns], from, to) };
    }
    let mut block = [T::Compute::ZERO; ROWS * COLUMNS];
    for (row, column, size) in blocks(rows, columns) {
        // SAFETY: the block lies within the matrices and on the stack.
        unsafe {
            for r in 0..size[0] {
                let from = from.data.offset((row + r) as isize * from.stride).add(column);
                T::widen(kernels.isa, from, block.as_mut_ptr().add(r * COLUMNS), size[1]);
            }
            let block = Matrix { data: block.as_ptr(), stride: COLUMNS as isize };
            let data = to.data.offset(column as isize * to.stride).add(row);
            transpose(kernels, size, block, Matrix { data, stride: to.stride });
        }
    }
}

/// to[column][row] = from[row][column], rounded to the stored type.
///
/// # Safety
///
/// As [`transpose_widening`].
pub unsafe fn transpose_narrowing<T: HasKernels>(
    kernels: &Kernels<T::Compute>,
    [rows, columns]: [usize; 2],
    from: Matrix<*const T::Compute>,
    to: Matrix<*mut T>,
) {
    if T::IS_COMPUTE {
        let to = Matrix { data: to.data.cast(), stride: to.stride };
        // SAFETY: the caller's promise.
        return unsafe { transpose(kernels, [rows, columns], from, to) };
    }
    let mut block = [T::Compute::ZERO; ROWS * COLUMNS];
    // The block holds the result, so its rows are the matrix's columns.
    for (column, row, size) in blocks(columns, rows) {
        // SAFETY: the block lies within the matrices and on the stack.
        unsafe {
            let data = from.data.offset(row as isize * from.stride).add(column);
            let on_stack = Matrix { data: block.as_mut_ptr(), stride: COLUMNS as isize };
            transpose(kernels, [size[1], size[0]], Matrix { data, stride: from.stride }, on_stack);
            for c in 0..size[0] {
                let to = to.data.offset((column + c) as isize * to.stride).add(row);
                T::narrow(kernels.isa, block.as_ptr().add(c * COLUMNS), to, size[1]);
            }
        }
    }
}

/// Blocks of at most ROWS x COLUMNS: (first row, first column, size).
fn blocks(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize, [usize; 2])> {
    (0..columns).step_by(COLUMNS).flat_map(move |column| {
        (0..rows).step_by(ROWS).map(move |row| (row, column, [ROWS.min(rows - row), COLUMNS.min(columns - column)]))
    })
}

unsafe fn transpose<C>(kernels: &Kernels<C>, [rows, columns]: [usize; 2], from: Matrix<*const C>, to: Matrix<*mut C>) {
    let args = TransposeArgs {
        channels: rows,
        pixels: columns,
        planes: from.data,
        plane_stride: from.stride,
        to: to.data,
        pixel_stride: to.stride as usize,
    };
    // SAFETY: the caller's promise.
    unsafe { (kernels.planes_to_pixels)(&args) };
}
