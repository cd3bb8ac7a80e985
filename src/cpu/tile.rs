//! Tiles: consecutive positions of one image of the output, which are worked on together.

#[derive(Clone, Copy, Default)]
pub struct Tile {
    pub n: usize,
    /// Number of the first position, p * Wo + q.
    pub first: usize,
    pub positions: usize,
    pub out_w: usize,
    /// The first position's row and column.
    row: usize,
    column: usize,
}

/// Positions of a tile that are neighbours in a row of the output.
#[derive(Clone, Copy)]
pub struct Run {
    /// Number of the first of them within the tile.
    pub at: usize,
    pub row: usize,
    pub column: usize,
    pub positions: usize,
}

impl Tile {
    pub fn new(n: usize, first: usize, positions: usize, out_w: usize) -> Self {
        Self { n, first, positions, out_w, row: first / out_w, column: first % out_w }
    }

    pub fn first_run(&self) -> Run {
        let Self { row, column, positions, out_w, .. } = *self;
        Run { at: 0, row, column, positions: positions.min(out_w - column) }
    }

    pub fn runs(&self) -> impl Iterator<Item = Run> + use<> {
        let Self { positions: all, out_w, .. } = *self;
        std::iter::successors((all > 0).then(|| self.first_run()), move |run| {
            let at = run.at + run.positions;
            (at < all).then(|| Run { at, row: run.row + 1, column: 0, positions: out_w.min(all - at) })
        })
    }
}
