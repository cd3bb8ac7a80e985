//! How a batch is cut: slabs of images, whose copies lie in the workspace at once, and chunks of a slab, whose col
//! matrix does. Derived from the problem alone.

use super::tiling::Chunk;
use crate::problem::Geometry;

/// Most bytes of buffers whose size is ours to choose.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a slab's copy of x.
    pub slab: i64,
    /// Of a chunk's col matrix: what was sampled should still be in the second-level cache when it is multiplied.
    pub col: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { slab: 32 << 20, col: 32 << 20 }
    }
}

/// A part of an image is a multiple of this many positions, which is what a task of the sampling kernels takes.
const SEGMENT: i64 = 64;
const FLOAT: i64 = size_of::<f32>() as i64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// N.
    batch: i64,
    /// Ho*Wo.
    plane: i64,
    /// Most images of a slab.
    pub slab_images: i64,
    /// Most images of a chunk; where it is 1, most positions.
    chunk_images: i64,
    chunk_positions: i64,
}

/// Images `first..first + images` of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slab {
    pub first: i64,
    pub images: i64,
}

impl Cut {
    /// `copied`: x is, so that slabs must be bounded.
    pub fn new(g: &Geometry, copied: bool, limits: Limits) -> Self {
        let (batch, plane) = (g.n, g.positions());
        let image = (g.c * g.h * g.w).saturating_mul(FLOAT);
        let row = (g.c.saturating_mul(g.taps())).saturating_mul(FLOAT);
        let slab_images = if copied { (limits.slab / image).clamp(1, batch.max(1)) } else { batch.max(1) };
        let rows = limits.col / row;
        let chunk_images = (rows / plane).clamp(1, slab_images);
        let whole = rows >= plane;
        let chunk_positions = if whole { plane } else { (rows / SEGMENT * SEGMENT).max(SEGMENT).min(plane) };
        Self { batch, plane, slab_images, chunk_images, chunk_positions }
    }

    pub fn slabs(&self) -> impl Iterator<Item = Slab> + use<> {
        let (batch, most) = (self.batch, self.slab_images);
        parts(batch, most).map(|(first, images)| Slab { first, images })
    }

    /// The chunks of a slab of so many images; they count images from its first one.
    pub fn chunks(&self, images: i64) -> impl Iterator<Item = Chunk> + use<> {
        let Self { plane, chunk_images, chunk_positions, .. } = *self;
        parts(images, chunk_images).flat_map(move |(image, images)| {
            parts(plane, chunk_positions).map(move |(first, positions)| Chunk { image, images, first, positions })
        })
    }

    /// R of the largest chunk.
    pub fn most_rows(&self) -> i64 {
        self.chunk_images * self.chunk_positions
    }

    /// Every R that chunks have.
    pub fn distinct_rows(&self) -> Vec<i64> {
        // Slabs are alike but the last one, chunks of an image but the last one.
        let last = self.batch % self.slab_images;
        let slabs = [self.slab_images, last];
        let images: Vec<i64> =
            slabs.iter().flat_map(|&slab| [self.chunk_images.min(slab), slab % self.chunk_images]).collect();
        let positions = [self.chunk_positions, self.plane % self.chunk_positions];
        let mut rows: Vec<i64> =
            images.iter().flat_map(|&images| positions.map(|positions| images * positions)).collect();
        rows.sort_unstable();
        rows.dedup();
        rows.retain(|&rows| rows > 0);
        rows
    }
}

/// 0..all in parts of at most `most`.
fn parts(all: i64, most: i64) -> impl Iterator<Item = (i64, i64)> {
    (0..all).step_by(most as usize).map(move |first| (first, most.min(all - first)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn geometry(n: i64, c: i64, plane: (i64, i64), out: (i64, i64), taps: i64) -> Geometry {
        Geometry {
            n,
            c,
            h: plane.0,
            w: plane.1,
            o: 1,
            out_h: out.0,
            out_w: out.1,
            kernel_h: taps,
            kernel_w: 1,
            stride_h: 1,
            stride_w: 1,
            pad_top: 0,
            pad_left: 0,
            pad_bottom: 0,
            pad_right: 0,
            dilation_h: 1,
            dilation_w: 1,
            groups: 1,
            deformable_groups: 1,
        }
    }

    #[test]
    fn the_published_shape_is_cut_into_parts_of_images() {
        // 18 x 256 x 58 x 100, 3 x 3: a row of col is 9 KiB.
        let cut = Cut::new(&geometry(18, 256, (58, 100), (58, 100), 9), true, Limits::default());
        assert_eq!(cut.slab_images, 5);
        assert_eq!((cut.chunk_images, cut.chunk_positions), (1, 3584));
        assert_eq!(cut.distinct_rows(), [5800 - 3584, 3584]);
        let images: Vec<i64> = cut.slabs().map(|slab| slab.images).collect();
        assert_eq!(images, [5, 5, 5, 3]);
    }

    #[test]
    fn small_images_share_a_chunk() {
        let cut = Cut::new(
            &geometry(70, 16, (10, 10), (10, 10), 9),
            true,
            Limits { slab: 16 * 400 * 32, col: 9 * 64 * 1000 },
        );
        assert_eq!((cut.slab_images, cut.chunk_images, cut.chunk_positions), (32, 10, 100));
        assert_eq!(cut.distinct_rows(), [200, 600, 1000]);
    }

    #[test]
    fn huge_rows_still_come_in_segments() {
        let cut = Cut::new(&geometry(1, 1 << 20, (1, 1), (20, 20), 1 << 15), true, Limits::default());
        assert_eq!(cut.most_rows(), 64);
    }

    #[test]
    fn an_empty_batch_has_no_slabs() {
        let cut = Cut::new(&geometry(0, 3, (4, 4), (4, 4), 9), true, Limits::default());
        assert_eq!(cut.slabs().count(), 0);
    }

    proptest! {
        // Files of earlier failures would be looked for in the folder of the sources.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn chunks_cover_every_position_once(
            n in 0..9i64, c in 1..5i64, h in 1..30i64, w in 1..30i64, taps in 1..10i64,
            slab in 1..20000i64, col in 1..60000i64, copied: bool,
        ) {
            let g = geometry(n, c, (h, w), (h, w), taps);
            let limits = Limits { slab, col };
            let cut = Cut::new(&g, copied, limits);
            let mut seen = vec![0; (n * h * w) as usize];
            for slab in cut.slabs() {
                prop_assert!(slab.images <= cut.slab_images);
                for chunk in cut.chunks(slab.images) {
                    prop_assert!(chunk.rows() > 0 && chunk.rows() <= cut.most_rows());
                    prop_assert!(cut.distinct_rows().contains(&chunk.rows()));
                    prop_assert!(chunk.rows() * c * taps * 4 <= col || chunk.rows() <= 64);
                    let whole = chunk.first == 0 && chunk.positions == h * w;
                    prop_assert!(whole || chunk.images == 1 && chunk.first % 64 == 0);
                    for image in chunk.image..chunk.image + chunk.images {
                        for position in chunk.first..chunk.first + chunk.positions {
                            seen[((slab.first + image) * h * w + position) as usize] += 1;
                        }
                    }
                }
            }
            prop_assert!(seen.iter().all(|&times| times == 1));
        }
    }
}
