//! How a forward problem is cut: tiles of positions, blocks of the sum, panels of output channels. Derived from problem
//! and kernels alone, so that the order of every sum is.

use super::arena::LINE;
use super::sharing::Sharing;
use crate::cpu::kernels::MAX_DEPTHWISE_TAPS;
use crate::cpu::tile::Tile;
use crate::problem::Geometry;
use std::iter::successors;
use std::ops::Range;

/// Longest chain of additions before it is added into the next level (the contract's error bound rests on it).
pub const MAX_CHAIN: usize = 256;
/// Positions of a tile: enough for a packed weight panel, loaded once, to be used many times; few enough for the im2col
/// tile and the accumulators to stay in the second-level cache. With few output channels to a group they may be more.
const TILE_POSITIONS: usize = 96;
const MORE_POSITIONS: usize = 144;
const FEW_OUTPUTS: i64 = 192;
/// Part of the cost of all tiles that is added where they start within a cache line of offset, mask and y, which two
/// tiles then touch.
const UNALIGNED_COST: usize = 50;
/// Channels of a small deformable group are a multiple of this: whole vectors, or half ones.
pub const GROUP_CHANNELS: usize = 8;
/// Channels that a depthwise tile takes at a time.
const DEPTHWISE_CHANNELS: usize = 64;
/// Accumulators of a tile take at most this much of a thread's workspace.
const ACC_BYTES: usize = 2 << 20;
/// Accumulators of a strip of tiles, likewise, and their output channels, which are few so that the positions are many:
/// packing the weights pays for itself over positions, sampling over output channels.
const STRIP_BYTES: usize = 4 << 20;
const STRIP_COLUMNS: usize = 512;
/// Remembered sampling coordinates take at most this much of a thread's workspace.
const COORDINATE_BYTES: usize = 256 << 10;

/// A block of the sum over taps and channels of one group: taps outside, channels inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthBlock {
    pub first_tap: usize,
    pub taps: usize,
    pub first_channel: usize,
    pub channels: usize,
}

impl DepthBlock {
    pub fn depth(&self) -> usize {
        self.taps * self.channels
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    /// Positions of a tile.
    pub positions: usize,
    /// Tiles of a strip, which share each panel of weights while it is packed; 1 where weights are packed beforehand.
    pub strip: usize,
    /// Kernel taps K and channels of a group C/G: the sum's two dimensions, and the block sizes they are cut into.
    pub taps: usize,
    pub channels: usize,
    tap_block: usize,
    channel_block: usize,
    /// Output channels of a panel, panels of a group, and how many of them share one sampling.
    pub columns: usize,
    pub panels: usize,
    pub panel_block: usize,
    /// Levels of accumulators that the sum over depth blocks needs.
    pub levels: usize,
    /// Taps (of all deformable groups) whose coordinates a thread remembers.
    pub coordinate_slots: usize,
}

impl Tiling {
    /// `rows` x `columns` is the micro-kernel, `size` the bytes of an element of the sum, where
    /// threads share few tiles they become smaller, which changes no bit of the result.
    pub fn new(geometry: &Geometry, rows: usize, columns: usize, size: usize, sharing: &Sharing) -> Self {
        let (taps, channels) = (geometry.taps() as usize, geometry.channels_per_group() as usize);
        let groups = geometry.groups as usize;
        let [tap_block, channel_block] = depth_block(geometry, size);
        let blocks = taps.div_ceil(tap_block) * channels.div_ceil(channel_block);
        let levels = levels(blocks);
        let panels = (geometry.outputs_per_group() as usize).div_ceil(columns);
        let positions = tile_positions(geometry, rows, size, sharing);
        let panel_block = (ACC_BYTES / (levels * positions * columns * size)).clamp(1, panels);
        // Coordinates serve again in the next group, or the next block of panels; within one the order of the sum
        // already brings all uses of a tap together.
        let all = geometry.deformable_groups as usize * taps;
        let slot_bytes = 4 * positions * (size_of::<i32>() + size);
        let reused = groups > 1 || panel_block < panels;
        let coordinate_slots = if reused { (COORDINATE_BYTES / slot_bytes).clamp(1, all) } else { 1 };
        Self {
            positions,
            strip: 1,
            taps,
            channels,
            tap_block,
            channel_block,
            columns,
            panels,
            panel_block,
            levels,
            coordinate_slots,
        }
    }

