//! The column gradient of a unit of channels, and what follows from it: partial sums of the gradients of offset and
//! mask, and grad_x.

use super::super::element::MAX_SAMPLE_CHANNELS;
use super::super::kernels::*;
use super::super::sampled::Made;
use super::super::sampler::{Columns, Sampler};
use super::super::share::share_in_turn;
use super::super::tile::Tile;
use super::grad_y::GradY;
use super::hits::{CHUNK, Together};
use super::pack::UnitWeights;
use super::{Place, Run, clear};
use crate::error::Result;
use crate::exec::Team;
use crate::plan::band::BandPart;
use crate::plan::cuts::Segment;
use crate::plan::tiling::MAX_CHAIN;

impl<T: HasKernels> Run<'_, T> {
    /// Sums grad_x of some images up and writes their gradients of offset and mask, band by band; with the last one,
    /// `rest` units of grad_bias.
    pub(super) unsafe fn column_gradients(&self, first: usize, images: usize, rest: usize, team: &Team) -> Result<()> {
        let mut parts = self.plan.band_parts().peekable();
        // SAFETY: units write disjoint channels of grad_x and disjoint rows of partial sums.
        unsafe {
            while let Some(part) = parts.next() {
                let rest = if parts.peek().is_none() { rest } else { 0 };
                let units = images * part.units;
                share_in_turn(team, self.plan.workers, [units, rest], &|worker, unit| {
                    if unit >= units {
                        return self.bias(unit - units);
                    }
                    let (slot, unit) = (unit / part.units, unit % part.units);
                    let place = Place { n: first + slot, slot, sum: slot };
                    Worker::new(self, worker, place).unit(part.first_unit + unit, &part);
                })?;
                if self.tensors.wants_partial() && !self.plan.whole_groups {
                    self.write_partial(first, images, &part, team)?;
                }
            }
        }
        Ok(())
    }

    /// The same for one image, on one thread, where no partial sums are kept.
    pub(super) unsafe fn column_gradients_alone(&self, place: Place, worker: usize) {
        for part in self.plan.band_parts() {
            for unit in part.first_unit..part.first_unit + part.units {
                // SAFETY: the worker's scratch and the image's slot are this thread's alone.
                unsafe { Worker::new(self, worker, place).unit(unit, &part) };
            }
        }
    }
}

/// One thread's part of one image.
pub(super) struct Worker<'a, T: HasKernels> {
    pub run: &'a Run<'a, T>,
    pub sampler: Sampler<'a, T>,
    pub place: Place,
    pub grad_y: *mut T::Compute,
    gcol: *mut T::Compute,
    pub dots: *mut T::Compute,
    /// A tile's gradients of offset and mask for one tap.
    offset_gradients: *mut T::Compute,
    pub outside: *mut T::Compute,
    pub weights: UnitWeights<'a, T>,
}

impl<'a, T: HasKernels> Worker<'a, T> {
    unsafe fn new(run: &'a Run<'a, T>, worker: usize, place: Place) -> Self {
        let map = &run.plan.scratch;
        // SAFETY: the scratch is this worker's alone.
        unsafe {
            let scratch = run.scratch(worker);
            let sampler = Sampler::new(run.sampler_input(), &map.sampler, scratch);
            // Kernels work in whole vectors: what is beyond the last position must be a value, whichever.
            clear(scratch.add(map.dots).cast::<T::Compute>(), run.plan.dots_len());
            clear(scratch.add(map.outside).cast::<T::Compute>(), MAX_SAMPLE_CHANNELS);
            Self {
                run,
                sampler,
                place,
                grad_y: scratch.add(map.grad_y).cast(),
                gcol: scratch.add(map.gcol).cast(),
                dots: scratch.add(map.dots).cast(),
                offset_gradients: scratch.add(map.offset_gradients).cast(),
                outside: scratch.add(map.outside).cast(),
                weights: UnitWeights::new(run.plan, run.tensors.weight, run.packed, scratch),
            }
        }
    }

    /// Copies a unit's channels of x, so that they are in this thread's cache, and sets those of grad_x to 0.
    unsafe fn begin(&self, unit: usize) {
        let channels = self.run.plan.channels.unit_channels(unit);
        // SAFETY: a unit's channels are a block of the copy, and neighbours in grad_x; no other thread uses them.
        unsafe {
            self.run.images.copy_whole_block(self.place.n, self.place.slot, channels.start);
            if self.run.tensors.grad_x.is_null() {
                return;
            }
            let pixels = self.run.grad_pixels(self.place.slot, channels.start);
            clear(pixels.first.add(channels.start), self.run.plan.pixels() * channels.len());
        }
    }

