//! What kernels are given and what they return: a few rows of elements in guarded memory.

use super::guarded::{Guarded, POISON, Place};
use super::values::{Number, Value};
use std::marker::PhantomData;

/// Rows of elements, `stride` apart, with poison between them.
pub struct Operand<N> {
    memory: Guarded,
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
    element: PhantomData<N>,
}

impl<N: Number> Operand<N> {
    /// Full of poison.
    pub fn new([rows, columns]: [usize; 2], stride: usize, place: Place) -> Self {
        Self::unaligned([rows, columns], stride, place, 0)
    }

    /// With so many bytes before it, if it is to lie at the start of its pages.
    pub fn unaligned([rows, columns]: [usize; 2], stride: usize, place: Place, behind: usize) -> Self {
        assert!(columns <= stride || rows == 1);
        let len = (rows - 1) * stride + columns;
        let memory = Guarded::new(len * size_of::<N>(), place, behind);
        Self { memory, rows, columns, stride, element: PhantomData }
    }

    pub fn row(values: impl ExactSizeIterator<Item = N>, place: Place) -> Self {
        let mut values = values;
        Self::new([1, values.len()], values.len(), place).filled(|_, _| values.next().expect("as many as its length"))
    }

    pub fn filled(self, mut value: impl FnMut(usize, usize) -> N) -> Self {
        for row in 0..self.rows {
            for column in 0..self.columns {
                // SAFETY: an element.
                unsafe { self.at(row, column).write_unaligned(value(row, column)) };
            }
        }
        self
    }

    /// The same elements, changed, in memory of their own.
    pub fn map(&self, place: Place, change: impl Fn(N) -> N) -> Self {
        let shape = [self.rows, self.columns];
        Self::new(shape, self.stride, place).filled(|row, column| change(self.get(row, column)))
    }

    /// As [`Self::map`], with columns of `beyond` added to each row, and no gaps.
    pub fn widened(&self, columns: usize, beyond: N, place: Place, change: impl Fn(N) -> N) -> Self {
        let value = |row, column| if column < self.columns { change(self.get(row, column)) } else { beyond };
        Self::new([self.rows, columns], columns, place).filled(value)
    }

    pub fn pointer(&self) -> *mut N {
        self.memory.pointer().cast()
    }

    fn at(&self, row: usize, column: usize) -> *mut N {
        assert!(row < self.rows && column < self.columns);
        // SAFETY: an element.
        unsafe { self.pointer().add(row * self.stride + column) }
    }

    pub fn row_pointer(&self, row: usize) -> *mut N {
        self.at(row, 0)
    }

    pub fn get(&self, row: usize, column: usize) -> N {
        // SAFETY: an element, and every pattern of bits is a value.
        unsafe { self.at(row, column).read_unaligned() }
    }

    /// What lies between and around the rows is as it was.
    pub fn assert_gaps(&self, what: &str) {
        assert!(self.memory.surroundings_are_poison(), "{what}: written outside of it");
        let size = size_of::<N>();
        for row in 1..self.rows {
            let first = (row - 1) * self.stride + self.columns;
            // SAFETY: between two rows, initialised.
            let gap = unsafe {
                let gap = self.pointer().add(first).cast::<u8>();
                std::slice::from_raw_parts(gap, (row * self.stride - first) * size)
            };
            assert!(gap.iter().all(|&byte| byte == POISON), "{what}: written between rows {} and {row}", row - 1);
        }
    }

    /// The first `columns` of each row are what is expected, NaN being NaN.
    pub fn assert_same(&self, expected: impl Fn(usize, usize) -> N, columns: usize, what: &str) {
        for row in 0..self.rows {
            for column in 0..columns {
                let (got, expected) = (self.get(row, column), expected(row, column));
                assert!(got.same(expected), "{what}[{row}][{column}] is {got:?}, expected {expected:?}");
            }
        }
        self.assert_gaps(what);
    }
}

impl<T: Value> Operand<T> {
    /// The elements are what is expected, apart from the rounding of sums of so many terms whose magnitudes add up to
    /// `magnitude`.
    pub fn assert_close(&self, expected: &Self, magnitude: &Self, terms: usize, what: &str) {
        for row in 0..self.rows {
            for column in 0..self.columns {
                let (got, expected) = (self.get(row, column).to_f64(), expected.get(row, column).to_f64());
                let bound = (terms + 2) as f64 * T::EPSILON * magnitude.get(row, column).to_f64();
                let close = if expected.is_finite() { (got - expected).abs() <= bound } else { got.same(expected) };
                assert!(close, "{what}[{row}][{column}] is {got:e}, expected {expected:e} within {bound:e}");
            }
        }
        self.assert_gaps(what);
    }
}
