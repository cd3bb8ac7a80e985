//! Pointers of a run: NULL, alignment, address space, overlap.

use crate::effort;
use deformconv::abi::*;
use deformconv::problem::{Access, DType, Operand, Tensor, What, check_operands};
use proptest::prelude::*;

fn row(dtype: DType, elements: i64, stride: i64) -> Tensor {
    Tensor { dtype, rank: 1, dims: [elements, 1, 1, 1, 1], strides: [stride, 1, 1, 1, 1] }
}

fn read<'a>(name: &'static str, what: What<'a>, address: usize) -> Operand<'a> {
    Operand { name, what, address, access: Access::Read, optional: false }
}

fn write<'a>(name: &'static str, what: What<'a>, address: usize) -> Operand<'a> {
    Operand { access: Access::Write, ..read(name, what, address) }
}

fn optional(operand: Operand) -> Operand {
    Operand { optional: true, ..operand }
}

#[track_caller]
fn refused(operands: &[Operand], status: dcn_status, message: &str) {
    let error = check_operands(operands).expect_err(message);
    assert_eq!((error.status, error.message.as_str()), (status, message));
    // Where an operand stands does not matter, but for which one an overlap names first.
    let mut reversed = operands.to_vec();
    reversed.reverse();
    assert_eq!(check_operands(&reversed).expect_err(message).status, status);
}

#[track_caller]
fn accepted(operands: &[Operand]) {
    assert_eq!(check_operands(operands), Ok(()));
}

#[test]
fn null() {
    let (full, empty) = (row(DType::F32, 10, 1), row(DType::F32, 0, 1));
    let full = What::Tensor(&full);
    refused(&[read("x", full, 0)], DCN_ERROR_NULL_POINTER, "x is NULL, expected 10 elements of f32");
    refused(&[write("y", full, 0)], DCN_ERROR_NULL_POINTER, "y is NULL, expected 10 elements of f32");
    refused(
        &[write("workspace", What::Bytes(7), 0)],
        DCN_ERROR_NULL_POINTER,
        "workspace is NULL, expected a buffer of 7 bytes",
    );
    accepted(&[optional(write("grad_x", full, 0)), optional(write("workspace", What::Bytes(7), 0))]);
    accepted(&[write("workspace", What::Bytes(0), 0), read("x", What::Tensor(&empty), 0)]);
    accepted(&[]);
}

#[test]
fn absent() {
    let message = "mask is 0x40, expected NULL, as the tensor is absent";
    refused(&[read("mask", What::Absent, 0x40)], DCN_ERROR_INVALID_ARGUMENT, message);
    refused(&[optional(read("mask", What::Absent, 0x40))], DCN_ERROR_INVALID_ARGUMENT, message);
    accepted(&[read("mask", What::Absent, 0), optional(write("grad_mask", What::Absent, 0))]);
}

#[test]
fn misaligned() {
    for (dtype, size) in [(DType::F32, 4), (DType::F64, 8), (DType::F16, 2), (DType::Bf16, 2)] {
        let (full, empty) = (row(dtype, 3, 1), row(dtype, 0, 1));
        for address in 0x1000..0x1000 + 2 * size {
            let x = [read("x", What::Tensor(&full), address)];
            if address % size == 0 {
                accepted(&x);
            } else {
                let expected = format!("x is {address:#x}, expected a multiple of {size} bytes, its element's size");
                refused(&x, DCN_ERROR_MISALIGNED, &expected);
            }
            accepted(&[read("x", What::Tensor(&empty), address), write("workspace", What::Bytes(100), address)]);
        }
    }
}

#[test]
fn address_space() {
    let (up, down) = (row(DType::F32, 10, 1), row(DType::F32, 10, -1));
    let message = "x is 0xffffffffffffffdc, expected an address with room for 10 elements of f32";
    refused(&[read("x", What::Tensor(&up), usize::MAX - 35)], DCN_ERROR_INVALID_ARGUMENT, message);
    let message = "x is 0x20, expected an address with room for 10 elements of f32";
    refused(&[read("x", What::Tensor(&down), 32)], DCN_ERROR_INVALID_ARGUMENT, message);
    let message = "workspace is 0xffffffffffffffff, expected an address with room for a buffer of 2 bytes";
    refused(&[write("workspace", What::Bytes(2), usize::MAX)], DCN_ERROR_INVALID_ARGUMENT, message);
    let message = "workspace is 0x1, expected an address with room for a buffer of 18446744073709551615 bytes";
    refused(&[write("workspace", What::Bytes(usize::MAX), 1)], DCN_ERROR_INVALID_ARGUMENT, message);
    accepted(&[read("x", What::Tensor(&up), usize::MAX - 43), read("offset", What::Tensor(&down), 36)]);
}

