//! Bilinear sampling at one place.

use crate::cpu::element::Compute;

/// A sample in range: the pixel above and left of it, and how far below and right of that it is.
#[derive(Clone, Copy)]
pub(super) struct Sample<C> {
    row: i64,
    column: i64,
    ly: C,
    lx: C,
}

/// A corner inside the image.
#[derive(Clone, Copy)]
pub(super) struct Corner<C> {
    /// 2a + b for the corner a rows down and b columns right.
    pub number: usize,
    pub row: i64,
    pub column: i64,
    pub weight: C,
}

impl<C: Compute> Sample<C> {
    /// None if the place is not in range.
    pub fn at(y: C, x: C, [h, w]: [i64; 2]) -> Option<Self> {
        let inside = |v: C, size: i64| -C::ONE < v && v < C::from_i64(size);
        if !(inside(y, h) && inside(x, w)) {
            return None;
        }
        let (y0, x0) = (y.floor(), x.floor());
        Some(Self { row: y0.to_i64(), column: x0.to_i64(), ly: y - y0, lx: x - x0 })
    }

    /// The corners that are inside an image of h x w pixels.
    pub fn corners(self, [h, w]: [i64; 2]) -> impl Iterator<Item = Corner<C>> {
        let Self { row, column, ly, lx } = self;
        let corners = [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().map(move |(a, b)| Corner {
            number: 2 * a + b,
            row: row + a as i64,
            column: column + b as i64,
            weight: [C::ONE - ly, ly][a] * [C::ONE - lx, lx][b],
        });
        corners.filter(move |corner| (0..h).contains(&corner.row) && (0..w).contains(&corner.column))
    }

    /// S and its derivatives by y and x, from values at the corners.
    pub fn value_and_slopes(self, [v00, v01, v10, v11]: [C; 4]) -> [C; 3] {
        let Self { ly, lx, .. } = self;
        let (hy, hx) = (C::ONE - ly, C::ONE - lx);
        let value = hy * (hx * v00 + lx * v01) + ly * (hx * v10 + lx * v11);
        [value, hx * (v10 - v00) + lx * (v11 - v01), hy * (v01 - v00) + ly * (v11 - v10)]
    }
}
