//! Asking for what the column gradient of a tile needs soon. Samples reach rows of the image anywhere near their
//! positions, in an order that no processor foresees.

use super::super::images::Pixels;
use super::super::kernels::HasKernels;
use super::super::prefetch::prefetch_far;
use super::super::sampled::Made;
use super::super::tile::Tile;
use super::Run;
use crate::plan::arena::LINE;
use std::ops::Range;

/// Rows of the image below the last tap's without offset that samples are asked for ahead of, and the most that one row
/// of positions asks for. Most samples reach no further.
const ROWS_AHEAD: i64 = 4;
/// Columns from the last tap of a position to the first of the next one beyond which nothing is asked for: most of what
/// lies between them is not sampled.
const APART: i64 = 4;
/// What x and grad_x of a unit have together at least for that: what is smaller stays in a cache nearby.
const MIN_BYTES: usize = 1 << 20;

impl<T: HasKernels> Run<'_, T> {
    /// Asks for the pixels of x and grad_x, of a unit's channels, that the tile is the first to reach as a rule.
    pub(super) unsafe fn ask_for_pixels(&self, tile: Tile, slot: usize, channels: Range<usize>) {
        if 2 * channels.len() * self.plan.pixels() * size_of::<T::Compute>() < MIN_BYTES {
            return;
        }
        let g = &self.plan.problem.geometry;
        if g.stride_w > g.dilation_w * (g.kernel_w - 1) + APART {
            return;
        }
        let below = g.dilation_h * (g.kernel_h - 1) - g.pad_top + ROWS_AHEAD;
        // SAFETY: the channels and the image in the slot exist.
        let [x, grad_x] = unsafe {
            [
                self.images.sampled(tile.n, slot, Made::Everything).pixels(channels.start),
                self.grad_pixels(slot, channels.start),
            ]
        };
        for run in tile.runs() {
            let column = |column: usize| (column as i64 * g.stride_w - g.pad_left).clamp(0, g.w);
            let (first, end) = (column(run.column), column(run.column + run.positions));
            let row = run.row as i64 * g.stride_h + below;
            for row in row.max(0)..(row + g.stride_h.min(ROWS_AHEAD)).min(g.h) {
                let pixels = (row * g.w + first) as usize..(row * g.w + end) as usize;
                if self.tensors.wants_partial() {
                    ask_for(x, pixels.clone(), channels.clone());
                }
                if !self.tensors.grad_x.is_null() {
                    ask_for(grad_x, pixels, channels.clone());
                }
            }
        }
    }
}

fn ask_for<C>(image: Pixels<C>, pixels: Range<usize>, channels: Range<usize>) {
    for pixel in pixels {
        let first = image.first.wrapping_add(pixel * image.stride + channels.start);
        (0..channels.len() * size_of::<C>()).step_by(LINE).for_each(|line| prefetch_far(first.wrapping_byte_add(line)));
    }
}
