//! Backward, groups of one channel: everything that follows from grad_y at a position and the corners of its samples,
//! in registers. A vector of positions has all its taps before the next ones: what they sample overlaps, and is in the
//! cache.

use super::args::{DepthwiseGradientsArgs, MAX_DEPTHWISE_CHANNELS, MAX_DEPTHWISE_TAPS};
use super::corner_addresses::CornerAddresses;
use super::sample::{splats, weighted};
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;

/// # Safety
///
/// The processor has V's instruction set, `N` vectors have MAX_DEPTHWISE_CHANNELS lanes; `a` describes memory as
/// [`DepthwiseGradientsArgs`] says.
#[inline(always)]
pub unsafe fn depthwise_gradients<V: Simd, const N: usize>(a: &DepthwiseGradientsArgs<V::Scalar>) {
    // SAFETY: the caller's promise.
    unsafe {
        let (dots, scatter, sums) = (!a.dots.is_null(), !a.grad_image.is_null(), !a.grad_weight.is_null());
        match (dots, scatter, sums) {
            (true, true, true) => wanted::<V, N, true, true, true>(a),
            (true, true, false) => wanted::<V, N, true, true, false>(a),
            // What else is wanted together is rare.
            _ => {
                if dots {
                    wanted::<V, N, true, false, false>(a);
                }
                if scatter {
                    wanted::<V, N, false, true, false>(a);
                }
                if sums {
                    wanted::<V, N, false, false, true>(a);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn wanted<V: Simd, const N: usize, const DOTS: bool, const SCATTER: bool, const SUMS: bool>(
    a: &DepthwiseGradientsArgs<V::Scalar>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        // Of most units', the number of channels is known to the loop.
        match a.channels {
            MAX_DEPTHWISE_CHANNELS => positions::<V, N, true, DOTS, SCATTER, SUMS>(a),
            _ => positions::<V, N, false, DOTS, SCATTER, SUMS>(a),
        }
    }
}

/// All positions; `WHOLE`: all channels that there may be.
#[inline(always)]
unsafe fn positions<
    V: Simd,
    const N: usize,
    const WHOLE: bool,
    const DOTS: bool,
    const SCATTER: bool,
    const SUMS: bool,
>(
    a: &DepthwiseGradientsArgs<V::Scalar>,
) {
    let channels = if WHOLE { N * V::LANES } else { a.channels };
    let vectors = channels.div_ceil(V::LANES);
    let mut image = CornerAddresses::new(a.image, a.pixel_stride, V::Scalar::ZEROS);
    let mut grad_image = CornerAddresses::new(a.grad_image, a.grad_pixel_stride, a.outside);
    // SAFETY: corners are pixels or what stands in for them; these and all rows have the channels.
    unsafe {
        let zero = V::splat(V::Scalar::ZERO);
        let mut sums = [[zero; N]; MAX_DEPTHWISE_TAPS];
        let corners = std::slice::from_raw_parts(a.corners, a.taps);
        for start in (0..a.positions).step_by(V::LANES) {
            for (tap, corners) in corners.iter().enumerate() {
                if DOTS || SUMS {
                    image.find::<V>(corners, start);
                }
                if SCATTER {
                    grad_image.find::<V>(corners, start);
                }
                let weight = a.weight.wrapping_add(tap * a.weight_stride);
                let mut weights = [zero; N];
                if DOTS || SCATTER {
                    for (v, weights) in weights.iter_mut().enumerate().take(vectors) {
                        *weights = load(weight.add(v * V::LANES), channels - v * V::LANES);
                    }
                }
                let mut of_tap = sums[tap];
                for lane in 0..V::LANES.min(a.positions - start) {
                    let position = start + lane;
                    let mut sample = Sample::<V, DOTS, SCATTER, SUMS> {
                        image: image.of(lane),
                        grad_image: grad_image.of(lane).map(<*const V::Scalar>::cast_mut),
                        corner_weights: splats(corners.weights(position)),
                        dots: [zero; 4],
                    };
                    for v in 0..vectors {
                        let n = channels - v * V::LANES;
                        let grad_y = load(a.grad_y.add(position * a.grad_y_stride + v * V::LANES), n);
                        of_tap[v] = sample.add(v * V::LANES, n, [grad_y, weights[v]], of_tap[v]);
                    }
                    if DOTS {
                        let to = a.dots.add(tap * a.dots_stride + 4 * position);
                        to.cast::<[V::Scalar; 4]>().write(V::sums(sample.dots));
                    }
                }
                sums[tap] = of_tap;
            }
        }
        for (tap, sums) in sums.iter().enumerate().take(if SUMS { a.taps } else { 0 }) {
            for (v, &sum) in sums.iter().enumerate().take(vectors) {
                let (to, n) = (a.grad_weight.add(tap * a.grad_weight_stride + v * V::LANES), channels - v * V::LANES);
                store(if a.accumulate { load::<V>(to, n).add(sum) } else { sum }, to, n);
            }
        }
    }
}

/// A tap at a position: where everything is, and the sums of the dot products, lane by lane.
struct Sample<V: Simd, const DOTS: bool, const SCATTER: bool, const SUMS: bool> {
    image: [*const V::Scalar; 4],
    grad_image: [*mut V::Scalar; 4],
    corner_weights: [V; 4],
    dots: [V; 4],
}

impl<V: Simd, const DOTS: bool, const SCATTER: bool, const SUMS: bool> Sample<V, DOTS, SCATTER, SUMS> {
    /// A vector of channels from `c` on, or the first `n` of them. Gives the sum of grad_weight with what is added to
    /// it.
    #[inline(always)]
    unsafe fn add(&mut self, c: usize, n: usize, [grad_y, weight]: [V; 2], sum: V) -> V {
        // SAFETY: the caller's promise.
        unsafe {
            let gcol = if DOTS || SCATTER { grad_y.mul(weight) } else { grad_y };
            let mut values = [grad_y; 4];
            for (k, value) in values.iter_mut().enumerate() {
                if DOTS || SUMS {
                    *value = load(self.image[k].add(c), n);
                }
                if DOTS {
                    self.dots[k] = gcol.mul_add(*value, self.dots[k]);
                }
                if SCATTER {
                    let to = self.grad_image[k].add(c);
                    store(self.corner_weights[k].mul_add(gcol, load(to, n)), to, n);
                }
            }
            if SUMS { grad_y.mul_add(weighted(values, self.corner_weights), sum) } else { sum }
        }
    }
}

/// A vector, or its first `n` lanes.
#[inline(always)]
unsafe fn load<V: Simd>(from: *const V::Scalar, n: usize) -> V {
    // SAFETY: the caller's promise.
    unsafe { if n < V::LANES { V::load_first(from, n) } else { V::load(from) } }
}

/// A vector, or its first `n` lanes.
#[inline(always)]
unsafe fn store<V: Simd>(vector: V, to: *mut V::Scalar, n: usize) {
    // SAFETY: the caller's promise.
    unsafe { if n < V::LANES { vector.store_first(to, n) } else { vector.store(to) } }
}
