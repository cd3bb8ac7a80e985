//! The micro-kernel.

use crate::job::{DEPTH, Job, Memory, POSITIONS, ROW_PADDING, Value, sizes};
use deformconv::cpu::kernels::*;
use std::ptr::null;

/// Rows of a whole tile, and of the few positions that may be left at the end of an image.
const ROWS: &[usize] = &[POSITIONS, 7];

/// A tile of positions times a panel of packed weights.
pub fn multiply<T: Value>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(ROWS, |rows| product(row.multiply, [rows, row.columns], [rows, DEPTH]))
}

pub fn multiply_transposed<T: Value>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(ROWS, |rows| product(row.multiply_transposed, [rows, row.columns], [DEPTH, rows]))
}

/// `left` is the shape in which the left operand is stored.
fn product<T: Value>(kernel: unsafe fn(&MultiplyArgs<T>), [rows, columns]: [usize; 2], left: [usize; 2]) -> Job {
    let mut memory = Memory::new();
    let left_stride = left[1] + ROW_PADDING;
    let args = MultiplyArgs {
        rows,
        depth: DEPTH,
        left: memory.values(left[0] * left_stride),
        left_stride,
        right: memory.values(DEPTH * columns),
        right_stride: columns,
        acc: memory.zeros(rows * columns),
        acc_stride: columns,
        accumulate: true,
        next: null(),
    };
    let products = rows * columns * DEPTH;
    // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
    let call = move || unsafe { kernel(&args) };
    Job::new(format!("{rows} x {columns} x {DEPTH}"), [products, 2 * products], memory, call)
}
