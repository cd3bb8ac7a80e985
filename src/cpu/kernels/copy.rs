//! Matrices on their way between a tensor and the type that is computed in: as they are, or transposed (NCHW to NHWC
//! and back). Every NaN becomes the same one.

use super::args::CopyArgs;
use crate::cpu::element::Compute;
use crate::cpu::prefetch::prefetch_read;
use crate::cpu::simd::{MAX_LANES, Simd};
use crate::cpu::stored::Stored;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Columns transposed for all rows before the next ones are: what is written of them stays in the first-level cache
/// until every row has been.
const COLUMN_BLOCK: usize = 64;
/// So few rows are written element by element.
const FEW_ROWS: usize = 2;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`CopyArgs`] says.
#[inline(always)]
pub unsafe fn copy<V: Simd, From, To>(a: &CopyArgs<From, To>)
where
    From: Stored<V, Compute = V::Scalar> + Stored<V::Half>,
    To: Stored<V, Compute = V::Scalar> + Stored<V::Half>,
{
    // SAFETY: rows of the matrices; of the last vector only existing columns are touched.
    unsafe {
        for row in 0..a.rows as isize {
            let (from, to) = (a.from.data.offset(row * a.from.stride), a.to.data.offset(row * a.to.stride));
            let mut c = 0;
            while c + V::LANES <= a.columns {
                vector::<V, From, To>(from.add(c), to.add(c));
                c += V::LANES;
            }
            if c + V::Half::LANES <= a.columns {
                vector::<V::Half, From, To>(from.add(c), to.add(c));
                c += V::Half::LANES;
            }
            if c < a.columns {
                let n = a.columns - c;
                let value: V::Half = From::load_first(from.add(c), n);
                To::store_first(value.canonical(), to.add(c), n);
            }
        }
    }
}

/// A whole vector.
#[inline(always)]
unsafe fn vector<V: Simd, From, To>(from: *const From, to: *mut To)
where
    From: Stored<V, Compute = V::Scalar>,
    To: Stored<V, Compute = V::Scalar>,
{
    // SAFETY: the caller's promise.
    unsafe { To::store(From::load(from).canonical(), to) }
}

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`CopyArgs`] says.
#[inline(always)]
pub unsafe fn transpose<V: Simd, From, To>(a: &CopyArgs<From, To>)
where
    From: Stored<V, Compute = V::Scalar> + Stored<V::Half>,
    To: Stored<V, Compute = V::Scalar> + Stored<V::Half>,
{
    // SAFETY: rows and columns of the matrices.
    unsafe {
        for first in (0..a.columns).step_by(COLUMN_BLOCK) {
            let columns = first..a.columns.min(first + COLUMN_BLOCK);
            let mut row = 0;
            while row < a.rows {
                row += match a.rows - row {
                    n if n >= V::LANES => rows::<V, From, To>(a, row, columns.clone(), V::LANES),
                    n if n > V::Half::LANES => rows::<V, From, To>(a, row, columns.clone(), n),
                    n => rows::<V::Half, From, To>(a, row, columns.clone(), n),
                };
            }
        }
    }
}

/// `n` rows from `row` on, at most as many as V has lanes: whole squares, if they are as many, then parts of squares.
#[inline(always)]
unsafe fn rows<V: Simd, From, To>(a: &CopyArgs<From, To>, row: usize, columns: Range<usize>, n: usize) -> usize
where
    From: Stored<V, Compute = V::Scalar>,
    To: Stored<V, Compute = V::Scalar>,
{
    let mut first = columns.start;
    // SAFETY: the caller's promise.
    unsafe {
        while n == V::LANES && first + V::LANES <= columns.end {
            square::<V, From, To>(a, row, first);
            first += V::LANES;
        }
        while first < columns.end {
            let width = V::LANES.min(columns.end - first);
            if n <= FEW_ROWS {
                for row in row..row + n {
                    scatter::<V, From, To>(a, [row, first], width);
                }
            } else {
                part_of_square::<V, From, To>(a, [row, first], [n, width]);
            }
            first += width;
        }
    }
    n
}

#[inline(always)]
unsafe fn square<V: Simd, From, To>(a: &CopyArgs<From, To>, row: usize, column: usize)
where
    From: Stored<V, Compute = V::Scalar>,
    To: Stored<V, Compute = V::Scalar>,
{
    // SAFETY: the square lies inside.
    unsafe {
        // The next columns, or, where all of them have been, the next rows.
        let ahead = if a.columns > COLUMN_BLOCK { COLUMN_BLOCK as isize } else { V::LANES as isize * a.from.stride };
        let mut block = [V::splat(V::Scalar::ZERO); MAX_LANES];
        for (k, values) in block.iter_mut().enumerate().take(V::LANES) {
            let from = a.from.data.offset((row + k) as isize * a.from.stride).add(column);
            prefetch_read(from.wrapping_offset(ahead));
            *values = From::load(from);
        }
        V::transpose(&mut block);
        for (k, values) in block.iter().enumerate().take(V::LANES) {
            To::store(values.canonical(), a.to.data.offset((column + k) as isize * a.to.stride).add(row));
        }
    }
}

/// So many rows and columns, either of them at most as many as V has lanes.
#[inline(always)]
unsafe fn part_of_square<V: Simd, From, To>(
    a: &CopyArgs<From, To>,
    [row, column]: [usize; 2],
    [rows, columns]: [usize; 2],
) where
    From: Stored<V, Compute = V::Scalar>,
    To: Stored<V, Compute = V::Scalar>,
{
    // SAFETY: only rows and columns that exist are touched.
    unsafe {
        let mut block = [V::splat(V::Scalar::ZERO); MAX_LANES];
        for (k, values) in block.iter_mut().enumerate().take(rows) {
            let from = a.from.data.offset((row + k) as isize * a.from.stride).add(column);
            *values = if columns == V::LANES { From::load(from) } else { From::load_first(from, columns) };
        }
        V::transpose(&mut block);
        for (k, values) in block.iter().enumerate().take(columns) {
            let to = a.to.data.offset((column + k) as isize * a.to.stride).add(row);
            let values = values.canonical();
            if rows == V::LANES { To::store(values, to) } else { To::store_first(values, to, rows) }
        }
    }
}

/// So many elements of a row, at most as many as V has lanes.
#[inline(always)]
unsafe fn scatter<V: Simd, From, To>(a: &CopyArgs<From, To>, [row, column]: [usize; 2], columns: usize)
where
    From: Stored<V, Compute = V::Scalar>,
    To: Stored<V, Compute = V::Scalar>,
{
    let mut elements = [const { MaybeUninit::<To>::uninit() }; MAX_LANES];
    // SAFETY: only columns that exist are touched; those are in the array, which has room for a vector.
    unsafe {
        let from = a.from.data.offset(row as isize * a.from.stride).add(column);
        let values = if columns == V::LANES { From::load(from) } else { From::load_first(from, columns) };
        To::store(values.canonical(), elements.as_mut_ptr().cast());
        for (k, element) in elements.iter().enumerate().take(columns) {
            *a.to.data.offset((column + k) as isize * a.to.stride).add(row) = element.assume_init();
        }
    }
}
