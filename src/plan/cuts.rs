//! How the backward pass is cut: units of channels for the column gradient, units of taps and channels for grad_weight.

use super::tiling::{MAX_CHAIN, even_block};
use crate::cpu::sampler::Columns;
use crate::problem::Geometry;
use std::ops::Range;

/// Columns (taps times channels) of the column gradient that are computed together.
pub const COLUMNS: usize = 576;
/// Rows of partial sums of a unit times taps computed together are at most about so many: what a tile has of them fits
/// the workspace.
const PARTIAL_ROWS: usize = 3072;
/// Positions that grad_weight adds up before it leaves the registers, where it has a sweep of its own.
pub const WEIGHT_DEPTH: usize = 128;
/// Columns and rows of grad_weight that are computed together.
const WEIGHT_COLUMNS: usize = 256;
const WEIGHT_ROWS: usize = 512;
/// Corners remembered where the groups of a unit share them.
const COORDINATE_SLOTS: usize = 64;

/// Groups of one channel and one output channel (depthwise) are cut as if they were one group: their products go across
/// channels.
fn across_groups(g: &Geometry) -> Geometry {
    if g.is_depthwise() { Geometry { groups: 1, ..*g } } else { *g }
}

/// The part of a unit that lies in one group: what one matrix product makes.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub number: usize,
    pub group: usize,
    /// Of all channels.
    pub first_channel: usize,
    pub channels: usize,
}

impl Segment {
    /// Its columns for some taps.
    pub fn columns(&self, first_tap: usize, taps: usize) -> Columns {
        Columns { first_tap, taps, first_channel: self.first_channel, channels: self.channels }
    }
}

/// Units of neighbouring channels, each of one part of a group or of whole groups. One thread does a unit for all
/// positions in order, so that no two threads add to the same element of grad_x.
#[derive(Clone, Copy, Debug)]
pub struct ChannelCut {
    pub taps: usize,
    pub tap_block: usize,
    /// O/G: the depth of the product.
    pub outputs: usize,
    groups: usize,
    deformable_groups: usize,
    /// C/G.
    per_group: usize,
    /// Most channels of a segment.
    pub block: usize,
    /// Of units of whole groups.
    groups_per_unit: usize,
    columns: usize,
}

impl ChannelCut {
    /// Units are as large as they may be with so many in the whole batch.
    pub fn new(g: &Geometry, columns: usize, units: usize) -> Self {
        let g = &across_groups(g);
        let (taps, per_group) = (g.taps() as usize, g.channels_per_group() as usize);
        let target = ((g.c as usize).saturating_mul(g.n.max(1) as usize) / units).next_multiple_of(16).clamp(16, 64);
        let block = even_block(per_group, target, 16);
        let mut cut = Self {
            taps,
            tap_block: 1,
            outputs: g.outputs_per_group() as usize,
            groups: g.groups as usize,
            deformable_groups: g.deformable_groups as usize,
            per_group,
            block,
            groups_per_unit: (target / per_group).max(1),
            columns,
        };
        let tap_block = (COLUMNS / block).min(PARTIAL_ROWS / cut.rows(1)).clamp(1, taps);
        cut.tap_block = even_block(taps, tap_block, 1);
        cut
    }

    fn blocks_per_group(&self) -> usize {
        self.per_group.div_ceil(self.block)
    }

    pub fn units(&self) -> usize {
        if self.blocks_per_group() > 1 {
            self.groups * self.blocks_per_group()
        } else {
            self.groups.div_ceil(self.groups_per_unit)
        }
    }

    /// The parts of a unit that lie in one group each, in the order of channels.
    pub fn segments(&self, unit: usize) -> impl Iterator<Item = Segment> + use<> {
        let cut = *self;
        let blocks = cut.blocks_per_group();
        let numbers = if blocks > 1 {
            unit..unit + 1
        } else {
            unit * cut.groups_per_unit..cut.groups.min((unit + 1) * cut.groups_per_unit)
        };
        numbers.map(move |number| {
            let (group, first) = (number / blocks, number % blocks * cut.block);
            let channels = cut.block.min(cut.per_group - first);
            Segment { number, group, first_channel: group * cut.per_group + first, channels }
        })
    }

    /// A unit's channels.
    pub fn unit_channels(&self, unit: usize) -> Range<usize> {
        let blocks = self.blocks_per_group();
        if blocks > 1 {
            let (group, first) = (unit / blocks, unit % blocks * self.block);
            let first_of_group = group * self.per_group;
            first_of_group + first..first_of_group + self.per_group.min(first + self.block)
        } else {
            let first = unit * self.groups_per_unit;
            first * self.per_group..self.groups.min(first + self.groups_per_unit) * self.per_group
        }
    }

