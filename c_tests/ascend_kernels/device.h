// "Device memory", each tensor with its own bounds, and launches on the emulator.
#ifndef DCN_TEST_DEVICE_H
#define DCN_TEST_DEVICE_H

#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "../ascend_emu/emulator.h"
#include "../ascend_emu/numbers.h"
#include "../../src/ascend/kernels/tiling.h"

template <typename T> class Buffer {
  public:
    explicit Buffer(size_t count) : values_(new T[count]), count_(count) { emu_memory_add(values_.get(), count * sizeof(T)); }
    ~Buffer() { emu_memory_remove(values_.get()); }
    Buffer(const Buffer &) = delete;
    T &operator[](int64_t i) { return values_[static_cast<size_t>(i)]; }
    const T &operator[](int64_t i) const { return values_[static_cast<size_t>(i)]; }
    T *data() { return values_.get(); }
    int64_t size() const { return static_cast<int64_t>(count_); }
    void fill(float value) {
        for (size_t i = 0; i < count_; ++i) values_[i] = emu::narrow<T>(value);
    }

  private:
    std::unique_ptr<T[]> values_;
    size_t count_;
};

template <typename T> constexpr const char *dtype_name() {
    if (std::is_same_v<T, half>) return "f16";
    if (std::is_same_v<T, bfloat16_t>) return "bf16";
    return "f32";
}

// How launches are made: the same results are due in all of these ways.
struct Device {
    uint32_t blocks = 1;
    // A kernel one of whose synchronisations is left out.
    std::string mutant_kernel, mutant_site;
    // Sees each launch afterwards: its kernel and, through emu_site, the synchronisations it came by.
    void (*after)(void *context, const std::string &kernel) = nullptr;
    void *context = nullptr;

    template <typename Tiling> void launch(const std::string &kernel, std::vector<void *> arguments, Tiling tiling) const {
        arguments.push_back(&tiling);
        emu_disable_site(kernel == mutant_kernel ? mutant_site.c_str() : nullptr);
        if (emu_launch(kernel.c_str(), blocks, arguments.data(), arguments.size())) throw std::runtime_error(emu_message());
        if (after) after(context, kernel);
    }
};

using Random = std::mt19937_64;

inline int64_t pick(Random &random, std::initializer_list<int64_t> from) {
    return from.begin()[std::uniform_int_distribution<size_t>(0, from.size() - 1)(random)];
}
inline float uniform(Random &random, float low, float high) { return std::uniform_real_distribution<float>(low, high)(random); }

#endif
