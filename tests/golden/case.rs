//! A golden case as its file has it, and the descriptor of the problem in it.

use deformconv::abi::*;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::{fs, ptr};

pub struct Case {
    pub name: String,
    tensors: BTreeMap<String, Tensor>,
    metadata: HashMap<String, String>,
}

#[derive(Clone)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Values,
}

#[derive(Clone)]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Case {
    /// Every case of a folder beside this file, by name.
    pub fn all(folder: &str) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let file = SafeTensors::deserialize(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let tensors = file.iter().map(|(tensor, view)| {
            let values = match view.dtype() {
                Dtype::F32 => Values::F32(elements(view.data(), f32::from_le_bytes)),
                Dtype::F64 => Values::F64(elements(view.data(), f64::from_le_bytes)),
                other => panic!("{name}: {tensor} is {other:?}"),
            };
            (tensor.to_owned(), Tensor { shape: view.shape().to_vec(), values })
        });
        let tensors = tensors.collect();
        Self { name, tensors, metadata: header.metadata().clone().unwrap_or_default() }
    }

    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    pub fn tensor(&self, name: &str) -> &Tensor {
        self.get(name).unwrap_or_else(|| panic!("{}: no {name}", self.name))
    }

    pub fn number(&self, name: &str) -> i64 {
        let text = self.metadata.get(name).unwrap_or_else(|| panic!("{}: no {name}", self.name));
        text.parse().unwrap_or_else(|error| panic!("{}: {name} is {text:?}: {error}", self.name))
    }

    /// A tensor's data as the C interface takes it: NULL if the case does not have it.
    pub fn pointer(&self, name: &str) -> *const c_void {
        self.get(name).map_or(ptr::null(), |tensor| tensor.values.pointer())
    }

    pub fn problem(&self, pass: dcn_pass) -> dcn_problem {
        dcn_problem {
            struct_size: size_of::<dcn_problem>(),
            backend: DCN_BACKEND_CPU,
            passes: 1 << pass,
            stride_h: self.number("stride_h"),
            stride_w: self.number("stride_w"),
            pad_top: self.number("pad_top"),
            pad_left: self.number("pad_left"),
            pad_bottom: self.number("pad_bottom"),
            pad_right: self.number("pad_right"),
            dilation_h: self.number("dilation_h"),
            dilation_w: self.number("dilation_w"),
            groups: self.number("groups"),
            deformable_groups: self.number("deformable_groups"),
            x: self.descriptor("x"),
            offset: self.descriptor("offset"),
            mask: self.descriptor("mask"),
            weight: self.descriptor("weight"),
            bias: self.descriptor("bias"),
            // Said outright, so that the library has to agree with the other program about its shape.
            y: self.descriptor("y"),
            ..Default::default()
        }
    }

    /// The descriptor of a tensor in the dtype of the problem, which answers may exceed; absent if the case has none.
    fn descriptor(&self, name: &str) -> dcn_tensor_desc {
        let Some(tensor) = self.get(name) else { return Default::default() };
        let mut dims = [0; 5];
        for (dim, &extent) in dims.iter_mut().zip(&tensor.shape) {
            *dim = extent as i64;
        }
        let dtype = self.tensor("x").values.dtype();
        dcn_tensor_desc { dtype, rank: tensor.shape.len() as i32, dims, ..Default::default() }
    }
}

impl Values {
    pub fn dtype(&self) -> dcn_dtype {
        match self {
            Self::F32(_) => DCN_F32,
            Self::F64(_) => DCN_F64,
        }
    }

    /// A buffer of `len` NaN, so that an element nobody wrote is seen.
    pub fn unwritten(dtype: dcn_dtype, len: usize) -> Self {
        match dtype {
            DCN_F32 => Self::F32(vec![f32::NAN; len]),
            DCN_F64 => Self::F64(vec![f64::NAN; len]),
            other => panic!("no golden case has dtype {other}"),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().map(|&value| value.into()).collect(),
            Self::F64(values) => values.clone(),
        }
    }

    fn pointer(&self) -> *const c_void {
        match self {
            Self::F32(values) => values.as_ptr().cast(),
            Self::F64(values) => values.as_ptr().cast(),
        }
    }

    pub fn pointer_mut(&mut self) -> *mut c_void {
        match self {
            Self::F32(values) => values.as_mut_ptr().cast(),
            Self::F64(values) => values.as_mut_ptr().cast(),
        }
    }
}

fn elements<T, const SIZE: usize>(bytes: &[u8], from_le_bytes: fn([u8; SIZE]) -> T) -> Vec<T> {
    let (chunks, rest) = bytes.as_chunks();
    assert!(rest.is_empty());
    chunks.iter().map(|&chunk| from_le_bytes(chunk)).collect()
}