    /// A unit's channels for the taps and tiles of a band.
    unsafe fn unit(&mut self, unit: usize, part: &BandPart) {
        let plan = self.run.plan;
        let cut = &plan.channels;
        let all = plan.problem.geometry.positions() as usize;
        // SAFETY: unit and taps exist.
        unsafe {
            if part.first_tap == 0 && part.first_tile == 0 {
                self.begin(unit);
            }
            self.weights.turn_to(unit, part);
        }
        for number in part.first_tile..part.first_tile + part.tiles {
            let first = number * plan.positions;
            let positions = plan.positions.min(all - first);
            let tile = Tile::new(self.place.n, first, positions, plan.problem.geometry.out_w as usize);
            // SAFETY: tile, segments and taps exist.
            unsafe {
                self.sampler.place(tile);
                self.run.ask_for_pixels(tile, self.place.slot, cut.unit_channels(unit));
                for segment in cut.segments(unit) {
                    if plan.depthwise {
                        self.depthwise(unit, tile, &segment, part);
                        continue;
                    }
                    for first_tap in (part.first_tap..part.first_tap + part.taps).step_by(cut.tap_block) {
                        let taps = cut.tap_block.min(cut.taps - first_tap);
                        self.ask_for(tile, cut.deformable_group_of(segment.first_channel), first_tap);
                        let grad_y = self.multiply(tile, &segment, first_tap, taps);
                        self.corners(unit, tile, &segment.columns(first_tap, taps), part);
                        if self.run.sweeps() {
                            let unit = self.run.weight_unit(segment.number);
                            self.run.add_tile(&unit, self.place.sum, tile, &grad_y, self.samples());
                        }
                    }
                }
            }
        }
        let is_last = part.first_tap + part.taps == cut.taps && part.first_tile + part.tiles == plan.tiles();
        if is_last && !self.run.tensors.grad_x.is_null() {
            // SAFETY: all that adds to the unit's channels is done.
            unsafe { self.run.write_grad_x(self.place.n, self.place.slot, unit) };
        }
    }

    /// The samples, which have taken the column gradient's place.
    fn samples(&self) -> Matrix<*const T::Compute> {
        Matrix { data: self.gcol, stride: self.run.plan.gcol_stride() as isize }
    }

    /// gcol[positions][taps * channels] = grad_y[positions][outputs] * weight[outputs][taps * channels]. Gives grad_y
    /// of the last block of outputs.
    unsafe fn multiply(&mut self, tile: Tile, segment: &Segment, first_tap: usize, taps: usize) -> GradY<T::Compute> {
        let plan = self.run.plan;
        let mut grad_y = GradY::none();
        let (cut, width) = (&plan.channels, plan.kernels.columns);
        let panels = (taps * segment.channels).div_ceil(width);
        // SAFETY: blocks of outputs lie within grad_y and the packed weights, panels within gcol.
        unsafe {
            for first in (0..cut.outputs).step_by(plan.output_block) {
                let outputs = plan.output_block.min(cut.outputs - first);
                grad_y = self.run.copy_grad_y(tile, segment.group * cut.outputs + first, outputs, self.grad_y);
                for start in (0..outputs).step_by(MAX_CHAIN) {
                    let depth = MAX_CHAIN.min(outputs - start);
                    let block = first + start..first + start + depth;
                    let mut packed = self.weights.outputs(segment, first_tap / cut.tap_block, block);
                    for panel in 0..panels {
                        grad_y.multiply(plan.kernels)(&MultiplyArgs {
                            rows: tile.positions,
                            depth,
                            left: grad_y.output(start),
                            left_stride: grad_y.stride,
                            right: packed,
                            right_stride: width,
                            acc: self.gcol.add(panel * width),
                            acc_stride: plan.gcol_stride(),
                            accumulate: first + start > 0,
                            next: packed.wrapping_add(depth * width),
                        });
                        packed = packed.add(depth * width);
                    }
                }
            }
        }
        grad_y
    }

    /// What the column gradient of some taps and channels adds to grad_x and to the gradients of offset and mask.
    unsafe fn corners(&mut self, unit: usize, tile: Tile, columns: &Columns, part: &BandPart) {
        let plan = self.run.plan;
        let mut parts = self.sampler.taps_of_segments(columns).peekable();
        while let Some(((deformable_group, first_channel, channels), t)) = parts.next() {
            let group = plan.channels.group_of(first_channel);
            let together = Together { unit, group, deformable_group, first_channel, channels };
            let tap = columns.first_tap + t;
            // SAFETY: columns of gcol, a row of partial sums of this unit.
            unsafe {
                let corners = self.sampler.corners(deformable_group, tap);
                if let Some(((deformable_group, ..), t)) = parts.peek() {
                    self.ask_for(tile, *deformable_group, columns.first_tap + t);
                }
                let gcol = self.gcol.add(t * columns.channels + first_channel - columns.first_channel);
                self.scatter(tile, together, &self.corner_gradients(together, corners, gcol, tile.positions));
                if self.run.tensors.wants_partial() {
                    self.offset_gradients(together, tap, tile, (&corners, self.dots), part);
                }
            }
        }
    }

