//! The CPU backend. [`forward`] and [`backward`] read like the formula and call the kernels of one row of the kernel
//! table; the bodies of the vector kernels are in [`kernels`], what they need of an instruction set in [`simd`].

#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;
pub mod backward;
pub mod direct;
pub mod element;
mod field;
pub mod forward;
mod images;
pub mod kernels;
#[cfg(target_arch = "aarch64")]
pub mod neon;
mod pack;
mod prefetch;
mod sampled;
pub mod sampler;
pub mod scalar;
mod share;
mod shared_copy;
pub mod simd;
mod stored;
mod sum;
pub mod tile;
pub mod window;
