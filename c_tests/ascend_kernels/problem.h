// A problem of the operator, its tensors, and random ones.
#ifndef DCN_TEST_PROBLEM_H
#define DCN_TEST_PROBLEM_H

#include "device.h"

struct Problem {
    int64_t n = 1, c = 1, h = 1, w = 1, o = 1, kh = 1, kw = 1;
    int64_t stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0, dilation_h = 1, dilation_w = 1;
    int64_t groups = 1, deformable_groups = 1;
    bool mask = true, nhwc = false, bias_is_float = false, bias = true;

    int64_t taps() const { return kh * kw; }
    int64_t ho() const { return (h + pad_top + pad_bottom - (dilation_h * (kh - 1) + 1)) / stride_h + 1; }
    int64_t wo() const { return (w + pad_left + pad_right - (dilation_w * (kw - 1) + 1)) / stride_w + 1; }
    int64_t plane() const { return ho() * wo(); }
    int64_t x_at(int64_t in, int64_t ic, int64_t y, int64_t x) const {
        return nhwc ? ((in * h + y) * w + x) * c + ic : ((in * c + ic) * h + y) * w + x;
    }
    std::string text() const {
        std::string s;
        for (int64_t v : {n, c, h, w, o, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups, deformable_groups})
            s += std::to_string(v) + " ";
        return "n c h w o kh kw stride pad dilation groups deformable = " + s + (mask ? "mask " : "") + (nhwc ? "nhwc" : "nchw");
    }
};

inline Problem random_problem(Random &random) {
    Problem p;
    p.groups = pick(random, {1, 1, 1, 2, 3, 4});
    p.deformable_groups = pick(random, {1, 1, 2, 3});
    const int64_t both = p.groups * p.deformable_groups;
    p.c = both * pick(random, {1, 2, 3, 5, 8, 11, 16, 17});
    if (pick(random, {0, 0, 0, 1})) p.groups = p.c;
    p.o = p.groups * pick(random, {1, 2, 3, 7});
    p.n = pick(random, {1, 1, 2, 3});
    p.kh = pick(random, {1, 2, 3, 3});
    p.kw = pick(random, {1, 3, 3, 4});
    p.stride_h = pick(random, {1, 1, 2, 3});
    p.stride_w = pick(random, {1, 1, 2, 3});
    p.dilation_h = pick(random, {1, 1, 2});
    p.dilation_w = pick(random, {1, 1, 2});
    p.pad_top = pick(random, {0, 1, 2, 4});
    p.pad_left = pick(random, {0, 1, 2, 4});
    p.pad_bottom = pick(random, {0, 1, 2});
    p.pad_right = pick(random, {0, 1, 3});
    do {
        p.h = pick(random, {1, 2, 3, 5, 8, 11, 13});
        p.w = pick(random, {1, 2, 4, 7, 9, 12, 17});
    } while (p.h + p.pad_top + p.pad_bottom < p.dilation_h * (p.kh - 1) + 1 || p.w + p.pad_left + p.pad_right < p.dilation_w * (p.kw - 1) + 1);
    p.mask = pick(random, {0, 1, 1});
    p.nhwc = pick(random, {0, 1});
    p.bias = pick(random, {0, 1, 1});
    p.bias_is_float = pick(random, {0, 1});
    return p;
}

template <typename T> struct Tensors {
    Buffer<T> x, offset, mask, weight, bias, grad_y;
    Buffer<float> float_bias;

    Tensors(const Problem &p, Random &random)
        : x(p.n * p.c * p.h * p.w), offset(p.n * 2 * p.deformable_groups * p.taps() * p.plane()),
          mask(p.n * p.deformable_groups * p.taps() * p.plane()), weight(p.o * (p.c / p.groups) * p.taps()), bias(p.o),
          grad_y(p.n * p.o * p.plane()), float_bias(p.o) {
        fill(x, random);
        fill(mask, random);
        fill(weight, random);
        fill(bias, random);
        fill(grad_y, random);
        fill(float_bias, random);
        // Some offsets are whole numbers, which put samples on pixels and on the border, some lead far out.
        for (int64_t i = 0; i < offset.size(); ++i) {
            const int64_t kind = pick(random, {0, 0, 0, 0, 1, 2, 3});
            const float value = kind == 0 ? uniform(random, -2, 2) : kind == 1 ? std::nearbyint(uniform(random, -3, 3)) : uniform(random, -9, 9);
            offset[i] = emu::narrow<T>(kind == 3 && pick(random, {0, 0, 0, 1}) ? value * 1e6f : value);
        }
        for (int64_t i = 0; i < mask.size(); ++i)
            if (pick(random, {0, 0, 0, 0, 1})) mask[i] = emu::narrow<T>(0.0f);
    }

  private:
    template <typename V> static void fill(Buffer<V> &buffer, Random &random) {
        for (int64_t i = 0; i < buffer.size(); ++i) buffer[i] = emu::narrow<V>(uniform(random, -1, 1));
    }
};

template <typename T> struct Gradients {
    Buffer<T> x, offset, mask, weight, bias;
    explicit Gradients(const Tensors<T> &t)
        : x(t.x.size()), offset(t.offset.size()), mask(t.mask.size()), weight(t.weight.size()), bias(t.bias.size()) {}
};

#endif
