// Each kernel that is no sampler by itself, against a plain loop, on sizes around every tile and run length.
#include <cstdio>

#include "device.h"
#include "reference.h"
#include "tests.h"

namespace {

int failures = 0, total = 0;

void report(const std::string &name, bool right) {
    ++total;
    failures += !right;
    if (!right) std::printf("%s: wrong\n", name.c_str());
}

template <typename T> void randomise(Buffer<T> &buffer, Random &random) {
    for (int64_t i = 0; i < buffer.size(); ++i) buffer[i] = emu::narrow<T>(uniform(random, -1, 1));
}
template <typename T> bool same(T a, T b) { return !std::memcmp(&a, &b, sizeof a); }
template <typename T> std::string name(const char *kernel) { return std::string(kernel) + "_" + dtype_name<T>(); }

template <typename T> void layouts(Random &random, const Device &device) {
    const int64_t batch = pick(random, {1, 2, 3}), rows = pick(random, {1, 2, 8, 63, 64, 65, 130}), columns = pick(random, {2, 9, 63, 64, 65, 200, 5000});
    const int64_t count = batch * rows * columns;
    Buffer<T> narrow_in(count), narrow_out(count), old(count);
    Buffer<float> wide_in(count), wide_out(count);
    randomise(narrow_in, random), randomise(wide_in, random), randomise(old, random);
    const bool accumulate = random() & 1;
    for (int64_t i = 0; i < count; ++i) narrow_out[i] = old[i];
    const dcn::LayoutTiling tiling{batch, rows, columns, accumulate};
    device.launch(name<T>("dcn_layout_in"), {narrow_in.data(), wide_out.data()}, tiling);
    device.launch(name<T>("dcn_layout_out"), {wide_in.data(), narrow_out.data()}, tiling);
    bool in = true, out = true;
    for (int64_t a = 0; a < batch; ++a)
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t c = 0; c < columns; ++c) {
                const int64_t from = (a * rows + r) * columns + c, to = (a * columns + c) * rows + r;
                in &= same(wide_out[to], emu::widen(narrow_in[from]));
                const float sum = accumulate ? wide_in[from] + emu::widen(old[to]) : wide_in[from];
                out &= same(narrow_out[to], emu::narrow<T>(sum));
            }
    report(name<T>("dcn_layout_in"), in);
    report(name<T>("dcn_layout_out"), out);
}

dcn::Chunk random_chunk(Random &random, int64_t batch, int64_t plane) {
    if (random() & 1) {
        const int64_t image = static_cast<int64_t>(random() % static_cast<uint64_t>(batch));
        return {image, batch - image, 0, plane};
    }
    const int64_t first = static_cast<int64_t>(random() % static_cast<uint64_t>(plane));
    return {static_cast<int64_t>(random() % static_cast<uint64_t>(batch)), 1, first, plane - first};
}

template <typename T> void planes(Random &random, const Device &device) {
    const int64_t batch = pick(random, {1, 2, 4}), outputs = pick(random, {1, 3, 64, 65, 130}), plane = pick(random, {1, 7, 49, 64, 65, 300, 4100});
    const dcn::Chunk chunk = random_chunk(random, batch, plane);
    const int64_t rows = chunk.images * chunk.positions;
    Buffer<T> tensor(batch * outputs * plane), y(batch * outputs * plane), bias(outputs);
    Buffer<float> product(outputs * rows), grad(outputs * rows), float_bias(outputs);
    randomise(tensor, random), randomise(product, random), randomise(bias, random), randomise(float_bias, random);
    y.fill(7);
    const int64_t kind = pick(random, {dcn::kBiasAbsent, dcn::kBiasOfTensors, dcn::kBiasFloat});
    void *const biases[] = {nullptr, bias.data(), float_bias.data()};
    const dcn::OutputTiling tiling{chunk, outputs, plane, kind};
    device.launch(name<T>("dcn_output"), {product.data(), biases[kind], y.data()}, tiling);
    device.launch(name<T>("dcn_grad_output"), {tensor.data(), grad.data()}, tiling);
    bool out = true, packed = true;
    for (int64_t i = 0; i < batch; ++i)
        for (int64_t o = 0; o < outputs; ++o)
            for (int64_t at = 0; at < plane; ++at) {
                const int64_t element = (i * outputs + o) * plane + at;
                const bool inside = i >= chunk.image && i < chunk.image + chunk.images && at >= chunk.first && at < chunk.first + chunk.positions;
                if (!inside) {
                    out &= emu::widen(y[element]) == 7;
                    continue;
                }
                const int64_t r = o * rows + (i - chunk.image) * chunk.positions + at - chunk.first;
                const float b = kind == dcn::kBiasAbsent ? 0 : kind == dcn::kBiasFloat ? float_bias[o] : emu::widen(bias[o]);
                out &= same(y[element], emu::narrow<T>(kind == dcn::kBiasAbsent ? product[r] : product[r] + b));
                packed &= same(grad[r], emu::widen(tensor[element]));
            }
    report(name<T>("dcn_output"), out);
    report(name<T>("dcn_grad_output"), packed);
}

