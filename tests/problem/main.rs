//! Descriptors and pointers against the rules of the contract.

mod accepted;
#[path = "../common/effort.rs"]
mod effort;
mod fixture;
mod operands;
mod oracle;
mod properties;
mod refused;
mod tensors;
