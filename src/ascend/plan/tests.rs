use super::*;
use crate::abi::*;

fn desc(dtype: dcn_dtype, dims: &[i64]) -> dcn_tensor_desc {
    let mut desc = dcn_tensor_desc { dtype, rank: dims.len() as i32, ..Default::default() };
    desc.dims[..dims.len()].copy_from_slice(dims);
    desc
}

fn pixels(mut desc: dcn_tensor_desc) -> dcn_tensor_desc {
    let [_, c, h, w, _] = desc.dims;
    desc.layout = DCN_LAYOUT_STRIDED;
    desc.strides[..4].copy_from_slice(&[c * h * w, 1, w * c, c]);
    desc
}

/// 2 x 12 x 5 x 6, 3 x 3 with padding 1, O = 8.
fn description(dtype: dcn_dtype, groups: i64, deformable_groups: i64) -> dcn_problem {
    dcn_problem {
        struct_size: size_of::<dcn_problem>(),
        backend: DCN_BACKEND_ASCEND,
        pad_top: 1,
        pad_left: 1,
        pad_bottom: 1,
        pad_right: 1,
        groups,
        deformable_groups,
        x: desc(dtype, &[2, 12, 5, 6]),
        offset: desc(dtype, &[2, 18 * deformable_groups, 5, 6]),
        weight: desc(dtype, &[if groups == 12 { 24 } else { 8 }, 12 / groups, 3, 3]),
        ..Default::default()
    }
}

fn problem(description: &dcn_problem) -> Problem {
    Problem::new(description).unwrap()
}

fn shared(description: &dcn_problem, summed: bool) -> Shared {
    Shared::new(&problem(description), summed, Limits::default())
}

#[test]
fn what_the_device_does_not_take_has_its_message() {
    let message = |description: &dcn_problem| check(&problem(description)).unwrap_err();
    let f64 = message(&description(DCN_F64, 1, 1));
    assert_eq!(f64.status, DCN_ERROR_UNSUPPORTED);
    assert_eq!(f64.message, "x.dtype is f64, expected f32, f16 or bf16 on DCN_BACKEND_ASCEND");

    let good = description(DCN_F32, 1, 1);
    check(&problem(&good)).unwrap();
    check(&problem(&dcn_problem { x: pixels(good.x), ..good })).unwrap();
    let mut gaps = dcn_problem { x: pixels(good.x), ..good };
    gaps.x.strides[3] = 13;
    gaps.x.strides[2] = 100;
    gaps.x.strides[0] = 1000;
    let gaps = message(&gaps);
    assert_eq!(gaps.status, DCN_ERROR_UNSUPPORTED);
    let expected = "x.strides is [1000, 1, 100, 13] for dims [2, 12, 5, 6], expected those of contiguous NCHW or NHWC on \
                    DCN_BACKEND_ASCEND";
    assert_eq!(gaps.message, expected);

    let offset = message(&dcn_problem { offset: pixels(good.offset), ..good });
    let expected = "offset.strides is [540, 1, 108, 18] for dims [2, 18, 5, 6], expected those of a contiguous tensor on \
                    DCN_BACKEND_ASCEND";
    assert_eq!((offset.status, offset.message.as_str()), (DCN_ERROR_UNSUPPORTED, expected));
    let mask = desc(DCN_F32, &[2, 9, 5, 6]);
    let y = desc(DCN_F32, &[2, 8, 5, 6]);
    let x = desc(DCN_F32, &[2, 12, 5, 6]);
    for (name, description) in [
        ("mask", dcn_problem { mask: pixels(mask), ..good }),
        ("weight", dcn_problem { weight: pixels(good.weight), ..good }),
        ("y", dcn_problem { y: pixels(y), ..good }),
        ("grad_y", dcn_problem { grad_y: pixels(y), ..good }),
        ("grad_offset", dcn_problem { grad_offset: pixels(good.offset), ..good }),
        ("grad_mask", dcn_problem { mask, grad_mask: pixels(mask), ..good }),
        ("grad_weight", dcn_problem { grad_weight: pixels(good.weight), ..good }),
    ] {
        let error = message(&description);
        assert!(error.message.starts_with(&format!("{name}.strides")), "{name}: {error}");
        assert_eq!(error.status, DCN_ERROR_UNSUPPORTED);
    }
    // grad_x may be in either layout; gradients are not looked at where only the forward pass is asked for.
    check(&problem(&dcn_problem { grad_x: pixels(x), ..good })).unwrap();
    check(&problem(&dcn_problem { grad_offset: pixels(good.offset), passes: 1, ..good })).unwrap();
}

