//! A tensor of any strides, inside a larger block of poison.

use super::dtype::Dtype;
use super::index::{Index, indices};
use super::layout::Layout;
use super::memory::{Memory, PAGE, is_poison};
use deformconv::abi::*;
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;

/// Elements of poison on either side of a tensor.
const GUARD: usize = 64;

#[derive(Clone)]
pub struct Tensor {
    pub dtype: Dtype,
    pub dims: Vec<i64>,
    pub strides: Vec<i64>,
    contiguous: bool,
    /// Shared by the slices of one block.
    memory: Rc<Memory>,
    /// Byte of element [0, ..., 0].
    origin: usize,
}

impl Tensor {
    /// All elements are poison. The first one in memory is `shift` elements behind a multiple of 64 bytes.
    pub fn new(dtype: Dtype, dims: &[i64], layout: &Layout, shift: usize) -> Self {
        Self::in_memory(Memory::poisoned, dtype, dims, layout, shift)
    }

    /// In a block that `memory` makes, in place of one full of poison.
    pub fn in_memory(memory: fn(usize) -> Memory, dtype: Dtype, dims: &[i64], layout: &Layout, shift: usize) -> Self {
        let strides = layout.strides(dims);
        let reach = |sign: i64| -> i64 {
            let reaches = dims.iter().zip(&strides).map(|(dim, stride)| (dim - 1).max(0) * (stride * sign).max(0));
            reaches.sum()
        };
        let first = GUARD + shift;
        let elements = first + (reach(-1) + reach(1)) as usize + 1 + GUARD;
        Self {
            dtype,
            dims: dims.to_vec(),
            contiguous: !matches!(layout, Layout::Strided(_)),
            memory: Rc::new(memory(elements * dtype.size())),
            origin: (first + reach(-1) as usize) * dtype.size(),
            strides,
        }
    }

    /// Channels `first..first + count` of a tensor of rank 4, in the same memory.
    pub fn channels(&self, first: i64, count: i64) -> Self {
        let mut slice = self.clone();
        slice.dims[1] = count;
        slice.origin = self.byte(&[0, first, 0, 0]);
        slice.contiguous = false;
        slice
    }

    /// The same elements in memory of their own, for results to compare with.
    pub fn copy(&self) -> Self {
        let bytes = self.memory.bytes();
        let memory = Memory::poisoned(bytes.len());
        // SAFETY: both blocks have that many bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), memory.at(0), bytes.len()) };
        Self { memory: Rc::new(memory), ..self.clone() }
    }

    pub fn is_empty(&self) -> bool {
        self.dims.contains(&0)
    }

    pub fn descriptor(&self) -> dcn_tensor_desc {
        let mut descriptor =
            dcn_tensor_desc { dtype: self.dtype.code(), rank: self.dims.len() as i32, ..dcn_tensor_desc::default() };
        descriptor.dims[..self.dims.len()].copy_from_slice(&self.dims);
        if !self.contiguous {
            descriptor.layout = DCN_LAYOUT_STRIDED;
            descriptor.strides[..self.dims.len()].copy_from_slice(&self.strides);
        }
        descriptor
    }

    /// NULL where there is no element.
    pub fn pointer(&self) -> *mut c_void {
        if self.is_empty() { ptr::null_mut() } else { self.memory.at(self.origin).cast() }
    }

    fn byte(&self, index: &[i64]) -> usize {
        let inside = index.iter().zip(&self.dims).all(|(i, dim)| (0..*dim).contains(i));
        assert!(inside && index.len() == self.dims.len(), "{index:?} of {:?}", self.dims);
        let element: i64 = index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum();
        (self.origin as i64 + element * self.dtype.size() as i64) as usize
    }

    pub fn get(&self, index: &[i64]) -> f64 {
        // SAFETY: an element of the tensor, so aligned and inside its memory.
        unsafe { self.dtype.read(self.memory.at(self.byte(index))) }
    }

    pub fn set(&mut self, index: &[i64], value: f64) {
        // SAFETY: as in `get`.
        unsafe { self.dtype.write(self.memory.at(self.byte(index)), value) }
    }