    /// For groups of one channel and one output channel (depthwise): panels of output channels across groups, the taps
    /// in blocks of those that one kernel call takes.
    pub fn depthwise(geometry: &Geometry, rows: usize, columns: usize, size: usize, sharing: &Sharing) -> Self {
        let flat = Geometry { c: 1, groups: 1, ..*geometry };
        let tiling = Self::new(&flat, rows, columns, size, sharing);
        let panel_block = (DEPTHWISE_CHANNELS / columns).min(tiling.panels);
        let tap_block = even_block(tiling.taps, MAX_DEPTHWISE_TAPS, 1);
        let slot_bytes = 4 * tiling.positions * (size_of::<i32>() + size);
        let all = geometry.deformable_groups as usize * tiling.taps;
        let kept = if panel_block < tiling.panels { all } else { tap_block };
        let coordinate_slots = (COORDINATE_BYTES / slot_bytes).clamp(tap_block, kept);
        Self { tap_block, levels: levels(tiling.taps.div_ceil(tap_block)), panel_block, coordinate_slots, ..tiling }
    }

    /// The same sums for weights that are packed anew for each strip of tiles, at most `most` of them.
    pub fn in_strips(self, size: usize, most: usize) -> Self {
        let panel_block = (STRIP_COLUMNS / self.columns).clamp(1, self.panel_block);
        let tile_bytes = self.levels * self.positions * panel_block * self.columns * size;
        let strip = (STRIP_BYTES / tile_bytes).clamp(1, most);
        // Tiles of a strip take turns, so that nothing is remembered of one beyond a block of the sum.
        let coordinate_slots = self.coordinate_slots.min(if strip > 1 { self.tap_block } else { usize::MAX });
        Self { strip, panel_block, coordinate_slots, ..self }
    }

    /// Tiles of an image.
    pub fn tiles(&self, geometry: &Geometry) -> usize {
        (geometry.positions() as usize).div_ceil(self.positions)
    }

    /// Tile number `tile` of image `n`.
    pub fn tile(&self, geometry: &Geometry, n: usize, tile: usize) -> Tile {
        let first = tile * self.positions;
        let positions = self.positions.min(geometry.positions() as usize - first);
        Tile::new(n, first, positions, geometry.out_w as usize)
    }

    /// The blocks of the sum, in the order they are added.
    pub fn depth_blocks(&self) -> impl Iterator<Item = DepthBlock> + '_ {
        (0..self.taps).step_by(self.tap_block).flat_map(move |first_tap| {
            (0..self.channels).step_by(self.channel_block).map(move |first_channel| DepthBlock {
                first_tap,
                taps: self.tap_block.min(self.taps - first_tap),
                first_channel,
                channels: self.channel_block.min(self.channels - first_channel),
            })
        })
    }

    /// The channels of the blocks of a tap.
    pub fn channel_blocks(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let first = (0..self.channels).step_by(self.channel_block);
        first.map(move |first| first..self.channels.min(first + self.channel_block))
    }

    /// The blocks of the sum that have these channels.
    pub fn tap_blocks(&self, channels: &Range<usize>) -> impl Iterator<Item = DepthBlock> + use<> {
        let (all, most, first_channel, channels) = (self.taps, self.tap_block, channels.start, channels.len());
        let first = (0..all).step_by(most);
        first.map(move |first_tap| DepthBlock { first_tap, taps: most.min(all - first_tap), first_channel, channels })
    }

    pub fn depth_block_count(&self) -> usize {
        self.taps.div_ceil(self.tap_block) * self.channels.div_ceil(self.channel_block)
    }