#[test]
fn overlap_of_dense_operands() {
    let (up, down) = (row(DType::F32, 10, 1), row(DType::F32, 10, -1));
    let (up, down) = (What::Tensor(&up), What::Tensor(&down));
    let message = "y is written and covers 0x1000..0x1028, expected no byte of x, which covers 0x1024..0x104c";
    refused(&[read("x", up, 0x1024), write("y", up, 0x1000)], DCN_ERROR_OVERLAP, message);
    accepted(&[read("x", up, 0x1028), write("y", up, 0x1000)]);
    accepted(&[read("x", up, 0x1024), read("y", up, 0x1000)]);

    let message = "y is written and covers 0x1000..0x1028, expected no byte of x, which covers 0x1024..0x104c";
    refused(&[read("x", up, 0x1024), write("y", down, 0x1024)], DCN_ERROR_OVERLAP, message);
    accepted(&[read("x", up, 0x1028), write("y", down, 0x1024)]);

    let message = "workspace is written and covers 0xfff..0x1001, expected no byte of x, which covers 0x1000..0x1028";
    refused(&[read("x", up, 0x1000), write("workspace", What::Bytes(2), 0xfff)], DCN_ERROR_OVERLAP, message);
    accepted(&[read("x", up, 0x1000), write("workspace", What::Bytes(1), 0xfff)]);

    // One lies inside the other; two that are written; packed weights under a gradient.
    let message = "workspace is written and covers 0x800..0x1800, expected no byte of x, which covers 0x1000..0x1028";
    refused(&[read("x", up, 0x1000), write("workspace", What::Bytes(0x1000), 0x800)], DCN_ERROR_OVERLAP, message);
    let message =
        "grad_x is written and covers 0x1000..0x1028, expected no byte of grad_y, which covers 0x1004..0x102c";
    refused(&[write("grad_x", up, 0x1000), write("grad_y", up, 0x1004)], DCN_ERROR_OVERLAP, message);
    let message =
        "grad_x is written and covers 0x1000..0x1028, expected no byte of packed_weight, which covers 0x1020..0x1120";
    let packed = read("packed_weight", What::Bytes(0x100), 0x1020);
    refused(&[packed, write("grad_x", up, 0x1000)], DCN_ERROR_OVERLAP, message);
}

/// Offset and mask as slices of one buffer interleave; the same start is refused all the same.
#[test]
fn overlap_of_operands_with_gaps() {
    let (sparse, dense, broadcast) = (row(DType::F32, 10, 2), row(DType::F32, 10, 1), row(DType::F32, 10, 0));
    let (sparse, dense, broadcast) = (What::Tensor(&sparse), What::Tensor(&dense), What::Tensor(&broadcast));
    accepted(&[write("grad_offset", sparse, 0x1000), write("grad_mask", sparse, 0x1004)]);
    accepted(&[read("offset", sparse, 0x1000), write("grad_mask", dense, 0x1004)]);
    for (a, b) in [(sparse, sparse), (sparse, dense), (dense, broadcast), (sparse, What::Bytes(1))] {
        for (a, b) in [(a, b), (b, a)] {
            let pair = [read("x", a, 0x1000), write("y", b, 0x1000)];
            assert_eq!(check_operands(&pair).unwrap_err().status, DCN_ERROR_OVERLAP);
            accepted(&[read("x", a, 0x1000), read("weight", b, 0x1000)]);
        }
    }
}

#[test]
fn nothing_overlaps_what_has_no_bytes() {
    let (full, empty) = (row(DType::F32, 10, 1), row(DType::F32, 0, 1));
    let (full, empty) = (What::Tensor(&full), What::Tensor(&empty));
    accepted(&[read("x", full, 0x1000), write("y", empty, 0x1000), write("workspace", What::Bytes(0), 0x1010)]);
    accepted(&[write("y", empty, 0x1000), write("grad_x", empty, 0x1000)]);
    accepted(&[optional(write("grad_x", full, 0)), optional(write("grad_offset", full, 0))]);
}

#[test]
fn more_pointers_than_a_run_has() {
    let many = vec![read("x", What::Absent, 0); 17];
    assert_eq!(check_operands(&many).unwrap_err().status, DCN_ERROR_INTERNAL);
    accepted(&many[1..]);
}

/// Bytes that the elements of an operand occupy, by enumeration.
fn bytes(operand: &Operand) -> Vec<i64> {
    match operand.what {
        What::Absent => vec![],
        What::Bytes(n) => (0..n as i64).map(|i| operand.address as i64 + i).collect(),
        What::Tensor(t) => {
            let starts = (0..t.dims[0]).map(|i| operand.address as i64 + i * t.strides[0] * t.dtype.size() as i64);
            starts.flat_map(|start| start..start + t.dtype.size() as i64).collect()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: effort::cases(20_000), failure_persistence: None, ..Default::default() })]

    /// What is called an overlap is one, and every overlap of dense operands is found.
    #[test]
    fn overlap_is_found_and_is_one(
        rows in prop::array::uniform2((0_i64..9, -3_i64..4)),
        places in prop::array::uniform2(0_usize..16),
        writes in any::<[bool; 2]>(),
        raw in prop::option::of(0_usize..40),
    ) {
        let tensors = rows.map(|(elements, stride)| row(DType::F32, elements, stride));
        let kinds = [What::Tensor(&tensors[0]), raw.map_or(What::Tensor(&tensors[1]), What::Bytes)];
        let access = writes.map(|write| if write { Access::Write } else { Access::Read });
        let pair: [Operand; 2] = std::array::from_fn(|i| {
            Operand { access: access[i], ..read(["a", "b"][i], kinds[i], 0x1000 + 4 * places[i]) }
        });
        let shared = bytes(&pair[0]).iter().any(|byte| bytes(&pair[1]).contains(byte));
        let dense = kinds.iter().all(|what| !matches!(what, What::Tensor(tensor) if !tensor.is_dense()));
        let outcome = check_operands(&pair).map_err(|error| error.status);
        if outcome.is_err() {
            prop_assert_eq!(outcome, Err(DCN_ERROR_OVERLAP));
            prop_assert!(shared && writes.contains(&true));
        } else {
            prop_assert!(!(shared && dense && writes.contains(&true)));
        }
    }

    #[test]
    fn any_address_gets_an_answer(
        address in any::<[usize; 2]>(),
        size in any::<usize>(),
        (elements, stride) in (0_i64..1 << 30, -(1_i64 << 31)..1 << 31),
    ) {
        let tensor = row(DType::F16, elements, stride);
        let _ = check_operands(&[write("y", What::Tensor(&tensor), address[0]), write("b", What::Bytes(size), address[1])]);
    }
}