    /// The bits of the element at a byte, in the low bytes.
    fn bits_at(&self, byte: usize) -> u64 {
        let mut bits = [0; 8];
        // SAFETY: an element of the tensor has this many bytes.
        unsafe { ptr::copy_nonoverlapping(self.memory.at(byte), bits.as_mut_ptr(), self.dtype.size()) };
        u64::from_le_bytes(bits)
    }

    /// Where every element begins, row major, in bytes.
    fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let axis = |axis: usize| {
            let (dim, stride) = self.dims.get(axis).zip(self.strides.get(axis)).unwrap_or((&1, &0));
            let step = stride * self.dtype.size() as i64;
            (0..*dim).map(move |i| i * step)
        };
        let axes = [0, 1, 2, 3].map(axis);
        let [outermost, outer, inner, innermost] = axes;
        let (origin, rows) = (self.origin as i64, move |at: i64| inner.clone().map(move |step| at + step));
        let planes = outermost.flat_map(move |at| outer.clone().map(move |step| origin + at + step));
        planes.flat_map(rows).flat_map(move |at| innermost.clone().map(move |step| (at + step) as usize))
    }

    /// Every index, row major.
    pub fn indices(&self) -> impl Iterator<Item = Index> + use<> {
        indices(&self.dims)
    }

    /// Sets every element that has memory of its own: one of those that a broadcast shares.
    pub fn fill(&mut self, mut value: impl FnMut(&[i64]) -> f64) {
        let stored = |(dim, stride): (&i64, &i64)| if *stride == 0 { (*dim).min(1) } else { *dim };
        let dims: Vec<i64> = self.dims.iter().zip(&self.strides).map(stored).collect();
        for index in indices(&dims) {
            let value = value(&index);
            self.set(&index, value);
        }
    }

    pub fn bits(&self, index: &[i64]) -> u64 {
        self.bits_at(self.byte(index))
    }

    /// All bits, row major: equal for equal results, whatever their strides.
    pub fn all_bits(&self) -> Vec<u64> {
        self.places().map(|place| self.bits_at(place)).collect()
    }

    /// Whether an element was not written since the tensor was made.
    pub fn is_poison(&self, index: &[i64]) -> bool {
        self.bits_at(self.byte(index)) == u64::MAX >> (64 - 8 * self.dtype.size())
    }

    /// The bytes of the whole block.
    pub fn block(&self) -> Vec<u8> {
        self.memory.bytes()
    }

    /// Fails if a page of the block, which was untouched, has none of these elements and was touched, or if there is
    /// anything but zeros around them.
    pub fn assert_alone_touched(&self, elements: &[Vec<i64>], what: &str) {
        let mut bytes: Vec<usize> = elements.iter().map(|index| self.byte(index)).collect();
        bytes.sort_unstable();
        for page in self.memory.touched_pages() {
            let of_page = bytes.partition_point(|&byte| byte < page)..bytes.partition_point(|&byte| byte < page + PAGE);
            assert!(!of_page.is_empty(), "{what}: a page was touched that has no element to be touched");
            for byte in (page..page + PAGE).step_by(self.dtype.size()) {
                let is_element = bytes[of_page.clone()].binary_search(&byte).is_ok();
                assert!(is_element || self.bits_at(byte) == 0, "{what}: an element was written that should not be");
            }
        }
    }

    /// Fails if a byte of the block that is not of these elements was written.
    pub fn assert_surroundings(&self, what: &str) {
        assert_surroundings(&[self], what);
    }
}

/// As [`Tensor::assert_surroundings`], for tensors that share one block.
pub fn assert_surroundings(tensors: &[&Tensor], what: &str) {
    let mut bytes = tensors[0].memory.bytes();
    for tensor in tensors {
        for place in tensor.places() {
            bytes[place..place + tensor.dtype.size()].fill(0xFF);
        }
    }
    assert!(is_poison(&bytes), "{what}: memory between or around its elements was written");
}
