// Random problems, forward and backward, in the three dtypes: the kernels' sequence against the reference.
#include <cstdio>

#include "passes.h"
#include "reference.h"
#include "tests.h"

namespace {

template <typename T> std::string check(const Problem &p, const Device &device, Random &random) {
    Tensors<T> t(p, random);
    const Reference want = reference(p, t);
    Passes<T> passes(device, p, pick(random, {1, 2, 3}), pick(random, {64, 128, 256, 512}));

    Buffer<T> y(p.n * p.o * p.plane());
    y.fill(NAN);
    passes.forward(t, y);
    std::string wrong = compare("y", y, want.y);
    if (!wrong.empty()) return wrong;

    Wanted wanted;
    wanted.accumulate = pick(random, {0, 1});
    wanted.x = pick(random, {0, 1, 1, 1});
    wanted.offset = pick(random, {0, 1, 1, 1});
    wanted.mask = pick(random, {0, 1, 1, 1}) && p.mask;
    wanted.weight = pick(random, {0, 1, 1});
    wanted.bias = pick(random, {0, 1, 1});
    const float old = wanted.accumulate ? 0.5f : 0.0f;
    Gradients<T> g(t);
    for (Buffer<T> *buffer : {&g.x, &g.offset, &g.mask, &g.weight, &g.bias}) buffer->fill(wanted.accumulate ? 0.5f : NAN);
    passes.backward(t, g, wanted);
    if (wanted.x) wrong += compare("grad_x", g.x, want.grad_x, old);
    if (wanted.offset) wrong += compare("grad_offset", g.offset, want.grad_offset, old);
    if (wanted.mask) wrong += compare("grad_mask", g.mask, want.grad_mask, old);
    if (wanted.weight) wrong += compare("grad_weight", g.weight, want.grad_weight, old);
    if (wanted.bias) wrong += compare("grad_bias", g.bias, want.grad_bias, old);
    return wrong;
}

bool run_one(uint64_t seed) {
    Random random(seed);
    const Problem p = random_problem(random);
    Device device;
    device.blocks = static_cast<uint32_t>(pick(random, {1, 2, 3, 7, 24, 40, 48}));
    emu_set_block_order(random());
    emu_set_max_keeps_nan(static_cast<int>(random() & 1));
    const int64_t dtype = pick(random, {0, 0, 1, 2});
    std::string wrong;
    try {
        wrong = dtype == 0 ? check<float>(p, device, random) : dtype == 1 ? check<half>(p, device, random) : check<bfloat16_t>(p, device, random);
    } catch (const std::exception &error) {
        wrong = error.what();
    }
    if (!wrong.empty()) std::printf("seed %llu: %s: %s\n", static_cast<unsigned long long>(seed), p.text().c_str(), wrong.c_str());
    return wrong.empty();
}

} // namespace

int test_operator(uint64_t first, uint64_t count) {
    int failures = 0;
    for (uint64_t seed = first; seed < first + count; ++seed) failures += !run_one(seed);
    std::printf("operator: %llu random problems, %d failed\n", static_cast<unsigned long long>(count), failures);
    return failures != 0;
}
