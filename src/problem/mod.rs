//! Descriptors → a checked [`Problem`]. Whatever a `dcn_problem` holds, either it breaks a rule of the contract, and
//! the message says which argument, what it was and what was expected, or the layers below may rely on all of them:
//! shapes fit one another, products and extents fit an `i64`, outputs do not overlap themselves.
//!
//! - `kinds`: data types and backends;
//! - `tensor`: shape and strides of one tensor, and what follows from them;
//! - `descriptor`: `dcn_tensor_desc` → `Tensor`;
//! - `geometry`: the numbers of the operator and the size equation;
//! - `shapes`: which shape each tensor has to have;
//! - `checked`: `dcn_problem` → [`Problem`];
//! - `mx_driving`: what `DCN_CHECK_MX_DRIVING` refuses;
//! - `operands`: the pointers of a run against the tensors they go with.

mod checked;
mod descriptor;
mod geometry;
mod kinds;
mod mx_driving;
mod operands;
mod shapes;
mod tensor;

pub use checked::{Problem, output_shape};
pub use geometry::Geometry;
pub use kinds::{Backend, DType};
pub use operands::{Access, Operand, What, check_operands};
pub use tensor::Tensor;
