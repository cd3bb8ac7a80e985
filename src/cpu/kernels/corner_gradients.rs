//! Backward: what the gradient of a sample means for its four corners. Their dot products with it give the gradients of
//! offset and mask; grad_x gets a weighted share of it at each.

use super::args::CornerGradientsArgs;
use super::corner_addresses::CornerAddresses;
use super::sample::{splats, weighted};
use crate::cpu::element::Compute;
use crate::cpu::simd::Simd;

/// Any number of channels, as many as a vector has, and as many as a unit of the column gradient mostly has.
const ANY: usize = 0;
const VECTOR: usize = 1;
const UNIT: usize = 64;

/// # Safety
///
/// The processor has V's instruction set; `a` describes memory as [`CornerGradientsArgs`] says.
#[inline(always)]
pub unsafe fn corner_gradients<V: Simd>(a: &CornerGradientsArgs<V::Scalar>) {
    // SAFETY: the caller's promise.
    unsafe {
        match (a.image.is_null(), a.grad_image.is_null()) {
            (false, false) if !a.col.is_null() => wanted::<V, true, true, true>(a),
            (false, false) => wanted::<V, true, true, false>(a),
            (false, true) => wanted::<V, true, false, false>(a),
            _ => wanted::<V, false, true, false>(a),
        }
    }
}

#[inline(always)]
unsafe fn wanted<V: Simd, const DOTS: bool, const SCATTER: bool, const SAMPLE: bool>(
    a: &CornerGradientsArgs<V::Scalar>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        // Of few channels, and of most units', the number is known to the loop.
        match a.channels {
            n if n == V::Half::LANES => positions::<V, V::Half, VECTOR, DOTS, SCATTER, SAMPLE>(a),
            n if n == V::LANES => positions::<V, V, VECTOR, DOTS, SCATTER, SAMPLE>(a),
            UNIT => positions::<V, V, UNIT, DOTS, SCATTER, SAMPLE>(a),
            _ => positions::<V, V, ANY, DOTS, SCATTER, SAMPLE>(a),
        }
    }
}

/// All positions, with coordinates in vectors V and `CHANNELS` channels in vectors W.
#[inline(always)]
unsafe fn positions<
    V: Simd,
    W: Simd<Scalar = V::Scalar>,
    const CHANNELS: usize,
    const DOTS: bool,
    const SCATTER: bool,
    const SAMPLE: bool,
>(
    a: &CornerGradientsArgs<V::Scalar>,
) {
    let mut image = CornerAddresses::new(a.image, a.pixel_stride, V::Scalar::ZEROS);
    let mut grad_image = CornerAddresses::new(a.grad_image, a.grad_pixel_stride, a.outside);
    let mut first = 0;
    // SAFETY: corners are pixels or what stands in for them, with `channels` elements; rows of gcol likewise.
    unsafe {
        while first < a.positions {
            if DOTS {
                image.find::<V>(&a.corners, first);
            }
            if SCATTER {
                grad_image.find::<V>(&a.corners, first);
            }
            for lane in 0..V::LANES.min(a.positions - first) {
                let p = first + lane;
                let mut sample = Sample::<W, DOTS, SCATTER, SAMPLE> {
                    gcol: a.gcol.add(p * a.gcol_stride),
                    col: if SAMPLE { a.col.add(p * a.gcol_stride) } else { a.col },
                    image: image.of(lane),
                    grad_image: grad_image.of(lane).map(<*const V::Scalar>::cast_mut),
                    weights: splats(a.corners.weights(p)),
                    sums: [W::splat(W::Scalar::ZERO); 4],
                };
                let channels = match CHANNELS {
                    ANY => a.channels,
                    VECTOR => W::LANES,
                    channels => channels,
                };
                let mut c = 0;
                while c + W::LANES <= channels {
                    sample.add(c);
                    c += W::LANES;
                }
                if c < channels {
                    sample.add_first(c, channels - c);
                }
                if DOTS {
                    a.dots.add(4 * p).cast::<[W::Scalar; 4]>().write(W::sums(sample.sums));
                }
            }
            first += V::LANES;
        }
    }
}

/// One position: where everything is, and the sums of the dot products, lane by lane.
struct Sample<W: Simd, const DOTS: bool, const SCATTER: bool, const SAMPLE: bool> {
    gcol: *const W::Scalar,
    col: *mut W::Scalar,
    image: [*const W::Scalar; 4],
    grad_image: [*mut W::Scalar; 4],
    weights: [W; 4],
    sums: [W; 4],
}

impl<W: Simd, const DOTS: bool, const SCATTER: bool, const SAMPLE: bool> Sample<W, DOTS, SCATTER, SAMPLE> {
    /// A vector of channels from `c` on.
    #[inline(always)]
    unsafe fn add(&mut self, c: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let g = W::load(self.gcol.add(c));
            let mut values = [W::splat(W::Scalar::ZERO); 4];
            for (k, value) in values.iter_mut().enumerate() {
                if DOTS {
                    *value = W::load(self.image[k].add(c));
                    self.sums[k] = g.mul_add(*value, self.sums[k]);
                }
                if SCATTER {
                    let to = self.grad_image[k].add(c);
                    self.weights[k].mul_add(g, W::load(to)).store(to);
                }
            }
            if SAMPLE {
                weighted(values, self.weights).store(self.col.add(c));
            }
        }
    }

    /// The last `n` channels, from `c` on, which fill no vector.
    #[inline(always)]
    unsafe fn add_first(&mut self, c: usize, n: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let g = W::load_first(self.gcol.add(c), n);
            let mut values = [W::splat(W::Scalar::ZERO); 4];
            for (k, value) in values.iter_mut().enumerate() {
                if DOTS {
                    *value = W::load_first(self.image[k].add(c), n);
                    self.sums[k] = g.mul_add(*value, self.sums[k]);
                }
                if SCATTER {
                    let to = self.grad_image[k].add(c);
                    self.weights[k].mul_add(g, W::load_first(to, n)).store_first(to, n);
                }
            }
            if SAMPLE {
                weighted(values, self.weights).store_first(self.col.add(c), n);
            }
        }
    }
}