    /// The channels of a channel's unit.
    pub fn neighbours(&self, channel: usize) -> Range<usize> {
        self.unit_channels(self.unit_of(channel))
    }

    pub fn last_channel(&self, unit: usize) -> usize {
        self.segments(unit).last().map_or(0, |segment| segment.first_channel + segment.channels - 1)
    }

    /// The unit that a channel is in.
    pub fn unit_of(&self, channel: usize) -> usize {
        let (group, of_group) = (channel / self.per_group, channel % self.per_group);
        let blocks = self.blocks_per_group();
        if blocks > 1 { group * blocks + of_group / self.block } else { group / self.groups_per_unit }
    }

    /// The group that a channel is in.
    pub fn group_of(&self, channel: usize) -> usize {
        channel / self.per_group
    }

    pub fn group_count(&self) -> usize {
        self.groups
    }

    /// The deformable group that a channel is in.
    pub fn deformable_group_of(&self, channel: usize) -> usize {
        channel / (self.groups * self.per_group / self.deformable_groups)
    }

    /// The unit of the first channel of a deformable group, and that of its last one.
    pub fn units_of(&self, deformable_group: usize) -> [usize; 2] {
        let channels = self.groups * self.per_group / self.deformable_groups;
        [deformable_group * channels, (deformable_group + 1) * channels - 1].map(|channel| self.unit_of(channel))
    }

    /// Whether no deformable group has channels of two segments.
    pub fn has_whole_deformable_groups(&self) -> bool {
        let channels = self.groups * self.per_group / self.deformable_groups;
        let whole_in = |channels_together: usize| channels_together.is_multiple_of(channels);
        whole_in(self.per_group) && (self.blocks_per_group() == 1 || whole_in(self.block))
    }

    /// Most rows of partial sums that so many neighbouring units have.
    pub fn rows(&self, units: usize) -> usize {
        let blocks = if self.blocks_per_group() > 1 { 1 } else { self.groups_per_unit };
        let channels = units.saturating_mul(blocks * self.block);
        let per_group = self.groups * self.per_group / self.deformable_groups;
        (units + channels / per_group + 1).min(self.slots())
    }

    /// Rows of partial sums. That of the channels of deformable group d in unit u is number u + d: along the channels
    /// one of both grows wherever a row ends.
    pub fn slots(&self) -> usize {
        self.units() + self.deformable_groups - 1
    }

    pub fn coordinate_slots(&self) -> usize {
        if self.groups_per_unit > 1 { (self.taps * self.deformable_groups).min(COORDINATE_SLOTS) } else { 1 }
    }

    pub fn tap_blocks(&self) -> usize {
        self.taps.div_ceil(self.tap_block)
    }

    /// Most panels that the columns of a segment and a block of taps fill.
    pub fn panels(&self) -> usize {
        (self.tap_block * self.block).div_ceil(self.columns)
    }

    /// Panels that the columns of a segment and a block of taps fill.
    pub fn panels_of(&self, segment: &Segment, tap_block: usize) -> usize {
        (self.taps_of(tap_block).len() * segment.channels).div_ceil(self.columns)
    }

    /// The taps of a block of taps.
    pub fn taps_of(&self, tap_block: usize) -> Range<usize> {
        let first = tap_block * self.tap_block;
        first..self.taps.min(first + self.tap_block)
    }

    /// Most segments of a unit.
    pub fn segments_per_unit(&self) -> usize {
        if self.blocks_per_group() > 1 { 1 } else { self.groups_per_unit.min(self.groups) }
    }

    pub fn segment_count(&self) -> usize {
        self.groups * self.blocks_per_group()
    }

    /// Elements of the packed weights of one segment and block of taps. Sizes that are rounded up to whole panels may
    /// be too large to be counted, which a plan refuses.
    pub fn packed_block(&self) -> usize {
        (self.panels() * self.columns).saturating_mul(self.outputs)
    }

    pub fn packed_len(&self) -> usize {
        self.segment_count().saturating_mul(self.tap_blocks()).saturating_mul(self.packed_block())
    }

    /// Where the packed weights of a segment and block of taps start, in elements.
    pub fn packed_offset(&self, segment: &Segment, tap_block: usize) -> usize {
        (segment.number * self.tap_blocks() + tap_block) * self.packed_block()
    }

    /// All that the packed layout depends on beside the shape.
    pub fn packed_layout(&self) -> [usize; 3] {
        [self.tap_block, self.block, self.columns]
    }
}

/// How grad_weight is summed up over positions and images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightSum {
    /// Most positions of a tile.
    pub depth: usize,
    /// Each image has a sum of its own, and these are added up in order; else one sum goes on from image to image.
    pub by_image: bool,
}

