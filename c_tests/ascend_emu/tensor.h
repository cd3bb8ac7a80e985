// GlobalTensor and LocalTensor: typed views of global memory and of the unified buffer.
#ifndef DCN_EMU_TENSOR_H
#define DCN_EMU_TENSOR_H

#include "machine.h"
#include "numbers.h"

namespace AscendC {

template <typename T> class GlobalTensor {
  public:
    void SetGlobalBuffer(T *address) { address_ = address; }
    void SetGlobalBuffer(T *address, uint64_t) { address_ = address; }
    GlobalTensor operator[](uint64_t offset) const {
        GlobalTensor part;
        part.address_ = address_ + offset;
        return part;
    }
    const T *GetPhyAddr() const { return address_; }
    T *GetPhyAddr() { return address_; }

  private:
    T *address_ = nullptr;
};

template <typename T> class LocalTensor {
  public:
    LocalTensor() = default;
    LocalTensor(uint32_t offset, uint32_t bytes) : offset_(offset), bytes_(bytes) {}

    LocalTensor operator[](uint32_t elements) const {
        const uint32_t skip = elements * static_cast<uint32_t>(sizeof(T));
        if (skip > bytes_) emu::Machine::get().fail("a view begins beyond its tensor", "LocalTensor", emu::At{"kernel", 0});
        return {offset_ + skip, bytes_ - skip};
    }
    template <typename U> LocalTensor<U> ReinterpretCast() const { return {offset_, bytes_}; }
    uint32_t GetSize() const { return bytes_ / sizeof(T); }

    T GetValue(uint32_t index, emu::At at = emu::At::here()) const {
        auto &machine = emu::Machine::get();
        check(index, "GetValue", at);
        machine.read_local(emu::kScalar, machine.begin(emu::kScalar), offset_ + index * sizeof(T), sizeof(T), "GetValue", at);
        T value;
        std::memcpy(&value, machine.local(offset_) + index * sizeof(T), sizeof(T));
        return value;
    }
    void SetValue(uint32_t index, T value, emu::At at = emu::At::here()) const {
        auto &machine = emu::Machine::get();
        check(index, "SetValue", at);
        machine.write_local(emu::kScalar, machine.begin(emu::kScalar), offset_ + index * sizeof(T), sizeof(T), "SetValue", at);
        std::memcpy(machine.local(offset_) + index * sizeof(T), &value, sizeof(T));
    }

    uint32_t offset() const { return offset_; }
    uint32_t bytes() const { return bytes_; }
    T *data() const { return reinterpret_cast<T *>(emu::Machine::get().local(offset_)); }

  private:
    void check(uint32_t index, const char *what, emu::At at) const {
        if ((index + 1) * sizeof(T) > bytes_) emu::Machine::get().fail("an index lies beyond the tensor", what, at);
    }
    uint32_t offset_ = 0, bytes_ = 0;
};

} // namespace AscendC

#endif
