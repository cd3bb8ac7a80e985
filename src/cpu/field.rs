//! Offset or mask at the positions of a tile, one channel at a time: read where it is, or copied.

use super::element::Element;
use super::prefetch::prefetch_read;
use super::tile::Tile;
use crate::plan::arena::LINE;
use crate::problem::Tensor;

/// The tensor and where its element [0, 0, 0, 0] is.
#[derive(Clone, Copy)]
pub struct Field<'a, T> {
    pub tensor: &'a Tensor,
    pub data: *const T,
}

impl<T: Element> Field<'_, T> {
    /// The values of a channel: where they are if they are neighbours there, else copied to `copy`.
    ///
    /// # Safety
    ///
    /// The data covers the tensor, tile and channel exist, `copy` has room for the positions.
    pub unsafe fn values(&self, tile: &Tile, channel: usize, copy: *mut T) -> *const T {
        if self.are_neighbours(tile) {
            return self.first(tile, channel);
        }
        let [sn, sc, sh, sw, _] = self.tensor.strides.map(|stride| stride as isize);
        // SAFETY: positions of this image's plane of the channel.
        unsafe {
            let plane = self.data.offset(tile.n as isize * sn + channel as isize * sc);
            for run in tile.runs() {
                let from = plane.offset(run.row as isize * sh + run.column as isize * sw);
                let to = copy.add(run.at);
                if sw == 1 {
                    from.copy_to_nonoverlapping(to, run.positions);
                } else {
                    (0..run.positions as isize).for_each(|p| *to.offset(p) = *from.offset(p * sw));
                }
            }
        }
        copy
    }

    /// Asks for the values of a channel that is read soon.
    pub fn prefetch(&self, tile: &Tile, channel: usize) {
        if self.are_neighbours(tile) {
            let first = self.first(tile, channel);
            let lines = (0..tile.positions * size_of::<T>()).step_by(LINE);
            lines.for_each(|at| prefetch_read(first.wrapping_byte_add(at)));
        }
    }

    fn first(&self, tile: &Tile, channel: usize) -> *const T {
        let [sn, sc, sh, sw, _] = self.tensor.strides.map(|stride| stride as isize);
        let plane = self.data.wrapping_offset(tile.n as isize * sn + channel as isize * sc);
        let run = tile.first_run();
        plane.wrapping_offset(run.row as isize * sh + run.column as isize * sw)
    }

    /// Whether the values of a channel are.
    fn are_neighbours(&self, tile: &Tile) -> bool {
        let [_, _, sh, sw, _] = self.tensor.strides;
        sw == 1 && (sh == tile.out_w as i64 || tile.first_run().positions == tile.positions)
    }
}
