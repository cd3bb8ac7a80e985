// The operator and its gradients straight from their definition, in double, from coordinates rounded to float; with
// each element the sum of its terms' magnitudes and their number, of which the error bound is made.
#ifndef DCN_TEST_REFERENCE_H
#define DCN_TEST_REFERENCE_H

#include "problem.h"

struct Sum {
    double value = 0, magnitude = 0;
    int64_t terms = 0;
    void add(double term) {
        value += term;
        magnitude += std::fabs(term);
        ++terms;
    }
};
using Sums = std::vector<Sum>;

struct Reference {
    Sums y, grad_x, grad_offset, grad_mask, grad_weight, grad_bias;
};

// One corner of a sample that lies in the image: its pixel, weight, and the derivatives of the weight.
struct Corner {
    int64_t y, x;
    double weight, along_y, along_x;
};

inline std::vector<Corner> corners_of(const Problem &p, float py, float px) {
    std::vector<Corner> corners;
    if (!(py > -1 && py < static_cast<float>(p.h) && px > -1 && px < static_cast<float>(p.w))) return corners;
    const double fy = std::floor(py), fx = std::floor(px), ly = py - fy, lx = px - fx;
    for (int a = 0; a < 2; ++a)
        for (int b = 0; b < 2; ++b) {
            const auto y = static_cast<int64_t>(fy) + a, x = static_cast<int64_t>(fx) + b;
            if (y < 0 || y >= p.h || x < 0 || x >= p.w) continue;
            const double wy = a ? ly : 1 - ly, wx = b ? lx : 1 - lx;
            corners.push_back({y, x, wy * wx, (a ? 1 : -1) * wx, (b ? 1 : -1) * wy});
        }
    return corners;
}

template <typename T> Reference reference(const Problem &p, const Tensors<T> &t) {
    Reference r;
    r.y.resize(p.n * p.o * p.plane());
    r.grad_x.resize(t.x.size());
    r.grad_offset.resize(t.offset.size());
    r.grad_mask.resize(t.mask.size());
    r.grad_weight.resize(t.weight.size());
    r.grad_bias.resize(p.o);
    const int64_t cg = p.c / p.groups, og = p.o / p.groups, cd = p.c / p.deformable_groups;
    for (int64_t n = 0; n < p.n; ++n)
        for (int64_t at = 0; at < p.plane(); ++at) {
            for (int64_t o = 0; o < p.o; ++o) {
                if (p.bias) r.y[(n * p.o + o) * p.plane() + at].add(p.bias_is_float ? t.float_bias[o] : emu::widen(t.bias[o]));
                r.grad_bias[o].add(emu::widen(t.grad_y[(n * p.o + o) * p.plane() + at]));
            }
            for (int64_t c = 0; c < p.c; ++c)
                for (int64_t k = 0; k < p.taps(); ++k) {
                    const int64_t map = (n * p.deformable_groups + c / cd) * p.taps() + k;
                    const int64_t dy = 2 * map * p.plane() + at, dx = dy + p.plane(), m = map * p.plane() + at;
                    const float py = static_cast<float>(at / p.wo() * p.stride_h - p.pad_top + k / p.kw * p.dilation_h) + emu::widen(t.offset[dy]);
                    const float px = static_cast<float>(at % p.wo() * p.stride_w - p.pad_left + k % p.kw * p.dilation_w) + emu::widen(t.offset[dx]);
                    const double mask = p.mask ? emu::widen(t.mask[m]) : 1;
                    for (const Corner &corner : corners_of(p, py, px)) {
                        const int64_t pixel = p.x_at(n, c, corner.y, corner.x);
                        const double v = emu::widen(t.x[pixel]);
                        for (int64_t o = c / cg * og; o < (c / cg + 1) * og; ++o) {
                            const int64_t w = (o * cg + c % cg) * p.taps() + k, out = (n * p.o + o) * p.plane() + at;
                            const double weight = emu::widen(t.weight[w]), g = emu::widen(t.grad_y[out]);
                            r.y[out].add(weight * mask * corner.weight * v);
                            r.grad_weight[w].add(g * mask * corner.weight * v);
                            r.grad_x[pixel].add(weight * g * mask * corner.weight);
                            r.grad_mask[m].add(weight * g * corner.weight * v);
                            r.grad_offset[dy].add(weight * g * mask * corner.along_y * v);
                            r.grad_offset[dx].add(weight * g * mask * corner.along_x * v);
                        }
                    }
                }
        }
    return r;
}

// Half the distance of neighbours in T around a value; 0 for float, whose rounding the bound already has.
template <typename T> double half_spacing(double value) {
    if (std::is_same_v<T, float>) return 0;
    int exponent = 0;
    std::frexp(value, &exponent);
    const int digits = std::is_same_v<T, half> ? 11 : 8, smallest = std::is_same_v<T, half> ? -24 : -133;
    return std::ldexp(0.5, std::max(exponent - digits, smallest));
}

// The first element that the bound does not allow, or an empty text. `old`: what the sum was added to.
template <typename T> std::string compare(const char *what, const Buffer<T> &got, const Sums &want, float old = 0) {
    for (int64_t i = 0; i < got.size(); ++i) {
        const Sum &sum = want[static_cast<size_t>(i)];
        const double value = sum.value + old, magnitude = sum.magnitude + std::fabs(old);
        const double bound = std::ldexp(8 + 2 * std::sqrt(static_cast<double>(sum.terms)), -23) * magnitude + half_spacing<T>(value);
        const double error = std::fabs(emu::widen(got[i]) - value);
        if (!(error <= bound))
            return std::string(what) + "[" + std::to_string(i) + "] is " + std::to_string(emu::widen(got[i])) + ", not " + std::to_string(value) +
                   " (error " + std::to_string(error) + ", bound " + std::to_string(bound) + ")";
    }
    return "";
}

#endif
