// Tensors of more than 4 GiB, of which only a few pages are touched: no address is cut to 32 bits.
#include <sys/mman.h>

#include <cstdio>

#include "device.h"
#include "tests.h"

namespace {

// Zeros without memory behind them until they are written.
class Sparse {
  public:
    explicit Sparse(int64_t count) : bytes_(static_cast<size_t>(count) * sizeof(float)) {
        void *memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("no address space for a sparse tensor");
        values_ = static_cast<float *>(memory);
        emu_memory_add(values_, bytes_);
    }
    ~Sparse() {
        emu_memory_remove(values_);
        munmap(values_, bytes_);
    }
    Sparse(const Sparse &) = delete;
    float &operator[](int64_t i) { return values_[i]; }
    float *data() { return values_; }

  private:
    size_t bytes_;
    float *values_;
};

int failures = 0, total = 0;

void report(const char *name, bool right) {
    ++total;
    failures += !right;
    if (!right) std::printf("%s beyond 4 GiB: wrong\n", name);
}

// Two planes further apart than a copy's gap can say.
void planes(const Device &device) {
    const int64_t plane = (int64_t{1} << 30) + 77, first = plane - 40;
    Sparse tensor(2 * plane), y(2 * plane);
    Buffer<float> grad(80), product(80);
    for (int64_t i = 0; i < 80; ++i) {
        tensor[i / 40 * plane + first + i % 40] = static_cast<float>(i + 1);
        product[i] = static_cast<float>(i + 1);
    }
    const dcn::OutputTiling tiling{{0, 1, first, 40}, 2, plane, dcn::kBiasAbsent};
    device.launch("dcn_grad_output_f32", {tensor.data(), grad.data()}, tiling);
    device.launch("dcn_output_f32", {product.data(), nullptr, y.data()}, tiling);
    bool packed = true, stored = true;
    for (int64_t i = 0; i < 80; ++i) {
        packed &= grad[i] == static_cast<float>(i + 1);
        stored &= y[i / 40 * plane + first + i % 40] == static_cast<float>(i + 1);
    }
    report("dcn_grad_output_f32", packed);
    report("dcn_output_f32", stored);
}

// An image whose rows are further apart than a copy's gap can say, sampled between its last pixels.
void image(const Device &device) {
    const int64_t width = int64_t{1} << 23, channels = 144, row = width * channels;
    Sparse x(2 * row), grad_x(2 * row);
    Buffer<float> offset(2), col(channels), grad_col(channels), grad_offset(2), grad_mask(1);
    offset[0] = 0.5f, offset[1] = static_cast<float>(width) - 1.5f;
    const int64_t corners[] = {row - 2 * channels, row - channels, 2 * row - 2 * channels, 2 * row - channels};
    for (int64_t c = 0; c < channels; ++c) {
        for (int64_t i = 0; i < 4; ++i) x[corners[i] + c] = static_cast<float>(c + 4 * i);
        grad_col[c] = 1;
    }
    dcn::SampleTiling s{};
    s.chunk = {0, 1, 0, 1};
    s.channels = channels, s.height = 2, s.width = width, s.out_width = 1, s.out_plane = 1, s.kernel_width = 1, s.taps = 1;
    s.stride_h = s.stride_w = s.dilation_h = s.dilation_w = s.groups = s.deformable_groups = 1;
    s.x_image = 2 * row, s.x_deformable = 2 * row, s.x_row = row, s.x_column = channels;
    device.launch("dcn_sample_f32", {x.data(), offset.data(), nullptr, col.data()}, s);
    device.launch("dcn_backward_f32",
                  {x.data(), offset.data(), nullptr, grad_col.data(), grad_x.data(), grad_offset.data(), grad_mask.data()}, s);
    bool sampled = true, scattered = true;
    for (int64_t c = 0; c < channels; ++c) {
        sampled &= col[c] == static_cast<float>(c + 6);
        for (const int64_t corner : corners) scattered &= grad_x[corner + c] == 0.25f;
    }
    report("dcn_sample_f32", sampled);
    report("dcn_backward_f32", scattered && grad_offset[0] == 8.0f * channels && grad_offset[1] == 4.0f * channels);
}

} // namespace

int test_addresses() {
    Device device;
    device.blocks = 2;
    try {
        planes(device);
        image(device);
    } catch (const std::exception &error) {
        report(error.what(), false);
    }
    std::printf("addresses: %d kernels on tensors beyond 4 GiB, %d failed\n", total, failures);
    return failures != 0;
}
