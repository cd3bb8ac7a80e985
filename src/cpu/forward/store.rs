//! From the accumulators of a tile to y: bias added, rounded once, in y's own layout.

use super::bias_at;
use super::strip::Worker;
use crate::cpu::element::Compute;
use crate::cpu::kernels::*;
use crate::cpu::prefetch::prefetch_far;
use crate::cpu::tile::{Run, Tile};
use crate::plan::arena::LINE;
use crate::plan::maps::Output;
use std::ops::Range;

/// Most columns of a panel, of any kernel.
const MAX_COLUMNS: usize = 32;

impl<T: HasKernels> Worker<'_, T> {
    /// Writes one panel of output channels of the tile in work, with bias.
    pub(super) unsafe fn store(&mut self, group: usize, panel: usize, slot: usize) {
        let (plan, tile) = (self.run.plan, self.tile);
        let (tiling, y) = (self.run.tiling, &plan.problem.y);
        let outputs = self.outputs(group, panel);
        let (o, columns) = (outputs.start as isize, outputs.len());
        let [sn, so, sh, sw, _] = y.strides.map(|stride| stride as isize);
        // SAFETY: the output channels and positions exist in y, the panel in the accumulators and in the bias.
        unsafe {
            let acc = self.acc(tiling.levels - 1, slot);
            let bias = self.bias(outputs.start, columns);
            let bias = bias.as_ptr();
            let channels = self.run.tensors.y.offset(tile.n as isize * sn + o * so);
            for Run { at, row, column, positions } in self.output_runs(tile) {
                let acc = acc.add(at * tiling.columns).cast_const();
                let first = (row * tile.out_w + column) as isize;
                let args = |y, stride| StoreArgs { positions, columns, acc, bias, y, stride };
                match plan.output {
                    Output::Planes => (plan.kernels.store_planes)(&args(channels.offset(first), so)),
                    Output::Pixels { stride } => {
                        (plan.kernels.store_pixels)(&args(channels.offset(first * stride), stride));
                    }
                    Output::Strided => {
                        let to = channels.offset(row as isize * sh + column as isize * sw);
                        self.store_elements((acc, bias), [positions, columns], to, [sw, so]);
                    }
                }
            }
        }
    }

    /// Asks for the lines of the planes of y that a panel of the tile in work is written to.
    pub(super) fn ask_for_output(&self, group: usize, panel: usize) {
        let (plan, tile) = (self.run.plan, self.tile);
        let [sn, so, ..] = plan.problem.y.strides.map(|stride| stride as isize);
        let tile_of_image = self.run.tensors.y.wrapping_offset(tile.n as isize * sn).wrapping_add(tile.first);
        for o in self.outputs(group, panel) {
            let first = tile_of_image.wrapping_offset(o as isize * so);
            let lines = (0..tile.positions * size_of::<T>()).step_by(LINE);
            lines.for_each(|at| prefetch_far(first.wrapping_byte_add(at)));
        }
    }

    /// The output channels of a panel.
    fn outputs(&self, group: usize, panel: usize) -> Range<usize> {
        let (per_group, width) =
            (self.run.plan.packed_geometry().outputs_per_group() as usize, self.run.tiling.columns);
        let first = panel * width;
        group * per_group + first..group * per_group + per_group.min(first + width)
    }

    /// Positions whose places in y are evenly spaced.
    fn output_runs(&self, tile: Tile) -> impl Iterator<Item = Run> + use<T> {
        let across_rows = self.run.plan.output != Output::Strided;
        let whole = across_rows.then(|| Run { positions: tile.positions, ..tile.first_run() });
        whole.into_iter().chain((!across_rows).then(|| tile.runs()).into_iter().flatten())
    }

    /// A panel to any other y: positions and output channels as far apart as the strides say.
    unsafe fn store_elements(
        &self,
        (acc, bias): (*const T::Compute, *const T::Compute),
        [positions, columns]: [usize; 2],
        to: *mut T,
        [position_stride, channel_stride]: [isize; 2],
    ) {
        let width = self.run.tiling.columns;
        for p in 0..positions {
            for k in 0..columns {
                // SAFETY: the caller names a panel and its place in y.
                unsafe {
                    let value = *acc.add(p * width + k) + *bias.add(k);
                    let to = to.offset(p as isize * position_stride + k as isize * channel_stride);
                    *to = T::from_compute(value.canonical());
                }
            }
        }
    }

    /// The bias of some output channels, zeros behind them and where there is none.
    unsafe fn bias(&self, first: usize, columns: usize) -> [T::Compute; MAX_COLUMNS] {
        let mut values = [T::Compute::ZERO; MAX_COLUMNS];
        if let Some(bias) = &self.run.plan.problem.bias {
            for (k, value) in values.iter_mut().enumerate().take(columns) {
                // SAFETY: an output channel; the bias is described, so its pointer is not NULL.
                *value = unsafe { bias_at::<T>(bias, self.run.tensors.bias, (first + k) as i64) };
            }
        }
        values
    }
}