    pub fn max_depth(&self) -> usize {
        self.tap_block * self.channel_block
    }

    /// Terms of the sum before a block: where its packed weights start, in rows of a panel.
    pub fn depth_before(&self, block: &DepthBlock) -> usize {
        block.first_tap * self.channels + block.taps * block.first_channel
    }

    /// Elements of one level of accumulators of a tile.
    pub fn acc_tile(&self) -> usize {
        self.panel_block * self.positions * self.columns
    }

    /// Elements of one level of accumulators of a strip.
    pub fn acc_level(&self) -> usize {
        self.strip * self.acc_tile()
    }

    /// Elements of the packed weights of a depth block of the panels that share one sampling.
    pub fn packed_block(&self) -> usize {
        self.panel_block * self.columns * self.max_depth()
    }

    /// Elements of the packed weights of one panel.
    pub fn packed_panel(&self) -> usize {
        self.columns.saturating_mul(self.taps * self.channels)
    }

    /// Elements of the packed weights of one group.
    pub fn packed_group(&self) -> usize {
        self.panels.saturating_mul(self.packed_panel())
    }

    /// Block sizes and panel width: with shape and type all that the packed weight layout depends on.
    pub fn packed_layout(&self) -> [usize; 3] {
        [self.tap_block, self.channel_block, self.columns]
    }
}

/// Taps and channels of a block of the sum: some taps of all channels, or a tap of some channels where those are too
/// many. Small deformable groups, of which one or several fill a cache line of the im2col tile, are taken by the line
/// and with all their taps, which sample the same pixels, unless there are so many output channels that longer sums
/// matter more.
fn depth_block(geometry: &Geometry, size: usize) -> [usize; 2] {
    let (taps, channels) = (geometry.taps() as usize, geometry.channels_per_group() as usize);
    let (line, together) = (LINE / size, geometry.channels_per_deformable_group() as usize);
    let are_small = together.is_multiple_of(GROUP_CHANNELS) && line.is_multiple_of(together) && line < channels;
    let has_taps = (2..=MAX_CHAIN / line).contains(&taps);
    if are_small && has_taps && geometry.outputs_per_group() <= FEW_OUTPUTS {
        return [taps, line];
    }
    let channel_block = even_block(channels, MAX_CHAIN, 16);
    [if channel_block < channels { 1 } else { (MAX_CHAIN / channels).clamp(1, taps) }, channel_block]
}

/// Levels of accumulators for sums of so many blocks.
fn levels(blocks: usize) -> usize {
    successors(Some(blocks), |&n| (n > MAX_CHAIN).then(|| n.div_ceil(MAX_CHAIN))).count()
}

/// The smallest multiple of `granule` that cuts `n` into as few blocks as `limit` does; `n` itself if it fits.
pub fn even_block(n: usize, limit: usize, granule: usize) -> usize {
    if n <= limit { n } else { n.div_ceil(n.div_ceil(limit)).next_multiple_of(granule).min(limit) }
}

