//! Descriptors and pointers against the rules of the contract.

mod accepted;
mod fixture;
mod operands;
mod oracle;
mod properties;
mod refused;
mod tensors;
