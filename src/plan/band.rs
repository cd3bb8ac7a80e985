//! Bands: the taps, tiles and units of the column gradient whose partial sums of the gradients of offset and mask are
//! kept at a time. Taps and units fix an order of summation, so they are derived from problem and kernels alone; the
//! number of tiles fixes none.

use super::cuts::ChannelCut;
use std::iter::successors;

/// Partial sums take at most about this much for each image in flight.
const PARTIAL_BYTES: usize = 4 << 20;
/// Kernels write whole vectors behind the last position.
const PADDING: usize = 16;

/// The most of each that a band has.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    pub taps: usize,
    pub tiles: usize,
    pub units: usize,
    /// Rows of partial sums of the units.
    pub rows: usize,
    /// Rows behind those for what one band of units hands to the next.
    handed_rows: usize,
    /// Elements of one row of partial sums.
    pub stride: usize,
    /// Of a tile.
    positions: usize,
}

/// Neighbouring units, taps and tiles.
#[derive(Clone, Copy, Debug)]
pub struct BandPart {
    pub first_tap: usize,
    pub taps: usize,
    pub first_tile: usize,
    pub tiles: usize,
    pub first_unit: usize,
    pub units: usize,
    /// The deformable groups of their channels, and the number of the first row of partial sums.
    pub first_deformable_group: usize,
    pub deformable_groups: usize,
    pub first_row: usize,
}

impl Band {
    /// `size`: bytes of an element of the sums.
    pub fn new(channels: &ChannelCut, all_tiles: usize, positions: usize, size: usize) -> Self {
        // Positions that so many units and taps have room for.
        let room = |units: usize, taps: usize| PARTIAL_BYTES / (channels.rows(units) * 3).saturating_mul(taps * size);
        let stride = positions + PADDING;
        let fits = |&units: &usize| room(units, channels.tap_block) >= stride;
        let halves = |&units: &usize| (units > 1).then(|| units.div_ceil(2));
        let units = successors(Some(channels.units()), halves).find(fits).unwrap_or(1);
        let tap_blocks = room(units, channels.tap_block) / stride;
        let taps = tap_blocks.clamp(1, channels.tap_blocks()) * channels.tap_block;
        let taps = taps.min(channels.taps);
        let tiles = room(units, taps).saturating_sub(PADDING) / positions;
        let handed_rows = if units < channels.units() { 2 } else { 0 };
        let band = Self { taps, tiles: 0, units, rows: channels.rows(units), handed_rows, stride: 0, positions };
        band.with_tiles(tiles.clamp(1, all_tiles))
    }

    /// The same taps of all tiles and units: no partial sums are kept.
    pub fn without_sums(self, channels: &ChannelCut, all_tiles: usize) -> Self {
        Self { units: channels.units(), rows: 0, handed_rows: 0, ..self.with_tiles(all_tiles) }
    }

    pub fn with_tiles(self, tiles: usize) -> Self {
        Self { tiles, stride: tiles * self.positions + PADDING, ..self }
    }

    /// Elements of the partial sums of one image.
    pub fn partial_len(&self) -> usize {
        ((self.rows + self.handed_rows) * 3).saturating_mul(self.taps * self.stride)
    }

    /// All bands of an image, in order.
    pub fn parts(&self, channels: &ChannelCut, all_tiles: usize) -> impl Iterator<Item = BandPart> {
        let (band, channels) = (*self, *channels);
        let units = move || (0..channels.units()).step_by(band.units);
        let tiles = move || (0..all_tiles).step_by(band.tiles);
        let taps = (0..channels.taps).step_by(band.taps);
        let starts = taps.flat_map(move |tap| tiles().flat_map(move |tile| units().map(move |unit| (tap, tile, unit))));
        starts.map(move |(first_tap, first_tile, first_unit)| {
            let units = band.units.min(channels.units() - first_unit);
            let first_deformable_group = channels.deformable_group_of(channels.unit_channels(first_unit).start);
            let last = channels.deformable_group_of(channels.last_channel(first_unit + units - 1));
            BandPart {
                first_tap,
                taps: band.taps.min(channels.taps - first_tap),
                first_tile,
                tiles: band.tiles.min(all_tiles - first_tile),
                first_unit,
                units,
                first_deformable_group,
                deformable_groups: last + 1 - first_deformable_group,
                first_row: first_unit + first_deformable_group,
            }
        })
    }
}
