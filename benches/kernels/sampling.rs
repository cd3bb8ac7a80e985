//! Coordinates, sampling, and their gradients: a tile of positions in the rows of a small image, offsets of 2 pixels.

use crate::job::{Job, Memory, POSITIONS, ROW_PADDING, Stored, Value, sizes};
use deformconv::cpu::element::Compute;
use deformconv::cpu::kernels::*;
use rand_distr::{Normal, Uniform};
use std::hint::black_box;
use std::ptr::null;

/// Size of the image.
const SIDE: usize = 32;
/// Where the tile begins: in the middle.
const FIRST: usize = SIDE * SIDE / 2 - POSITIONS / 2;
/// Room of an array with one value for each position.
const STRIDE: usize = POSITIONS + POSITION_PADDING;
/// Taps of the depthwise kernel.
const TAPS: usize = 9;
/// Channels: of most problems, of many deformable groups.
const CHANNELS: &[usize] = &[256, 64, 8];

fn arguments<T: Stored>(memory: &mut Memory) -> CoordinatesArgs<T> {
    let mut base = |coordinate: fn(usize) -> usize| {
        let base: *mut T::Compute = memory.zeros(STRIDE);
        // SAFETY: positions of the array.
        (0..POSITIONS).for_each(|p| unsafe { *base.add(p) = T::Compute::from_i64(coordinate(FIRST + p) as i64) });
        base
    };
    let (base_y, base_x) = (base(|position| position / SIDE), base(|position| position % SIDE));
    let offsets = Normal::new(0.0, 2.0).expect("a finite deviation");
    CoordinatesArgs {
        positions: POSITIONS,
        base_y,
        base_x,
        tap_y: T::Compute::ZERO,
        tap_x: T::Compute::ONE,
        offset_y: memory.random(STRIDE, offsets),
        offset_x: memory.random(STRIDE, offsets),
        mask: memory.random(STRIDE, Uniform::new(0.0, 1.0).expect("an interval")),
        height: SIDE as i32,
        width: SIDE as i32,
        corners: Corners {
            index: memory.zeros(4 * STRIDE),
            weight: memory.zeros(4 * STRIDE),
            fraction: memory.zeros(3 * STRIDE),
            stride: STRIDE,
        },
    }
}

/// The corners that the tile samples.
fn corners<T: Stored>(row: &Kernels<T>, memory: &mut Memory) -> Corners<T::Compute> {
    let args = arguments(memory);
    // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
    unsafe { (row.coordinates)(&args) };
    args.corners
}

pub fn coordinates<T: Stored>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(&[POSITIONS], |positions| {
        let mut memory = Memory::new();
        let args = arguments(&mut memory);
        let call = move || {
            // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
            black_box(unsafe { (row.coordinates)(&args) });
        };
        Job::new(format!("{positions}"), [positions, 0], memory, call)
    })
}

pub fn sample<T: Value>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(CHANNELS, |channels| {
        let mut memory = Memory::new();
        let args = SampleArgs {
            positions: POSITIONS,
            channels,
            corners: corners(row, &mut memory),
            image: memory.values(SIDE * SIDE * channels),
            pixel_stride: channels,
            col: memory.zeros(POSITIONS * (channels + ROW_PADDING)),
            col_stride: channels + ROW_PADDING,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        let call = move || unsafe { (row.sample)(&args) };
        of_corners([channels, 1], memory, call)
    })
}

pub fn depthwise<T: Value>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(&[64], |channels| {
        let mut memory = Memory::new();
        let corners = [corners(row, &mut memory); TAPS];
        let (columns, panels) = (row.columns, channels.div_ceil(row.columns));
        let mut args = DepthwiseArgs {
            positions: POSITIONS,
            channels,
            corners: null(),
            taps: TAPS,
            image: memory.values(SIDE * SIDE * channels),
            pixel_stride: channels,
            weight: memory.values(panels * TAPS * columns),
            weight_stride: TAPS * columns,
            acc: memory.zeros(panels * POSITIONS * columns),
            acc_stride: POSITIONS * columns,
            accumulate: false,
        };
        let call = move || {
            args.corners = corners.as_ptr();
            // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
            unsafe { (row.depthwise)(&args) }
        };
        of_corners([TAPS * channels, 1], memory, call)
    })
}

/// Both the dot products and grad_x.
pub fn corner_gradients<T: Value>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(CHANNELS, |channels| {
        let mut memory = Memory::new();
        let args = CornerGradientsArgs {
            positions: POSITIONS,
            channels,
            corners: corners(row, &mut memory),
            gcol: memory.values(POSITIONS * (channels + ROW_PADDING)),
            gcol_stride: channels + ROW_PADDING,
            image: memory.values(SIDE * SIDE * channels),
            pixel_stride: channels,
            dots: memory.zeros(4 * STRIDE),
            grad_image: memory.zeros(SIDE * SIDE * channels),
            grad_pixel_stride: channels,
            outside: memory.zeros(channels),
            col: std::ptr::null_mut(),
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        let call = move || unsafe { (row.corner_gradients)(&args) };
        of_corners([channels, 2], memory, call)
    })
}

/// The dot products, grad_x and grad_weight.
pub fn depthwise_gradients<T: Value>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(&[64, 32], |channels| {
        let mut memory = Memory::new();
        let corners = [corners(row, &mut memory); TAPS];
        let mut args = DepthwiseGradientsArgs {
            positions: POSITIONS,
            channels,
            corners: null(),
            taps: TAPS,
            grad_y: memory.values(POSITIONS * (channels + ROW_PADDING)),
            grad_y_stride: channels + ROW_PADDING,
            weight: memory.values(TAPS * channels),
            weight_stride: channels,
            image: memory.values(SIDE * SIDE * channels),
            pixel_stride: channels,
            dots: memory.zeros(TAPS * 4 * STRIDE),
            dots_stride: 4 * STRIDE,
            grad_image: memory.zeros(SIDE * SIDE * channels),
            grad_pixel_stride: channels,
            outside: memory.zeros(channels),
            grad_weight: memory.zeros(TAPS * channels),
            grad_weight_stride: channels,
            accumulate: true,
        };
        let call = move || {
            args.corners = corners.as_ptr();
            // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
            unsafe { (row.depthwise_gradients)(&args) }
        };
        of_corners([TAPS * channels, 3], memory, call)
    })
}

/// A job that multiplies and adds so many times for each corner, position and channel.
fn of_corners([channels, products]: [usize; 2], memory: Memory, call: impl FnMut() + 'static) -> Job {
    let elements = POSITIONS * channels;
    Job::new(format!("{POSITIONS} x {channels}"), [elements, 2 * 4 * products * elements], memory, call)
}

pub fn offset_gradients<T: Stored>(row: &'static Kernels<T>) -> Vec<Job> {
    sizes(&[POSITIONS], |positions| {
        let mut memory = Memory::new();
        let args = OffsetGradientsArgs {
            positions,
            corners: corners(row, &mut memory),
            dots: memory.values::<T::Compute>(4 * STRIDE),
            mask: memory.values(STRIDE),
            to: memory.zeros(3 * STRIDE),
            to_stride: STRIDE,
            accumulate: true,
        };
        // SAFETY: the processor has the instruction set, and the operands are what the arguments say.
        let call = move || unsafe { (row.offset_gradients)(&args) };
        Job::new(format!("{positions}"), [positions, 0], memory, call)
    })
}