/// As many as pay, or fewer where the threads then get more equal shares.
fn tile_positions(geometry: &Geometry, rows: usize, size: usize, sharing: &Sharing) -> usize {
    let all = geometry.positions() as usize;
    let most = if geometry.outputs_per_group() <= FEW_OUTPUTS { MORE_POSITIONS } else { TILE_POSITIONS };
    let most = (most * size_of::<f32>() / size).next_multiple_of(rows);
    let even = |most: usize| all.div_ceil(all.div_ceil(most)).next_multiple_of(rows).min(most);
    let cost = |&positions: &usize| {
        let cost = sharing.cost(all, positions);
        if (positions * size).is_multiple_of(LINE) { cost } else { cost + cost / UNALIGNED_COST }
    };
    (2..=most / rows).rev().map(|blocks| even(blocks * rows)).min_by_key(cost).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const F32: usize = size_of::<f32>();
    const F64: usize = size_of::<f64>();

    /// `c` channels and `o` output channels in `groups` groups, a square kernel of `side` taps each way.
    fn geometry(c: i64, o: i64, groups: i64, deformable_groups: i64, side: i64) -> Geometry {
        Geometry {
            n: 1,
            c,
            h: 50,
            w: 50,
            o,
            out_h: 50,
            out_w: 50,
            kernel_h: side,
            kernel_w: side,
            stride_h: 1,
            stride_w: 1,
            pad_top: side / 2,
            pad_left: side / 2,
            pad_bottom: side / 2,
            pad_right: side / 2,
            dilation_h: 1,
            dilation_w: 1,
            groups,
            deformable_groups,
        }
    }

    /// One group, 3 x 3 taps.
    fn small(c: i64, o: i64, deformable_groups: i64) -> Geometry {
        geometry(c, o, 1, deformable_groups, 3)
    }

    #[test]
    fn small_deformable_groups_are_taken_by_the_line_with_all_taps() {
        for geometry in [small(64, 64, 8), small(64, 64, 4), small(32, 192, 4), geometry(128, 384, 2, 16, 3)] {
            assert_eq!(depth_block(&geometry, F32), [9, 16], "{geometry:?}");
        }
        // Of f64 a line has 8. 4 x 4 taps of 16 channels are just not too many.
        assert_eq!(depth_block(&small(64, 64, 8), F64), [9, 8]);
        assert_eq!(depth_block(&geometry(64, 64, 1, 8, 4), F32), [16, 16]);
    }

    #[test]
    fn other_groups_are_taken_with_as_many_channels_as_there_are() {
        // Deformable groups of 12 channels, of 4, of two lines; of 8, which are all there are.
        for geometry in [small(48, 64, 4), small(64, 64, 16), small(64, 64, 2), small(8, 64, 1)] {
            let channels = geometry.c as usize;
            assert_eq!(depth_block(&geometry, F32), [(MAX_CHAIN / channels).min(9), channels], "{geometry:?}");
        }
        assert_eq!(depth_block(&small(64, 64, 4), F64), [4, 64]);
        // More output channels than few; more taps than a sum may have terms.
        assert_eq!(depth_block(&small(64, FEW_OUTPUTS + 1, 8), F32), [4, 64]);
        assert_eq!(depth_block(&geometry(64, 64, 1, 8, 5), F32), [4, 64]);
        // A kernel of one tap, which shares no pixels with others.
        assert_eq!(depth_block(&geometry(64, 64, 1, 8, 1), F32), [1, 64]);
        // One tap of some of the channels, where these are too many.
        assert_eq!(depth_block(&small(512, 512, 1), F32), [1, 256]);
        assert_eq!(depth_block(&small(520, 512, 65), F32), [1, 176]);
    }

    #[test]
    fn no_block_is_longer_than_a_chain_of_additions() {
        for (c, o) in [(16, 16), (64, 64), (64, 256), (96, 96), (520, 64), (4096, 64)] {
            for deformable_groups in (1..=c).filter(|groups| c % groups == 0) {
                for side in [1, 2, 3, 4, 5, 7, 17] {
                    let geometry = geometry(c, o, 1, deformable_groups, side);
                    for size in [F32, F64] {
                        let [taps, channels] = depth_block(&geometry, size);
                        assert!(taps * channels <= MAX_CHAIN, "{taps} x {channels} of {geometry:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn blocks_are_the_same_by_channels() {
        for (c, o, side) in [(64, 64, 3), (520, 64, 3), (520, 64, 1), (7, 5, 17)] {
            let tiling = Tiling::new(&geometry(c, o, 1, 1, side), 6, 16, F32, &Sharing::alone(1));
            let blocks: Vec<_> = tiling.depth_blocks().collect();
            let channels: Vec<_> = tiling.channel_blocks().collect();
            let mut by_channels: Vec<_> = channels.iter().flat_map(|channels| tiling.tap_blocks(channels)).collect();
            by_channels.sort_by_key(|block| (block.first_tap, block.first_channel));
            assert_eq!(by_channels, blocks, "{c} channels, {side} x {side} taps");
        }
    }
}
