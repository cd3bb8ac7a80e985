//! stub
use crate::abi::*;
use crate::context::Context;
use crate::error::{Error, Result};
use std::sync::Arc;

pub struct Plan;
impl Plan {
    pub fn new(_context: Arc<Context>, _problem: &dcn_problem) -> Result<Self> {
        Err(Error::unsupported("not yet"))
    }
    pub fn info(&self) -> dcn_plan_info {
        unimplemented!()
    }
    pub fn workspace_size(&self, _pass: dcn_pass) -> Result<usize> {
        Err(Error::unsupported("not yet"))
    }
    pub fn packed_weight_size(&self, _pass: dcn_pass) -> Result<usize> {
        Err(Error::unsupported("not yet"))
    }
    pub unsafe fn pack_weight(&self, _args: &dcn_pack_args) -> Result<()> {
        Err(Error::unsupported("not yet"))
    }
    pub unsafe fn forward(&self, _args: &dcn_forward_args) -> Result<()> {
        Err(Error::unsupported("not yet"))
    }
    pub unsafe fn backward(&self, _args: &dcn_backward_args) -> Result<()> {
        Err(Error::unsupported("not yet"))
    }
}
pub fn backend_status(backend: dcn_backend) -> Result<String> {
    match backend {
        DCN_BACKEND_CPU => Ok("ready".into()),
        _ => Err(Error::argument(format!("backend is {backend}"))),
    }
}
