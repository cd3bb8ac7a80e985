//! Kernels that move values from one layout to another.

use crate::job::{Job, Memory, POSITIONS, Value, sizes};
use deformconv::cpu::kernels::*;

/// Elements of a plane, of an image of 56 x 56 pixels.
const PLANE: usize = 56 * 56;

pub fn store_planes<T: Value>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(&[POSITIONS], |positions| {
        let mut memory = Memory::new();
        let columns = row.columns;
        let args = StorePlanesArgs {
            positions,
            columns,
            acc: memory.values(positions * columns),
            bias: memory.values(columns),
            y: memory.zeros(columns * PLANE),
            plane_stride: PLANE as isize,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        let call = move || unsafe { (row.store_planes)(&args) };
        Job::new(format!("{positions} x {columns}"), [positions * columns, 0], memory, call)
    })
}

pub fn planes_to_pixels<T: Value>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(&[256, 64], |channels| {
        let mut memory = Memory::new();
        let pixels = 256;
        let args = TransposeArgs {
            channels,
            pixels,
            planes: memory.values(channels * PLANE),
            plane_stride: PLANE as isize,
            to: memory.zeros(pixels * channels),
            pixel_stride: channels,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        let call = move || unsafe { (row.planes_to_pixels)(&args) };
        Job::new(format!("{pixels} x {channels}"), [pixels * channels, 0], memory, call)
    })
}