#[test]
fn x_is_copied_only_where_it_has_to_be() {
    let planes = description(DCN_F32, 1, 3);
    let nhwc = dcn_problem { x: pixels(planes.x), ..planes };
    let grad_nhwc = dcn_problem { grad_x: pixels(planes.x), ..planes };
    let split = Copy::Planes { batch: 3, channels: 4 };
    let whole = Copy::Planes { batch: 1, channels: 12 };
    for (description, summed, pixels, x) in [
        (&planes, false, Pixels::ByDeformableGroup, split),
        (&planes, true, Pixels::ByDeformableGroup, split),
        (&nhwc, false, Pixels::Interleaved, Copy::None),
        (&nhwc, true, Pixels::Interleaved, Copy::None),
        (&grad_nhwc, false, Pixels::ByDeformableGroup, split),
        (&grad_nhwc, true, Pixels::Interleaved, whole),
    ] {
        let shared = shared(description, summed);
        assert_eq!((shared.pixels, shared.x), (pixels, x));
    }
    assert_eq!(shared(&nhwc, true).grad_x(), Copy::None);
    assert_eq!(shared(&grad_nhwc, true).grad_x(), Copy::None);
    assert_eq!(shared(&dcn_problem { grad_x: planes.x, ..nhwc }, true).grad_x(), whole);
    let half = description(DCN_F16, 1, 3);
    assert_eq!(shared(&dcn_problem { x: pixels_of(half.x), ..half }, false).x, Copy::Pixels);
}

fn pixels_of(desc: dcn_tensor_desc) -> dcn_tensor_desc {
    pixels(desc)
}

#[test]
fn strides_of_x_are_those_of_its_layout() {
    let planes = description(DCN_F32, 1, 3);
    let chunk = Chunk { image: 0, images: 2, first: 0, positions: 30 };
    let of = |description: &dcn_problem| {
        let tiling = shared(description, false).sample(chunk);
        [tiling.x_image, tiling.x_deformable, tiling.x_row, tiling.x_column]
    };
    assert_eq!(of(&planes), [360, 120, 24, 4]);
    assert_eq!(of(&dcn_problem { x: pixels(planes.x), ..planes }), [360, 4, 72, 12]);
}

#[test]
fn products_fit_one_another() {
    let grouped = shared(&description(DCN_F32, 4, 1), false);
    assert_eq!((grouped.groups(), grouped.depth(), grouped.outputs(), grouped.depthwise), (4, 27, 2, false));
    assert_eq!(grouped.forward_product(60), Product { m: 2, k: 27, n: 60 });
    assert_eq!(grouped.weight_product(60), Product { m: 2, k: 60, n: 27 });
    assert_eq!(grouped.col_product(60), Product { m: 60, k: 2, n: 27 });
    assert_eq!(grouped.weight_in(), LayoutTiling { batch: 8, rows: 3, columns: 9, accumulate: 0 });
    assert_eq!(grouped.weight_out(), LayoutTiling { batch: 8, rows: 9, columns: 3, accumulate: 0 });

    let depthwise = shared(&description(DCN_F32, 12, 1), false);
    assert!(depthwise.depthwise);
    assert_eq!((depthwise.groups(), depthwise.depth()), (1, 108));
    assert_eq!(depthwise.weight_in(), LayoutTiling { batch: 1, rows: 12, columns: 18, accumulate: 0 });
    assert_eq!(depthwise.weight_out(), LayoutTiling { batch: 1, rows: 18, columns: 12, accumulate: 0 });
}

#[test]
fn buffers_lie_behind_each_other_and_are_aligned() {
    let shared = shared(&description(DCN_F32, 4, 3), true);
    for map in [Map::forward(&shared, 1000).unwrap(), Map::backward(&shared, 1000).unwrap()] {
        let backward = map.grad_weight != 0;
        let sizes = [
            (map.weight, 8 * 27 * 4),
            (map.x, 2 * 360 * 4),
            (map.grad_x, if backward { 2 * 360 * 4 } else { 0 }),
            (map.grad_weight, if backward { 8 * 27 * 4 } else { 0 }),
            (map.col, 60 * 108 * 4),
            (map.rows, 60 * 8 * 4),
            (map.product, 1000),
        ];
        let mut end = 0;
        for (first, size) in sizes.into_iter().filter(|(_, size)| *size > 0) {
            assert!(first >= end && first - end < ALIGN && first % ALIGN == 0, "{map:?}");
            end = first + size;
        }
        assert_eq!(map.size, end.next_multiple_of(ALIGN), "{map:?}");
    }
}

#[test]
fn a_workspace_does_not_grow_with_the_batch() {
    let mut one = description(DCN_F16, 1, 1);
    let size = |n: i64, one: &mut dcn_problem| {
        (one.x.dims[0], one.offset.dims[0]) = (n, n);
        Map::backward(&shared(one, true), 0).unwrap().size
    };
    let bounded = size(1 << 20, &mut one);
    assert_eq!(size(1 << 30, &mut one), bounded);
    assert!(bounded < 4 * (32 << 20), "{bounded}");
}

#[test]
fn a_workspace_that_fits_no_address_space_is_refused() {
    let shared = shared(&description(DCN_F32, 1, 1), true);
    for size in [u64::MAX, isize::MAX as u64] {
        assert_eq!(Map::forward(&shared, size).unwrap_err().status, DCN_ERROR_INVALID_SHAPE);
    }
}
