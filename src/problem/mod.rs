//! stub
use crate::abi::*;
use crate::error::{Error, Result};
pub fn output_shape(_problem: &dcn_problem) -> Result<dcn_tensor_desc> {
    Err(Error::unsupported("not yet"))
}
