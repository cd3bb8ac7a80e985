//! What follows from shape and strides, against an enumeration of all elements.

use crate::effort;
use deformconv::problem::{DType, Tensor};
use proptest::prelude::*;

fn tensor(dims: &[i64], strides: &[i64]) -> Tensor {
    let mut tensor = Tensor { dtype: DType::F32, rank: dims.len(), dims: [1; 5], strides: [1; 5] };
    tensor.dims[..dims.len()].copy_from_slice(dims);
    tensor.strides[..dims.len()].copy_from_slice(strides);
    tensor
}

/// Offsets of all elements, ascending.
fn offsets(dims: &[i64], strides: &[i64]) -> Vec<i64> {
    let mut all = vec![0];
    for (&dim, &stride) in dims.iter().zip(strides) {
        all = all.iter().flat_map(|base| (0..dim).map(move |i| base + i * stride)).collect();
    }
    all.sort_unstable();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: effort::cases(20_000), failure_persistence: None, ..Default::default() })]

    #[test]
    fn queries_agree_with_enumeration(
        axes in prop::collection::vec((0_i64..4, prop_oneof![-4_i64..5, -30_i64..31]), 1..=5)
    ) {
        let (dims, strides): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
        let tensor = tensor(&dims, &strides);
        let all = offsets(&dims, &strides);
        prop_assert_eq!(tensor.elements(), all.len() as i64);
        prop_assert_eq!(tensor.is_empty(), all.is_empty());
        let extent = all.first().copied().zip(all.last().copied()).unwrap_or((0, -1));
        prop_assert_eq!(tensor.extent(), extent);
        let distinct = all.windows(2).all(|pair| pair[0] < pair[1]);
        // The rule is sufficient, not necessary: it may call overlapping what is not, never the reverse.
        prop_assert!(distinct || tensor.overlaps_itself());
        let dense = all.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        prop_assert_eq!(tensor.is_dense(), dense);
    }

    #[test]
    fn packed_tensors_are_recognised(dims in prop::array::uniform4(0_i64..4), noise in any::<[i64; 4]>()) {
        let [_, c, h, w] = dims;
        let moot = |i: usize| dims[i] == 1 || dims.contains(&0);
        let with_noise = |strides: [i64; 4]| -> [i64; 4] {
            std::array::from_fn(|i| if moot(i) { noise[i] } else { strides[i] })
        };
        let nchw = tensor(&dims, &with_noise([c * h * w, h * w, w, 1]));
        let nhwc = tensor(&dims, &with_noise([c * h * w, 1, w * c, c]));
        prop_assert!(nchw.is_contiguous());
        prop_assert!(nhwc.is_channels_last());
        let both = dims.contains(&0) || c == 1 || h * w == 1;
        prop_assert_eq!(nchw.is_channels_last(), both);
        prop_assert_eq!(nhwc.is_contiguous(), both);
    }
}

#[test]
fn the_rule_of_the_contract() {
    let overlaps = |dims: &[i64], strides: &[i64]| tensor(dims, strides).overlaps_itself();
    assert!(!overlaps(&[2, 3], &[3, 1]));
    assert!(!overlaps(&[2, 3], &[-3, 1]));
    assert!(!overlaps(&[2, 3], &[1, 2]));
    assert!(overlaps(&[2, 3], &[2, 1]));
    assert!(overlaps(&[2, 3], &[0, 1]));
    assert!(overlaps(&[2, 3], &[1, -1]));
    assert!(!overlaps(&[1, 3], &[0, 1]), "a dimension of size 1 is never stepped along");
    assert!(!overlaps(&[0, 3], &[0, 0]), "there are no elements");
    assert!(overlaps(&[3, 2], &[2, 3]), "sufficient, not necessary: 0 2 3 4 5 7 are distinct");
}

#[test]
fn dense_needs_distinct_elements() {
    assert!(!tensor(&[2, 2], &[0, 3]).is_dense(), "4 elements and an extent of 4, but only offsets 0 and 3");
    assert!(tensor(&[2, 2], &[-1, 2]).is_dense());
}
