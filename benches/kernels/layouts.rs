//! Kernels that move values from one layout to another.

use crate::job::{Job, Memory, POSITIONS, Stored, sizes};
use deformconv::cpu::kernels::*;

/// Elements of a plane, of an image of 56 x 56 pixels.
const PLANE: usize = 56 * 56;
/// Pixels that are copied.
const PIXELS: usize = 256;

pub fn store_planes<T: Stored>(row: &'static Kernels<T>) -> Vec<Job> {
    store(row, row.store_planes, PLANE)
}

pub fn store_pixels<T: Stored>(row: &'static Kernels<T>) -> Vec<Job> {
    store(row, row.store_pixels, row.columns)
}

fn store<T: Stored>(row: &'static Kernels<T>, kernel: unsafe fn(&StoreArgs<T>), stride: usize) -> Vec<Job> {
    sizes(&[POSITIONS], |positions| {
        let mut memory = Memory::new();
        let columns = row.columns;
        let args = StoreArgs {
            positions,
            columns,
            acc: memory.values::<T::Compute>(positions * columns),
            bias: memory.values::<T::Compute>(columns),
            y: memory.zeros(positions.max(columns) * stride),
            stride: stride as isize,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        let call = move || unsafe { kernel(&args) };
        Job::new(format!("{positions} x {columns}"), [positions * columns, 0], memory, call)
    })
}

pub fn widen<T: Stored>(row: &'static Kernels<T>) -> Vec<Job> {
    copy(row.widen, |channels| [[channels, PIXELS], [PLANE, PIXELS]])
}

pub fn narrow<T: Stored>(row: &'static Kernels<T>) -> Vec<Job> {
    copy(row.narrow, |channels| [[PIXELS, channels], [channels, channels]])
}

pub fn planes_to_pixels<T: Stored>(row: &'static Kernels<T>) -> Vec<Job> {
    copy(row.planes_to_pixels, |channels| [[channels, PIXELS], [PLANE, channels]])
}

pub fn pixels_to_planes<T: Stored>(row: &'static Kernels<T>) -> Vec<Job> {
    copy(row.pixels_to_planes, |channels| [[PIXELS, channels], [channels, PLANE]])
}

/// `shape`: for so many channels, rows and columns, and the strides of both matrices.
fn copy<From: Stored, To: 'static>(
    kernel: unsafe fn(&CopyArgs<From, To>),
    shape: fn(usize) -> [[usize; 2]; 2],
) -> Vec<Job> {
    sizes(&[256, 64], |channels| {
        let mut memory = Memory::new();
        let [[rows, columns], [from_stride, to_stride]] = shape(channels);
        let from: *mut From = memory.values(rows * from_stride);
        let args = CopyArgs {
            rows,
            columns,
            from: Matrix { data: from.cast_const(), stride: from_stride as isize },
            to: Matrix { data: memory.zeros(rows.max(columns) * to_stride), stride: to_stride as isize },
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        let call = move || unsafe { kernel(&args) };
        Job::new(format!("{rows} x {columns}"), [rows * columns, 0], memory, call)
    })
}
