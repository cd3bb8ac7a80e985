//! Products of one channel with one channel, vectorised across channels: what the micro-kernel is to groups, for groups
//! of one channel.

use super::args::{DepthwiseArgs, MAX_DEPTHWISE_TAPS};
use super::corner_addresses::CornerAddresses;
use super::sample::{blend, blend_first};
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;

/// The whole forward pass of some channels: samples go from registers into the sum. Vectors of channels are taken four
/// at a time, which share the addresses of their corners.
///
/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`DepthwiseArgs`] says.
#[inline(always)]
pub unsafe fn depthwise<V: Simd, const COLUMNS: usize>(a: &DepthwiseArgs<V::Scalar>) {
    let mut channel = 0;
    // SAFETY: all channels exist.
    unsafe {
        while channel < a.channels {
            let vectors = (a.channels - channel) / V::LANES;
            match vectors {
                0 => some_channels::<V, COLUMNS, 1>(a, channel, a.channels - channel),
                1..4 => some_channels::<V, COLUMNS, 1>(a, channel, V::LANES),
                _ => some_channels::<V, COLUMNS, 4>(a, channel, V::LANES),
            }
            channel += if vectors < 4 { V::LANES } else { 4 * V::LANES };
        }
    }
}

/// `VECTORS` vectors of channels from `first` on, or, of a single one, the first `lanes` lanes.
#[inline(always)]
unsafe fn some_channels<V: Simd, const COLUMNS: usize, const VECTORS: usize>(
    a: &DepthwiseArgs<V::Scalar>,
    first: usize,
    lanes: usize,
) {
    let none = CornerAddresses::new(a.image.wrapping_add(first), a.pixel_stride, V::Scalar::ZEROS);
    let mut addresses = [none; MAX_DEPTHWISE_TAPS];
    // SAFETY: corners are pixels or zeros; weights and accumulators have whole panels.
    unsafe {
        let corners = std::slice::from_raw_parts(a.corners, a.taps);
        for start in (0..a.positions).step_by(V::LANES) {
            for (addresses, corners) in addresses.iter_mut().zip(corners) {
                addresses.find::<V>(corners, start);
            }
            for lane in 0..V::LANES.min(a.positions - start) {
                let position = start + lane;
                let mut sums = [V::splat(V::Scalar::ZERO); VECTORS];
                for (tap, (addresses, corners)) in addresses.iter().zip(corners).enumerate() {
                    let weights = corners.weights(position);
                    let corners = addresses.of(lane);
                    for (v, sum) in sums.iter_mut().enumerate() {
                        let at = in_panels::<V, COLUMNS>(first, v, a.weight_stride) + tap * COLUMNS;
                        *sum = if VECTORS == 1 && lanes < V::LANES {
                            let scale = V::load_first(a.weight.add(at), lanes);
                            blend_first::<V>(corners, weights, 0, lanes).mul_add(scale, *sum)
                        } else {
                            let scale = V::load(a.weight.add(at));
                            blend::<V>(corners, weights, v * V::LANES).mul_add(scale, *sum)
                        };
                    }
                }
                for (v, sum) in sums.into_iter().enumerate() {
                    let at = in_panels::<V, COLUMNS>(first, v, a.acc_stride) + position * COLUMNS;
                    put(sum, a.acc.add(at), lanes, a.accumulate);
                }
            }
        }
    }
}

/// Where vector `v` of channels from `first` on is, in panels that are `stride` apart.
#[inline(always)]
fn in_panels<V: Simd, const COLUMNS: usize>(first: usize, v: usize, stride: usize) -> usize {
    let column = first + v * V::LANES;
    column / COLUMNS * stride + column % COLUMNS
}

/// Stores the first lanes, or adds them to what is there.
#[inline(always)]
unsafe fn put<V: Simd>(sum: V, to: *mut V::Scalar, lanes: usize, accumulate: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        if lanes < V::LANES {
            let sum = if accumulate { V::load_first(to, lanes).add(sum) } else { sum };
            sum.store_first(to, lanes);
        } else {
            let sum = if accumulate { V::load(to).add(sum) } else { sum };
            sum.store(to);
        }
    }
}
