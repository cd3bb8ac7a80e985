// Named cases: shapes at which others went wrong, borders, and values that are not finite.
#include <cstdio>

#include "passes.h"
#include "reference.h"
#include "tests.h"

namespace {

int failures = 0, total = 0;

void report(const char *name, const std::string &wrong) {
    ++total;
    if (wrong.empty()) return;
    ++failures;
    std::printf("%s: %s\n", name, wrong.c_str());
}

struct Results {
    Buffer<float> y;
    Gradients<float> g;
    Results(const Problem &p, const Tensors<float> &t) : y(p.n * p.o * p.plane()), g(t) {}
};

void run(const Problem &p, Tensors<float> &t, Results &r, int64_t chunk_positions = 4096) {
    Device device;
    device.blocks = 40;
    Passes<float> passes(device, p, p.n, chunk_positions);
    passes.forward(t, r.y);
    Wanted wanted;
    wanted.mask = p.mask;
    passes.backward(t, r.g, wanted);
}

std::string check_all(const Problem &p, const Tensors<float> &t, const Results &r) {
    const Reference want = reference(p, t);
    std::string wrong = compare("y", r.y, want.y) + compare("grad_x", r.g.x, want.grad_x) + compare("grad_offset", r.g.offset, want.grad_offset);
    if (p.mask) wrong += compare("grad_mask", r.g.mask, want.grad_mask);
    return wrong + compare("grad_weight", r.g.weight, want.grad_weight) + compare("grad_bias", r.g.bias, want.grad_bias);
}

template <typename F> void changed(const char *name, Problem p, F change, int64_t chunk_positions = 4096) {
    try {
        Random random(7);
        Tensors<float> t(p, random);
        change(t);
        Results r(p, t);
        run(p, t, r, chunk_positions);
        report(name, check_all(p, t, r));
    } catch (const std::exception &error) {
        report(name, error.what());
    }
}
void shape(const char *name, Problem p, int64_t chunk_positions = 4096) { changed(name, p, [](Tensors<float> &) {}, chunk_positions); }

Problem square(int64_t c, int64_t o, int64_t h, int64_t w) {
    Problem p;
    p.c = c, p.o = o, p.h = h, p.w = w, p.kh = p.kw = 3, p.pad_top = p.pad_left = p.pad_bottom = p.pad_right = 1;
    return p;
}

void shapes() {
    Problem p = square(256, 8, 7, 9);
    p.stride_h = p.stride_w = 2;
    shape("stride 2 at 256 channels", p);
    p.nhwc = true;
    shape("stride 2 at 256 channels, NHWC", p);
    shape("64 channels", square(64, 64, 5, 6));
    p = square(64, 16, 5, 6);
    p.groups = 8;
    shape("8 groups", p);
    p = square(512, 4, 4, 5);
    shape("512 channels", p);
    p = square(700, 2, 3, 4);
    shape("700 channels", p);
    p.nhwc = true;
    shape("700 channels, NHWC", p);
    changed("a mask of zeros", square(16, 8, 6, 7), [](Tensors<float> &t) { t.mask.fill(0); });
    changed("whole offsets", square(5, 3, 6, 7), [](Tensors<float> &t) {
        for (int64_t i = 0; i < t.offset.size(); ++i) t.offset[i] = static_cast<float>(i % 7 - 3);
    });
    // Distances from a pixel that 1 - |u - 1| would lose.
    changed("offsets next to a pixel", square(3, 2, 6, 7), [](Tensors<float> &t) {
        for (int64_t i = 0; i < t.offset.size(); ++i) t.offset[i] = (i % 2 ? 1.0f : -1.0f) * std::ldexp(1.0f, -static_cast<int>(i % 40));
        for (int64_t i = 0; i < t.x.size(); ++i)
            if (i % 3) t.x[i] *= 1e8f;
    });
    changed("all samples out of range", square(3, 2, 6, 7), [](Tensors<float> &t) { t.offset.fill(100); });
    changed("on the border", square(3, 2, 6, 7), [](Tensors<float> &t) { t.offset.fill(-1); });
    Problem wide = square(3, 2, 2, 300);
    shape("a row of many segments", wide);
    shape("a row in pieces", wide, 64);
    Problem one;
    shape("one element", one);
    Problem stride;
    stride.c = 2, stride.o = 2, stride.h = 3, stride.w = 3, stride.stride_h = stride.stride_w = int64_t{1} << 40;
    shape("a stride beyond the image", stride);
    Problem deep = square(12, 24, 5, 6);
    deep.groups = 12;
    deep.n = 3;
    shape("depthwise, two outputs a channel", deep, 64);
    deep.deformable_groups = 6;
    shape("depthwise with deformable groups", deep, 64);
}

// Values that are not finite, each in a problem of its own.
Problem small() {
    Problem p = square(2, 2, 4, 4);
    p.kh = p.kw = 1, p.pad_top = p.pad_left = p.pad_bottom = p.pad_right = 0;
    p.bias = false;
    return p;
}

template <typename F, typename G> void not_finite(const char *name, F change, G judge) {
    for (const bool keeps : {false, true}) {
        emu_set_max_keeps_nan(keeps);
        try {
            const Problem p = small();
            Random random(3);
            Tensors<float> t(p, random);
            t.offset.fill(0.25f);
            t.mask.fill(0.5f);
            change(t);
            Results r(p, t);
            run(p, t, r);
            report(name, judge(r) ? "" : "not as the contract has it");
        } catch (const std::exception &error) {
            report(name, error.what());
        }
    }
}

void values() {
    const int64_t at = 5, plane = 16; // output position 5, sampled around pixel 5
    for (const float bad : {NAN, HUGE_VALF, -HUGE_VALF, 3e38f, -3e38f})
        for (const int64_t axis : {0, 1})
            not_finite("offset that leads nowhere", [&](Tensors<float> &t) { t.offset[axis * plane + at] = bad; },
                       [&](Results &r) {
                           return r.y[at] == 0 && r.y[plane + at] == 0 && r.g.offset[at] == 0 && r.g.offset[plane + at] == 0 && r.g.mask[at] == 0;
                       });
    not_finite("out of range, grad_y, weight and mask not finite",
               [&](Tensors<float> &t) {
                   t.offset.fill(50);
                   t.grad_y.fill(HUGE_VALF);
                   t.weight.fill(NAN);
                   t.mask.fill(NAN);
               },
               [&](Results &r) {
                   for (int64_t i = 0; i < r.g.x.size(); ++i)
                       if (r.g.x[i] != 0) return false;
                   for (int64_t i = 0; i < plane; ++i)
                       if (r.g.offset[i] != 0 || r.g.offset[plane + i] != 0 || r.g.mask[i] != 0) return false;
                   return true;
               });
    not_finite("mask NaN out of range", [&](Tensors<float> &t) { t.offset[at] = 50, t.mask[at] = NAN; },
               [&](Results &r) { return std::isnan(r.y[at]) && std::isnan(r.g.weight[0]) && r.g.mask[at] == 0; });
    not_finite("mask infinite in range", [&](Tensors<float> &t) { t.mask[at] = HUGE_VALF; },
               [&](Results &r) { return !std::isfinite(r.y[at]) && std::isfinite(r.g.mask[at]) && std::isfinite(r.y[at + 1]); });
    not_finite("x NaN at a corner", [&](Tensors<float> &t) { t.x[5] = NAN; },
               [&](Results &r) { return std::isnan(r.y[0]) && std::isnan(r.y[5]) && std::isfinite(r.y[15]) && std::isfinite(r.y[2 * 4 + 3]); });
    // Only the corners of samples that see the infinite gradient may show it: position 5 touches pixels 5, 6, 9 and 10.
    not_finite("grad_y infinite", [&](Tensors<float> &t) { t.grad_y[at] = HUGE_VALF; },
               [&](Results &r) {
                   for (int64_t i = 0; i < 16; ++i) {
                       const bool touched = i == 5 || i == 6 || i == 9 || i == 10;
                       if (std::isfinite(r.g.x[i]) == touched) return false;
                   }
                   return true;
               });
    // At the lower right corner of the image the sample has one corner; the cell that is moved inward has four.
    not_finite("grad_y infinite at the image's corner", [&](Tensors<float> &t) { t.grad_y[15] = HUGE_VALF; },
               [&](Results &r) {
                   for (int64_t i = 0; i < 16; ++i)
                       if (std::isfinite(r.g.x[i]) == (i == 15)) return false;
                   return true;
               });
}

} // namespace

int test_cases() {
    shapes();
    values();
    std::printf("cases: %d, %d failed\n", total, failures);
    return failures != 0;
}
