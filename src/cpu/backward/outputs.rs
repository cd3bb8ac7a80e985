//! From the workspace to the caller's tensors: the gradients of offset and mask. Where all channels of each deformable
//! group are worked on together, a tile at a time, else from partial sums.

use super::super::kernels::{CopyArgs, HasKernels, Kernels};
use super::super::share::share;
use super::{Run, store};
use crate::abi::*;
use crate::cpu::element::Compute;
use crate::cpu::prefetch::prefetch_read;
use crate::cpu::tile::Tile;
use crate::error::Result;
use crate::exec::Team;
use crate::plan::arena::LINE;
use crate::plan::band::BandPart;
use crate::plan::maps::is_planes;
use crate::plan::tiling::MAX_CHAIN;
use crate::problem::Tensor;
use std::ops::RangeInclusive;

/// Positions whose partial sums are added up together.
const RUN: usize = 256;

impl<T: HasKernels> Run<'_, T> {
    /// Adds the partial sums of all units up, in the order of channels, for the taps and tiles of a band.
    pub(super) unsafe fn write_partial(&self, first: usize, images: usize, part: &BandPart, team: &Team) -> Result<()> {
        let units = part.deformable_groups * part.taps;
        share(team, self.plan.workers, images * units, &|_, unit| {
            let (slot, unit) = (unit / units, unit % units);
            let (deformable_group, tap) = (part.first_deformable_group + unit / part.taps, unit % part.taps);
            // SAFETY: each unit writes its own channels of the gradients.
            unsafe { self.write_tap(first + slot, slot, (deformable_group, tap), part) };
        })
    }

    /// One tap of one deformable group: two channels of grad_offset and one of grad_mask.
    unsafe fn write_tap(&self, n: usize, slot: usize, (d, tap): (usize, usize), part: &BandPart) {
        let (plan, g) = (self.plan, &self.plan.problem.geometry);
        let [first_unit, last_unit] = plan.channels.units_of(d);
        let end = part.first_unit + part.units;
        let (begins, ends) = (first_unit >= part.first_unit, last_unit < end);
        let units = first_unit.max(part.first_unit)..=last_unit.min(end - 1);
        // Behind the rows of the units: what bands of units hand on, in turns.
        let handed = |turn: usize| plan.band.rows + (part.first_unit / plan.band.units + turn) % 2;
        let key = d * g.taps() as usize + part.first_tap + tap;
        let first = part.first_tile * plan.positions;
        let positions = (part.tiles * plan.positions).min(g.positions() as usize - first);
        for (k, target) in self.targets(n, key).into_iter().enumerate() {
            let Some(target) = target else { continue };
            let mut sums = [T::Compute::ZERO; RUN];
            for p in (0..positions).step_by(RUN) {
                let run = p..positions.min(p + RUN);
                let sums = &mut sums[..run.len()];
                // SAFETY: rows of partial sums that the units or the band before wrote; positions of the gradient.
                unsafe {
                    let row = |row: usize| self.partial(slot, row, tap).add(k * plan.band.stride + p);
                    if !begins {
                        row(handed(1)).copy_to_nonoverlapping(sums.as_mut_ptr(), sums.len());
                    }
                    self.sum_partial(sums, begins, units.clone(), |unit| row(unit + d - part.first_row));
                    if ends {
                        target.store(plan.kernels, first + p, sums);
                    } else {
                        row(handed(0)).copy_from_nonoverlapping(sums.as_ptr(), sums.len());
                    }
                }
            }
        }
    }

    /// Stores the gradients of a tap of a deformable group at a tile's positions: three rows, `stride` apart, as the
    /// kernel makes them.
    pub(super) unsafe fn write_tile(&self, tile: Tile, key: usize, rows: *mut T::Compute, stride: usize) {
        for (k, target) in self.targets(tile.n, key).into_iter().enumerate() {
            let Some(target) = target else { continue };
            // SAFETY: a row of the tile's positions, which are the gradient's.
            unsafe {
                let row = std::slice::from_raw_parts_mut(rows.add(k * stride), tile.positions);
                target.store(self.plan.kernels, tile.first, row);
            }
        }
    }

    /// Asks for where [`Run::write_tile`] writes soon.
    pub(super) fn prefetch_tile(&self, tile: Tile, key: usize) {
        self.targets(tile.n, key).iter().flatten().for_each(|target| target.prefetch(tile.first, tile.positions));
    }

    /// The gradients of a tap of a deformable group with respect to Δy, Δx and mask, as far as they are wanted. `key`
    /// is the mask's channel.
    fn targets(&self, n: usize, key: usize) -> [Option<Positions<'_, T>>; 3] {
        let (problem, tensors) = (&self.plan.problem, &self.tensors);
        let target = |tensor, data: *mut T, channel, bit| {
            (!data.is_null()).then(|| Positions { tensor, data, n, channel, add: tensors.adds_to(bit) })
        };
        let offset = |channel| target(&problem.grad_offset, tensors.grad_offset, channel, DCN_GRAD_OFFSET);
        let mask = problem.grad_mask.as_ref().and_then(|mask| target(mask, tensors.grad_mask, key, DCN_GRAD_MASK));
        [offset(2 * key), offset(2 * key + 1), mask]
    }

    /// Adds up what `row` has of each unit, in order: to what is in `to`, or `from_zero`.
    unsafe fn sum_partial(
        &self,
        to: &mut [T::Compute],
        mut from_zero: bool,
        units: RangeInclusive<usize>,
        row: impl Fn(usize) -> *const T::Compute,
    ) {
        let len = to.len();
        // SAFETY: the caller's promise.
        let row = |unit: usize| unsafe { std::slice::from_raw_parts(row(unit), len) };
        let chain = |to: &mut [T::Compute], first: usize| {
            to.copy_from_slice(row(first));
            for unit in first + 1..=(*units.end()).min(first + MAX_CHAIN - 1) {
                to.iter_mut().zip(row(unit)).for_each(|(sum, &value)| *sum += value);
            }
        };
        for first in units.clone().step_by(MAX_CHAIN) {
            if from_zero {
                chain(to, first);
                from_zero = false;
            } else {
                let mut sums = [T::Compute::ZERO; RUN];
                chain(&mut sums[..len], first);
                to.iter_mut().zip(sums).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

/// The positions of a channel of a gradient.
struct Positions<'a, T> {
    tensor: &'a Tensor,
    data: *mut T,
    n: usize,
    channel: usize,
    /// Add to what is there.
    add: bool,
}

impl<T: HasKernels> Positions<'_, T> {
    /// Asks for some positions that are written soon, if they are neighbours.
    fn prefetch(&self, first: usize, positions: usize) {
        if is_planes(self.tensor) {
            let start = self.data.wrapping_offset(at(self.tensor, [self.n, self.channel, 0, 0])).wrapping_add(first);
            let lines = (0..positions * size_of::<T>()).step_by(LINE);
            lines.for_each(|line| prefetch_read(start.wrapping_byte_add(line)));
        }
    }

    /// Stores at most RUN values from a position on, as [`store`] does.
    unsafe fn store(&self, kernels: &Kernels<T>, first: usize, values: &mut [T::Compute]) {
        let out_w = self.tensor.dims[3] as usize;
        let element = |p: usize| [self.n, self.channel, p / out_w, p % out_w];
        // SAFETY: positions of the gradient.
        unsafe {
            if !is_planes(self.tensor) {
                for (p, &value) in (first..).zip(values.iter()) {
                    store(value, self.data.offset(at(self.tensor, element(p))), self.add);
                }
                return;
            }
            let to = self.data.offset(at(self.tensor, element(0))).add(first);
            if self.add {
                let mut held = [T::Compute::ZERO; RUN];
                (kernels.widen)(&CopyArgs::row(values.len(), to, held.as_mut_ptr()));
                values.iter_mut().zip(held).for_each(|(value, held)| *value = held + *value);
            }
            (kernels.narrow)(&CopyArgs::row(values.len(), values.as_ptr(), to));
        }
    }
}

/// The offset of an element, in elements; fits, as the extent of a checked tensor does.
pub(super) fn at(tensor: &Tensor, index: [usize; 4]) -> isize {
    index.iter().zip(tensor.strides).map(|(&index, stride)| index as isize * stride as isize).sum()
}