template <typename T> void biases(Random &random, const Device &device) {
    const int64_t batch = pick(random, {0, 1, 2, 65, 130}), outputs = pick(random, {1, 2, 5}), plane = pick(random, {1, 63, 64, 65, 4095, 4096, 4097, 9000});
    Buffer<T> grad_y(std::max<int64_t>(1, batch * outputs * plane)), grad_bias(outputs);
    randomise(grad_y, random);
    const bool accumulate = random() & 1;
    grad_bias.fill(0.5f);
    device.launch(name<T>("dcn_grad_bias"), {grad_y.data(), grad_bias.data()}, dcn::GradBiasTiling{batch, outputs, plane, accumulate});
    Sums want(static_cast<size_t>(outputs));
    for (int64_t i = 0; i < batch * outputs * plane; ++i) want[static_cast<size_t>(i / plane % outputs)].add(emu::widen(grad_y[i]));
    const std::string wrong = compare("grad_bias", grad_bias, want, accumulate ? 0.5f : 0.0f);
    if (!wrong.empty()) std::printf("%s\n", wrong.c_str());
    report(name<T>("dcn_grad_bias"), wrong.empty());
}

void depthwise(Random &random, const Device &device) {
    const int64_t c = pick(random, {2, 3, 63, 64, 65, 100}), m = pick(random, {1, 1, 2, 3, 130}), k = m > 3 ? 2 : pick(random, {1, 2, 9, 70}), rows = pick(random, {1, 5, 63, 64, 65, 300});
    Buffer<float> col(rows * k * c), weight(m * k * c), product(c * m * rows), grad(c * m * rows), grad_col(rows * k * c), grad_weight(m * k * c);
    for (Buffer<float> *buffer : {&col, &weight, &grad}) randomise(*buffer, random);
    const bool accumulate = random() & 1;
    grad_weight.fill(accumulate ? 0.5f : NAN);
    const dcn::DepthwiseTiling tiling{c, m, k, rows, accumulate};
    device.launch("dcn_depthwise_forward_f32", {col.data(), weight.data(), product.data()}, tiling);
    device.launch("dcn_depthwise_grad_col_f32", {grad.data(), weight.data(), grad_col.data()}, tiling);
    device.launch("dcn_depthwise_grad_weight_f32", {grad.data(), col.data(), grad_weight.data()}, tiling);
    Sums of_product(static_cast<size_t>(product.size())), of_col(static_cast<size_t>(col.size())), of_weight(static_cast<size_t>(weight.size()));
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t tap = 0; tap < k; ++tap)
            for (int64_t i = 0; i < c; ++i)
                for (int64_t j = 0; j < m; ++j) {
                    const int64_t o = (i * m + j) * rows + r, v = (r * k + tap) * c + i, w = (j * k + tap) * c + i;
                    of_product[static_cast<size_t>(o)].add(double{col[v]} * weight[w]);
                    of_col[static_cast<size_t>(v)].add(double{grad[o]} * weight[w]);
                    of_weight[static_cast<size_t>(w)].add(double{grad[o]} * col[v]);
                }
    const std::string wrong = compare("product", product, of_product) + compare("grad_col", grad_col, of_col) +
                              compare("grad_weight", grad_weight, of_weight, accumulate ? 0.5f : 0.0f);
    if (!wrong.empty()) std::printf("%s\n", wrong.c_str());
    report("dcn_depthwise", wrong.empty());
}

template <typename T> void round(Random &random, const Device &device) {
    layouts<T>(random, device);
    planes<T>(random, device);
    biases<T>(random, device);
}

} // namespace

int test_kernels() {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        Random random(seed);
        Device device;
        device.blocks = static_cast<uint32_t>(pick(random, {1, 2, 20, 48}));
        emu_set_block_order(seed);
        try {
            round<float>(random, device);
            round<half>(random, device);
            round<bfloat16_t>(random, device);
            depthwise(random, device);
        } catch (const std::exception &error) {
            report(error.what(), false);
        }
    }
    std::printf("kernels: %d runs, %d failed\n", total, failures);
    return failures != 0;
}