    /// Asks for what a tap that comes soon reads of offset and mask and writes of their gradients.
    fn ask_for(&self, tile: Tile, deformable_group: usize, tap: usize) {
        self.sampler.prefetch(deformable_group, tap);
        if self.run.plan.whole_groups {
            self.run.prefetch_tile(tile, deformable_group * self.run.plan.channels.taps + tap);
        }
    }

    /// The kernel's arguments for some channels of a tile.
    unsafe fn corner_gradients(
        &self,
        together: Together,
        corners: Corners<T::Compute>,
        gcol: *mut T::Compute,
        positions: usize,
    ) -> CornerGradientsArgs<T::Compute> {
        let (run, plan) = (self.run, self.run.plan);
        let null = std::ptr::null_mut();
        // SAFETY: channels of the image and of grad_x.
        unsafe {
            let image = run.images.sampled(self.place.n, self.place.slot, Made::Everything);
            let pixels = image.pixels(together.first_channel);
            let grad_pixels = run.grad_pixels(self.place.slot, together.first_channel);
            let wants_grad_x = !run.tensors.grad_x.is_null();
            CornerGradientsArgs {
                positions,
                channels: together.channels,
                corners,
                gcol,
                gcol_stride: plan.gcol_stride(),
                image: if run.tensors.wants_partial() { pixels.first.add(together.first_channel) } else { null },
                pixel_stride: pixels.stride,
                dots: self.dots,
                grad_image: if wants_grad_x { grad_pixels.first.add(together.first_channel) } else { null },
                grad_pixel_stride: grad_pixels.stride,
                outside: self.outside,
                col: if run.sweeps() { gcol } else { null },
            }
        }
    }

    /// Runs the kernel: at once, or, where grad_x's sums might become too long, chunk by chunk.
    unsafe fn scatter(&self, tile: Tile, together: Together, args: &CornerGradientsArgs<T::Compute>) {
        let (run, kernel) = (self.run, self.run.plan.kernels.corner_gradients);
        // SAFETY: the arguments describe a tile, a chunk is a part of it.
        unsafe {
            let wants_grad_x = !args.grad_image.is_null();
            if !wants_grad_x || run.count_hits(self.place.slot, together, &args.corners, tile.positions) {
                return kernel(args);
            }
            for first in (0..tile.positions).step_by(CHUNK) {
                let chunk = args.part(first, CHUNK.min(tile.positions - first));
                kernel(&chunk);
                run.count_chunk((self.place.n, self.place.slot), together, &chunk.corners, chunk.positions);
            }
        }
    }

    /// Partial sums of the gradients of offset and mask, from the dot products.
    pub(super) unsafe fn offset_gradients(
        &mut self,
        together: Together,
        tap: usize,
        tile: Tile,
        (corners, dots): (&Corners<T::Compute>, *const T::Compute),
        part: &BandPart,
    ) {
        let (run, plan) = (self.run, self.run.plan);
        let Together { unit, deformable_group, first_channel, .. } = together;
        // SAFETY: a row of partial sums of this unit, or room for one of the tile.
        unsafe {
            let (to, to_stride) = if plan.whole_groups {
                (self.offset_gradients, plan.scratch.sampler.stride)
            } else {
                let row = run.partial(self.place.slot, unit + deformable_group - part.first_row, tap - part.first_tap);
                (row.add(tile.first - part.first_tile * plan.positions), plan.band.stride)
            };
            (plan.kernels.offset_gradients)(&OffsetGradientsArgs {
                positions: tile.positions,
                corners: *corners,
                dots,
                mask: self.sampler.mask(deformable_group, tap),
                to,
                to_stride,
                accumulate: !self.begins_row(unit, deformable_group, first_channel),
            });
            if plan.whole_groups {
                run.write_tile(tile, deformable_group * plan.channels.taps + tap, to, to_stride);
            }
        }
    }

    /// Whether a channel is the first of its deformable group in the unit.
    fn begins_row(&self, unit: usize, deformable_group: usize, channel: usize) -> bool {
        let plan = self.run.plan;
        let of_group = deformable_group * plan.problem.geometry.channels_per_deformable_group() as usize;
        channel == of_group.max(plan.channels.unit_channels(unit).start)
    }
}
