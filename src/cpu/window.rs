//! A window of an image: some rows of it, which one thread copies as it comes to sample them. It moves down the image,
//! so that what is copied stays in a cache: early, not when it is full, as rows that are moved are near again, and the
//! memory behind them stays untouched.

use super::images::{Blocks, Pixels};
use std::ops::Range;

/// Moves that a window takes at most to pass what it has room for.
const MOVES: i64 = 8;
/// An image of which so many samples were not held is given up: it is sampled without the window.
const MOST_REFUSALS: usize = 100;

/// Which rows a window holds. Its memory begins with row `first`.
struct Held {
    n: usize,
    first: i64,
    end: i64,
    /// Of the image.
    refusals: usize,
}

/// What has to be done before some rows are held.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    /// Rows that are held already, at another place: so many rows further behind.
    kept: Range<i64>,
    by: i64,
    /// Rows to be copied.
    missing: Range<i64>,
}

impl Held {
    const NOTHING: Self = Self { n: usize::MAX, first: 0, end: 0, refusals: 0 };

    /// Sees to it that there is room for some rows of image `n`, in a window of `room` rows. None where they are not
    /// held: see [`Held::step`]; or so often that the image is given up.
    fn hold(&mut self, n: usize, wanted: &Range<i64>, room: i64) -> Option<Step> {
        if self.n != n {
            *self = Self { n, ..Self::NOTHING };
        }
        let step = if self.refusals < MOST_REFUSALS { self.step(wanted, room) } else { None };
        if step.is_none() {
            self.refusals += 1;
            if self.refusals == MOST_REFUSALS {
                self.end = self.first;
            }
        }
        step
    }

    /// None where the window stays where it is and has no room: the rows are too far apart, above it, or so little
    /// below its end that moving is not worth it. As it moves down only, no row of an image is copied twice.
    fn step(&mut self, wanted: &Range<i64>, room: i64) -> Option<Step> {
        let len = wanted.end - wanted.start;
        if len > room {
            return None;
        }
        // Other samples of the same positions reach a little higher.
        let first = (wanted.start - (room - len).min(len / 3)).max(0);
        let mut step = Step { kept: 0..0, by: 0, missing: 0..0 };
        if self.first == self.end {
            (self.first, self.end) = (first, first);
        } else if wanted.end > self.end && first > self.first + room / MOVES {
            if first < self.end {
                (step.kept, step.by) = (first..self.end, first - self.first);
            }
            (self.first, self.end) = (first, self.end.max(first));
        } else if wanted.start < self.first || self.first + room < wanted.end {
            return None;
        }
        step.missing = self.end..wanted.end.max(self.end);
        self.end = step.missing.end;
        Some(step)
    }
}

/// The memory of a window.
#[derive(Clone, Copy)]
pub struct Window<C> {
    held: *mut Held,
    pixels: *mut C,
    /// Rows that there is room for, and pixels of each.
    room: i64,
    width: usize,
}

impl<C> Window<C> {
    /// Bytes of what a window knows of itself.
    pub const STATE_BYTES: usize = size_of::<Held>();

    /// `state`: STATE_BYTES, aligned to 8; `pixels`: room for so many rows of so many pixels.
    pub fn new(state: *mut u8, pixels: *mut C, rows: usize, width: usize) -> Self {
        Self { held: state.cast(), pixels, room: rows as i64, width }
    }

