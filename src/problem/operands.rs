//! The pointers of a run against the tensors they go with. Addresses are plain integers here; nothing is read through
//! them. A successful check allocates nothing and is quick: it precedes every run.

use super::tensor::Tensor;
use crate::abi::*;
use crate::error::{Error, Result, require};

/// What a pointer must point to.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    Tensor(&'a Tensor),
    /// A tensor that the problem does not have: the pointer must be NULL.
    Absent,
    /// A buffer of so many bytes, of any alignment.
    Bytes(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// One pointer of a run.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// What messages call it by.
    pub name: &'static str,
    pub what: What<'a>,
    pub address: usize,
    pub access: Access,
    /// NULL means "not wanted" or "not given", and is no error.
    pub optional: bool,
}

/// Most pointers that a run has.
const MAX_OPERANDS: usize = 16;

/// Checks each pointer by itself, then that nothing that is written overlaps anything else.
pub fn check_operands(operands: &[Operand]) -> Result<()> {
    let mut spans = [Span::NOTHING; MAX_OPERANDS];
    require(operands.len() <= MAX_OPERANDS, || Error::internal("a run has more pointers than were expected"))?;
    for (operand, span) in operands.iter().zip(&mut spans) {
        *span = operand.span()?;
    }
    let written = (0..operands.len()).filter(|&i| operands[i].access == Access::Write);
    for i in written {
        for j in (0..operands.len()).filter(|&j| j != i) {
            require(!spans[i].meets(&spans[j]) || !clash(&operands[i], &operands[j]), || {
                overlap((&operands[i], &spans[i]), (&operands[j], &spans[j]))
            })?;
        }
    }
    Ok(())
}

/// Addresses from the first byte of an operand to behind its last one.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    const NOTHING: Self = Self { start: 0, end: 0 };

    fn meets(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

impl Operand<'_> {
    /// The rules for one pointer, and the bytes that it may lead to.
    fn span(&self) -> Result<Span> {
        let (name, address) = (self.name, self.address);
        let (low, bytes, align) = match self.what {
            What::Absent => {
                let absent = "expected NULL, as the tensor is absent";
                require(address == 0, || Error::argument(format!("{name} is {address:#x}, {absent}")))?;
                return Ok(Span::NOTHING);
            }
            What::Bytes(bytes) => (0, bytes, 1),
            What::Tensor(tensor) => {
                let ((low, high), size) = (tensor.extent(), tensor.dtype.size());
                (low * size as i64, (high - low + 1) as usize * size, size)
            }
        };
        if bytes == 0 || address == 0 && self.optional {
            return Ok(Span::NOTHING);
        }
        require(address != 0, || Error::null(name, &self.expected()))?;
        require(address % align == 0, || {
            let message = format!("{name} is {address:#x}, expected a multiple of {align} bytes, its element's size");
            Error::new(DCN_ERROR_MISALIGNED, message)
        })?;
        let start = address.checked_add_signed(low as isize);
        let end = start.and_then(|start| start.checked_add(bytes));
        start.zip(end).map(|(start, end)| Span { start, end }).ok_or_else(|| {
            let expected = format!("expected an address with room for {}", self.expected());
            Error::argument(format!("{name} is {address:#x}, {expected}"))
        })
    }

    fn expected(&self) -> String {
        match self.what {
            What::Absent => "NULL".into(),
            What::Bytes(bytes) => format!("a buffer of {bytes} bytes"),
            What::Tensor(tensor) => format!("{} elements of {}", tensor.elements(), tensor.dtype.name()),
        }
    }

    fn is_dense(&self) -> bool {
        match self.what {
            What::Tensor(tensor) => tensor.is_dense(),
            What::Absent | What::Bytes(_) => true,
        }
    }
}

/// Whether two operands whose spans meet must share memory: they start at the same element, or neither has gaps that
/// the other could lie in.
fn clash(a: &Operand, b: &Operand) -> bool {
    a.address == b.address || a.is_dense() && b.is_dense()
}

fn overlap((a, a_span): (&Operand, &Span), (b, b_span): (&Operand, &Span)) -> Error {
    Error::overlap(format!(
        "{} is written and covers {:#x}..{:#x}, expected no byte of {}, which covers {:#x}..{:#x}",
        a.name, a_span.start, a_span.end, b.name, b_span.start, b_span.end
    ))
}
