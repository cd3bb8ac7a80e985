//! Results against the contract's error bound.

use super::dtype::Dtype;
use super::reference::Expected;
use super::tensor::Tensor;
use super::wide::Wide;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The worst |got - ref| in units of the bound, or what is wrong with the first element beyond it.
pub fn compare(what: &str, got: &Tensor, expected: &[Expected]) -> Result<f64, String> {
    assert_eq!(expected.len() as i64, got.dims.iter().product::<i64>(), "{what}: the reference is of another shape");
    let mut worst = 0.0f64;
    for (index, expected) in got.indices().zip(expected) {
        worst = worst.max(compare_element(what, got, &index, expected)?);
    }
    Ok(worst)
}

/// |got - ref| of one element in units of the bound, or what is wrong with it.
pub fn compare_element(what: &str, got: &Tensor, index: &[i64], expected: &Expected) -> Result<f64, String> {
    if got.is_poison(index) {
        return Err(format!("{what}{index:?} was not written"));
    }
    if expected.unspecified {
        return Ok(0.0);
    }
    let value = got.get(index);
    let (high, low) = expected.sum.value.parts();
    if !high.is_finite() {
        // How NaN and infinities combine depends on the order of a sum; that they stay does not.
        if value.is_finite() {
            return Err(format!("{what}{index:?} is {value}, expected {high}, or another that is not finite"));
        }
        return Ok(0.0);
    }
    let ratio = distance(got, value, high, low) / bound(got, expected);
    if ratio.is_nan() || ratio > 1.0 {
        let (bound, terms) = (bound(got, expected), expected.sum.terms);
        let error = format!("which is {ratio:.3} of the bound {bound:e}, {terms} terms");
        return Err(format!("{what}{index:?} is {value:e}, expected {high:e}, {error}"));
    }
    Ok(ratio)
}

/// tol · Σ|terms|. An element without terms must be exactly 0, which any positive bound shows.
fn bound(got: &Tensor, expected: &Expected) -> f64 {
    let terms = expected.sum.terms as f64;
    let bound = got.dtype.tolerance() * (8.0 + 2.0 * terms.sqrt()) * expected.sum.magnitude;
    if bound == 0.0 { f64::from_bits(1) } else { bound }
}

/// How far the reference is from the numbers that round to `value`.
fn distance(got: &Tensor, value: f64, high: f64, low: f64) -> f64 {
    let (least, greatest) = got.dtype.rounding_cell(value);
    let below = (least - high) - low;
    let above = (high - greatest) + low;
    if below.is_nan() || above.is_nan() { f64::NAN } else { below.max(above).max(0.0) }
}

/// The worst ratios of many comparisons, by type.
#[derive(Default)]
pub struct Worst(Mutex<BTreeMap<Dtype, (f64, usize)>>);

impl Worst {
    pub fn add(&self, dtype: Dtype, ratio: f64) {
        let mut worst = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = worst.entry(dtype).or_default();
        *entry = (entry.0.max(ratio), entry.1 + 1);
    }

    pub fn lines(&self) -> Vec<String> {
        let worst = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(dtype, (ratio, count)): (&Dtype, &(f64, usize))| {
            format!("{count} results in {dtype:?}, worst error {ratio:.4} of the bound")
        };
        worst.iter().map(line).collect()
    }
}
