//! What the operator tests share: a problem is described ([`case`]), laid out in poisoned memory ([`problem`],
//! [`tensor`]), run through the C interface ([`runner`]) and compared ([`verify`]) with the operator computed straight
//! from its definition ([`reference`]).

#![allow(dead_code, reason = "each test program uses a part")]

pub mod case;
pub mod dtype;
pub mod effort;
pub mod executor;
pub mod index;
pub mod layout;
pub mod memory;
pub mod named_problems;
pub mod problem;
pub mod reference;
pub mod report;
pub mod runner;
pub mod strategy;
pub mod tensor;
pub mod values;
pub mod verify;
pub mod wide;