    /// Nothing is held from now on.
    ///
    /// # Safety
    ///
    /// The memory is there, and nobody else uses it; this holds for all of a window's methods.
    pub unsafe fn forget(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.held.write(Held::NOTHING) };
    }

    /// The rows of image `n` that can be sampled.
    ///
    /// # Safety
    ///
    /// As [`Window::forget`], which was called before.
    pub unsafe fn rows(&self, n: usize) -> Range<i64> {
        // SAFETY: the caller's promise.
        let held = unsafe { &*self.held };
        if held.n == n { held.first..held.end } else { 0..0 }
    }

    /// Makes room for rows of image `n`: the pixels to be copied now, or None where they are not held.
    ///
    /// # Safety
    ///
    /// As [`Window::rows`]; the blocks are always the same, of `channels` channels in all.
    pub unsafe fn hold(
        &self,
        n: usize,
        rows: &Range<i64>,
        (blocks, channels): (&Blocks, usize),
    ) -> Option<Range<usize>> {
        // SAFETY: the caller's promise; what is kept was and is within the window.
        unsafe {
            let Step { kept, by, missing } = (*self.held).hold(n, rows, self.room)?;
            let pixels = |rows: &Range<i64>| rows.start as usize * self.width..rows.end as usize * self.width;
            if !kept.is_empty() {
                for block in blocks.all(channels) {
                    let to = self.at(pixels(&kept).start, &block);
                    let from = to.add(by as usize * self.width * block.len());
                    from.copy_to(to, pixels(&kept).len() * block.len());
                }
            }
            Some(pixels(&missing))
        }
    }

    /// Where a block of channels of a pixel is that the window has room for.
    ///
    /// # Safety
    ///
    /// As [`Window::rows`].
    pub unsafe fn at(&self, pixel: usize, block: &Range<usize>) -> *mut C {
        // SAFETY: the caller's promise.
        unsafe {
            let before = (*self.held).first as usize * self.width;
            self.pixels.add(block.start * self.room as usize * self.width + (pixel - before) * block.len())
        }
    }

    /// All pixels of a block of channels, as if they were there.
    ///
    /// # Safety
    ///
    /// As [`Window::rows`].
    pub unsafe fn block(&self, block: &Range<usize>) -> Pixels<C> {
        // SAFETY: the caller's promise.
        let before = unsafe { (*self.held).first as usize * self.width * block.len() };
        let first = self.pixels.wrapping_add(block.start * self.room as usize * self.width);
        Pixels { first: first.wrapping_sub(before + block.start), stride: block.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: i64 = 16;

    fn window() -> Held {
        let mut held = Held::NOTHING;
        assert_eq!(held.hold(0, &(4..8), ROOM), copies(3..8));
        held
    }

    fn copies(missing: Range<i64>) -> Option<Step> {
        Some(Step { kept: 0..0, by: 0, missing })
    }

    #[test]
    fn rows_are_copied_once() {
        let mut held = window();
        assert_eq!(held.hold(0, &(4..7), ROOM), copies(8..8));
        assert_eq!(held.hold(0, &(7..18), ROOM), copies(8..18));
        assert_eq!(held.hold(0, &(3..19), ROOM), copies(18..19));
        assert_eq!(held.hold(0, &(12..20), ROOM), Some(Step { kept: 10..19, by: 7, missing: 19..20 }));
        assert_eq!((held.first, held.end), (10, 20));
    }

    #[test]
    fn it_moves_before_it_is_full() {
        let mut held = window();
        assert_eq!(held.hold(0, &(6..10), ROOM), copies(8..10));
        assert_eq!(held.hold(0, &(7..10), ROOM), copies(10..10));
        assert_eq!(held.hold(0, &(7..11), ROOM), Some(Step { kept: 6..10, by: 3, missing: 10..11 }));
    }

    #[test]
    fn it_stays_where_moving_is_not_worth_it() {
        let mut held = window();
        for elsewhere in [0..3, 8..21, 2..19, 0..100] {
            assert_eq!(held.hold(0, &elsewhere, ROOM), None, "{elsewhere:?}");
        }
        assert_eq!(held.hold(0, &(5..9), ROOM), copies(8..9));
    }

    #[test]
    fn an_image_that_it_seldom_holds_is_given_up() {
        let mut held = window();
        (0..MOST_REFUSALS).for_each(|_| assert_eq!(held.hold(0, &(0..100), ROOM), None));
        assert_eq!(held.hold(0, &(4..8), ROOM), None);
        assert!(held.first == held.end);
        assert_eq!(held.hold(1, &(4..8), ROOM).unwrap().missing, 3..8);
    }

    #[test]
    fn another_image_is_another_window() {
        let mut held = window();
        assert_eq!(held.hold(1, &(0..100), ROOM), None);
        assert_eq!(held.hold(1, &(0..5), ROOM).unwrap().missing, 0..5);
    }

    #[test]
    fn whatever_is_held_was_copied_to_its_place() {
        let mut held = Held::NOTHING;
        // Image and row at each place.
        let mut memory = [(usize::MAX, 0); ROOM as usize];
        let (mut moves, mut refused) = (0, 0);
        for step in 0..10_000_i64 {
            // Down each image in a hundred steps, now and then further.
            let (n, first) = ((step / 100) as usize, step % 100 / 2 + (step * 7919) % 7);
            let wanted = first..first + 1 + (step * 104_729) % if step % 11 == 0 { 30 } else { 8 };
            let Some(Step { kept, by, missing }) = held.hold(n, &wanted, ROOM) else {
                refused += 1;
                continue;
            };
            moves += usize::from(!kept.is_empty());
            kept.for_each(|row| memory[(row - held.first) as usize] = memory[(row - held.first + by) as usize]);
            missing.for_each(|row| memory[(row - held.first) as usize] = (n, row));
            assert!(held.first <= wanted.start && wanted.end <= held.end);
            (held.first..held.end).for_each(|row| assert_eq!(memory[(row - held.first) as usize], (n, row)));
        }
        assert!(moves > 100 && refused > 100, "{moves} moves, {refused} refused");
    }
}
