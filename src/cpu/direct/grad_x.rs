//! grad_x, a channel of an image at a time. Its samples go block by block: what they add to pixels is sorted by pixel,
//! so that each pixel's part is a [`Sum`], whatever the samples do; these parts are added up in the caller's grad_x,
//! or, where that is of half precision and there are several blocks, in a plane of the workspace. So memory is written
//! only where samples hit it, but to clear it where it is not added to.

use super::backward::Run;
use super::{Position, Tap, at};
use crate::abi::DCN_GRAD_X;
use crate::cpu::backward::store;
use crate::cpu::element::Element;
use crate::cpu::share::share;
use crate::cpu::sum::Sum;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::arena::LINE;
use std::ops::Range;

/// Pixels that are cleared as one unit of work.
const PIXELS_PER_PART: i64 = 1 << 16;

/// What a sample adds to a pixel, and which of the block's hits it is: that fixes the order of the sum.
#[derive(Clone, Copy)]
pub struct Hit<C> {
    pixel: i64,
    number: u32,
    value: C,
}

/// A channel of an image.
#[derive(Clone, Copy)]
struct Plane {
    n: i64,
    c: i64,
}

impl<T: Element> Run<'_, T> {
    /// Computes grad_x, which is wanted.
    pub(super) unsafe fn grad_x(&self, workers: usize, team: &Team) -> Result<()> {
        let g = &self.inputs.problem.geometry;
        let planes = g.n * g.c;
        let plane = |number: i64| Plane { n: number / g.c, c: number % g.c };
        // SAFETY: each unit has its own pixels; no two workers share a part of the workspace.
        unsafe {
            if self.map.plane.is_none() && self.tensors.accumulate & DCN_GRAD_X == 0 {
                let parts = (g.h * g.w - 1) / PIXELS_PER_PART + 1;
                share(team, workers, (planes * parts) as usize, &|_, unit| {
                    let unit = unit as i64;
                    self.clear(plane(unit / parts), unit % parts);
                })?;
            }
            share(team, self.map.workers, planes as usize, &|worker, number| self.channel(worker, plane(number as i64)))
        }
    }

    /// Sets a part of a plane to 0.
    unsafe fn clear(&self, Plane { n, c }: Plane, part: i64) {
        let tensor = &self.inputs.problem.grad_x;
        let [_, _, h, w, _] = tensor.dims;
        let stride = tensor.strides[3] as isize;
        let first = part * PIXELS_PER_PART;
        for (row, columns) in rows(first..(first + PIXELS_PER_PART).min(h * w), w) {
            // SAFETY: pixels of the plane; zero bytes are the value 0.
            unsafe {
                let to = self.tensors.grad_x.offset(at(tensor, [n, c, row, columns.start]));
                let count = (columns.end - columns.start) as usize;
                if stride == 1 {
                    to.write_bytes(0, count);
                } else {
                    (0..count as isize).for_each(|i| to.offset(i * stride).write_bytes(0, 1));
                }
            }
        }
    }

    /// Sums a channel up, on top of what its plane holds.
    unsafe fn channel(&self, worker: usize, plane: Plane) {
        let tensor = &self.inputs.problem.grad_x;
        let [_, _, h, w, _] = tensor.dims;
        let pixel = |row, column| {
            // SAFETY: a pixel of the plane.
            unsafe { self.tensors.grad_x.offset(at(tensor, [plane.n, plane.c, row, column])) }
        };
        // SAFETY: the worker's part of the workspace has room for the hits, and for a plane where the map has one.
        unsafe {
            let workspace = self.tensors.workspace.add(self.tensors.workspace.align_offset(LINE));
            let own = workspace.add(worker * self.map.worker_size);
            let hits = own.add(self.map.hits).cast();
            let Some(sums) = self.map.plane else {
                return self.scatter(plane, hits, |p, sum| store(sum, pixel(p / w, p % w), true));
            };
            let sums = own.add(sums).cast::<T::Compute>();
            sums.write_bytes(0, (h * w) as usize);
            self.scatter(plane, hits, |p, sum| *sums.add(p as usize) += sum);
            for (row, columns) in rows(0..h * w, w) {
                columns.for_each(|q| self.store(*sums.add((row * w + q) as usize), pixel(row, q), DCN_GRAD_X));
            }
        }
    }

    /// Calls `add` for the pixels that samples of a channel hit, once for each block.
    unsafe fn scatter(&self, plane: Plane, hits: *mut Hit<T::Compute>, mut add: impl FnMut(i64, T::Compute)) {
        let g = &self.inputs.problem.geometry;
        let samples = g.positions() * g.taps();
        for first in (0..samples).step_by(self.map.block) {
            // SAFETY: the samples exist; there is room for the hits of a block.
            let hits = unsafe {
                let count = self.block_hits(plane, first..samples.min(first + self.map.block as i64), hits);
                std::slice::from_raw_parts_mut(hits, count)
            };
            hits.sort_unstable_by_key(|hit| (hit.pixel, hit.number));
            for of_pixel in hits.chunk_by(|a, b| a.pixel == b.pixel) {
                let mut sum = Sum::new();
                of_pixel.iter().for_each(|hit| sum.add(hit.value));
                add(of_pixel[0].pixel, sum.total());
            }
        }
    }

    /// Writes what samples, taps inside and positions outside, add to pixels; how many hits that are.
    unsafe fn block_hits(&self, Plane { n, c }: Plane, samples: Range<i64>, to: *mut Hit<T::Compute>) -> usize {
        let g = &self.inputs.problem.geometry;
        let mut count = 0;
        for sample in samples {
            let (position, tap) = (sample / g.taps(), sample % g.taps());
            let position = Position { n, p: position / g.out_w, q: position % g.out_w };
            let tap = Tap { i: tap / g.kernel_w, j: tap % g.kernel_w };
            // SAFETY: the indices exist; four hits a sample is what there is room for.
            unsafe {
                let Some(sample) = self.inputs.sample(c, tap, position) else {
                    continue;
                };
                let (mask, gcol) = (self.inputs.mask(c, tap, position), self.column_gradient(c, tap, position));
                for corner in sample.corners(self.inputs.size()) {
                    let pixel = corner.row * g.w + corner.column;
                    to.add(count).write(Hit { pixel, number: count as u32, value: corner.weight * mask * gcol });
                    count += 1;
                }
            }
        }
        count
    }
}

/// Neighbouring pixels as rows and columns.
fn rows(pixels: Range<i64>, w: i64) -> impl Iterator<Item = (i64, Range<i64>)> {
    (pixels.start / w..=(pixels.end - 1) / w).map(move |row| {
        let first = row * w;
        (row, pixels.start.max(first) - first..pixels.end.min(first + w) - first)
    })
}
