// Leaves out each synchronisation of each kernel in turn: the emulator must notice every one.
//
// Problems are run once as they are, to learn which synchronisations each kernel comes by in which problem, then with
// one left out.
#include <cstdio>
#include <map>
#include <set>

#include "passes.h"
#include "tests.h"

namespace {

using Site = std::pair<std::string, std::string>; // kernel, synchronisation
using Sites = std::set<Site>;

void note(void *context, const std::string &kernel) {
    for (size_t i = 0; i < emu_sites(); ++i) static_cast<Sites *>(context)->insert({kernel, emu_site(i)});
}

// Problems that between them take every way through the kernels; seeds make variety in the rest.
std::vector<Problem> problems() {
    std::vector<Problem> all;
    Problem p;
    p.n = 2, p.c = 10, p.h = 9, p.w = 11, p.o = 4, p.kh = p.kw = 3, p.pad_top = p.pad_left = p.pad_bottom = p.pad_right = 1;
    p.groups = 2, p.deformable_groups = 1;
    all.push_back(p);
    p.nhwc = true, p.bias_is_float = true, p.deformable_groups = 5;
    all.push_back(p);
    p.groups = 10, p.o = 20, p.mask = false, p.bias = false;
    all.push_back(p);
    p = Problem{};
    p.c = 600, p.h = 2, p.w = 40, p.o = 70, p.kw = 2; // many channels, two batches of them
    all.push_back(p);
    p = Problem{};
    p.c = 66, p.h = 5, p.w = 30, p.o = 66, p.groups = 66, p.kh = 2, p.kw = 33, p.pad_right = 32; // more taps than one sum holds
    all.push_back(p);
    p = Problem{};
    p.c = 2, p.h = 2, p.w = 3, p.o = 260, p.groups = 2; // more outputs of a channel than one sum holds
    all.push_back(p);
    p = Problem{};
    p.n = 70, p.c = 3, p.h = 3, p.w = 4, p.o = 2, p.nhwc = true; // a level of the bias's sums and more
    all.push_back(p);
    p = Problem{};
    p.n = 1, p.c = 2, p.h = 70, p.w = 70, p.o = 2; // sums over several runs of positions
    all.push_back(p);
    return all;
}

template <typename T> void run(const Problem &p, const Device &device, uint64_t seed) {
    Random random(seed);
    Tensors<T> t(p, random);
    Passes<T> passes(device, p, 2, p.plane() > 2000 ? 4900 : p.plane() * 2 > 128 ? 128 : p.plane() * 2);
    Buffer<T> y(p.n * p.o * p.plane());
    passes.forward(t, y);
    Gradients<T> g(t);
    for (Buffer<T> *buffer : {&g.x, &g.offset, &g.mask, &g.weight, &g.bias}) buffer->fill(0.5f);
    Wanted wanted;
    wanted.accumulate = true;
    passes.backward(t, g, wanted);
    wanted.accumulate = false;
    passes.backward(t, g, wanted);
    wanted.offset = wanted.mask = wanted.weight = wanted.bias = false;
    passes.backward(t, g, wanted);
}

void run(const Problem &p, int dtype, const Device &device) {
    if (dtype == 0) run<float>(p, device, 1);
    else if (dtype == 1) run<half>(p, device, 2);
    else run<bfloat16_t>(p, device, 3);
}

} // namespace

int test_mutants() {
    std::map<Site, std::vector<std::pair<Problem, int>>> where;
    for (const Problem &p : problems())
        for (int dtype = 0; dtype < 3; ++dtype) {
            Sites sites;
            Device device;
            device.after = note, device.context = &sites;
            run(p, dtype, device);
            for (const Site &site : sites) where[site].push_back({p, dtype});
        }
    size_t caught = 0;
    for (const auto &[site, runs] : where) {
        bool seen = false;
        for (const auto &[p, dtype] : runs) {
            Device device;
            device.mutant_kernel = site.first, device.mutant_site = site.second;
            try {
                run(p, dtype, device);
            } catch (const std::exception &) {
                seen = true;
                break;
            }
        }
        caught += seen;
        if (!seen) std::printf("not caught: %s without %s\n", site.first.c_str(), site.second.c_str());
    }
    emu_disable_site(nullptr);
    std::printf("mutants: %zu of %zu synchronisations are missed when they are left out\n", caught, where.size());
    return caught != where.size() || where.empty();
}
