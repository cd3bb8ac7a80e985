//! The direct passes, planned: no tiles; threads share rows of y, elements of gradients and channels of grad_x.

pub mod backward;
pub mod forward;
mod weights;