/// Units of grad_weight: rows are output channels, columns taps and channels of a group.
#[derive(Clone, Copy, Debug)]
pub struct WeightCut {
    /// Most rows, taps and channels of a unit.
    pub rows: usize,
    pub taps: usize,
    pub channels: usize,
    /// `depth` is that of the tiles.
    pub sum: WeightSum,
    /// Levels of accumulators, so that no chain of additions is longer than MAX_CHAIN.
    pub levels: usize,
    row_blocks: usize,
    tap_blocks: usize,
    channel_blocks: usize,
    groups: usize,
    columns: usize,
    depthwise: bool,
}

/// One unit of grad_weight.
#[derive(Clone, Copy, Debug)]
pub struct WeightUnit {
    pub group: usize,
    pub row_block: usize,
    pub tap_block: usize,
    pub channel_block: usize,
}

impl WeightCut {
    /// `block` is that of the column gradient: no unit has channels of two of them.
    pub fn new(g: &Geometry, columns: usize, block: usize, threads: usize, sum: WeightSum) -> Self {
        let whole = Self::of_segments(g, columns, block, sum);
        let (all_rows, all_taps, all_channels) =
            (whole.rows, whole.taps, across_groups(g).channels_per_group() as usize);
        let mut channels = block;
        let mut taps = even_block(all_taps, (WEIGHT_COLUMNS / channels).clamp(1, all_taps), 1);
        let rows = even_block(all_rows, WEIGHT_ROWS, 16);
        let units = |taps: usize, channels: usize| {
            whole.groups * all_rows.div_ceil(rows) * all_taps.div_ceil(taps) * all_channels.div_ceil(channels)
        };
        // Smaller units, down to a width that still feeds the micro-kernel, until every thread has some.
        let smaller =
            |taps: usize, channels: usize| taps * channels > 2 * columns && (taps > 1 || channels.is_multiple_of(32));
        while threads > 1 && units(taps, channels) < 4 * threads && smaller(taps, channels) {
            if taps > 1 {
                taps = taps.div_ceil(2);
            } else {
                channels /= 2;
            }
        }
        Self {
            rows,
            taps,
            channels,
            row_blocks: all_rows.div_ceil(rows),
            tap_blocks: all_taps.div_ceil(taps),
            channel_blocks: all_channels.div_ceil(channels),
            ..whole
        }
    }

    /// Units as segments are, with their numbers, and all output channels of a group.
    pub fn of_segments(g: &Geometry, columns: usize, block: usize, sum: WeightSum) -> Self {
        let depthwise = g.is_depthwise();
        let g = &across_groups(g);
        let depth = sum.depth.min(g.positions() as usize);
        let images = if sum.by_image { 1 } else { g.n as usize };
        let tiles = images.saturating_mul((g.positions() as usize).div_ceil(depth));
        Self {
            rows: if depthwise { 1 } else { g.outputs_per_group() as usize },
            taps: g.taps() as usize,
            channels: block,
            sum: WeightSum { depth, ..sum },
            levels: if tiles > MAX_CHAIN { 2 } else { 1 },
            row_blocks: 1,
            tap_blocks: 1,
            channel_blocks: (g.channels_per_group() as usize).div_ceil(block),
            groups: g.groups as usize,
            columns,
            depthwise,
        }
    }

    pub fn units(&self) -> usize {
        self.groups * self.row_blocks * self.tap_blocks * self.channel_blocks
    }

    pub fn unit(&self, number: usize) -> WeightUnit {
        let (number, channel_block) = (number / self.channel_blocks, number % self.channel_blocks);
        let (number, tap_block) = (number / self.tap_blocks, number % self.tap_blocks);
        let (group, row_block) = (number / self.row_blocks, number % self.row_blocks);
        WeightUnit { group, row_block, tap_block, channel_block }
    }

    /// Columns of a unit, rounded up to whole panels, but not depthwise.
    pub fn padded_width(&self) -> usize {
        if self.depthwise {
            self.taps * self.channels
        } else {
            (self.taps * self.channels).next_multiple_of(self.columns)
        }
    }

    /// Elements of the accumulators of a unit.
    pub fn unit_len(&self) -> usize {
        self.rows * self.padded_width()
    }

    /// Elements of all levels of accumulators of so many units.
    pub fn acc_len(&self, units: usize) -> usize {
        units.saturating_mul(self.unit_len()).saturating_mul(self.levels)
    }

    /// Elements of all accumulators of so many units: those of so many images, and behind them what these are added up
    /// in.
    pub fn all_acc_len(&self, units: usize, images: usize) -> usize {
        if self.sum.by_image {
            let totals = units.saturating_mul(self.unit_len());
            self.acc_len(units).saturating_mul(images).saturating_add(totals)
        } else {
            self.acc_len(units)
        }
    }
}
