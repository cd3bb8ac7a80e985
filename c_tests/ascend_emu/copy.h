// Copies between global memory and the unified buffer, with the limits of DataCopyPad on Atlas A2.
#ifndef DCN_EMU_COPY_H
#define DCN_EMU_COPY_H

#include "tensor.h"

namespace AscendC {

struct DataCopyExtParams {
    uint16_t blockCount = 1;
    uint32_t blockLen = 0;  // bytes
    uint32_t srcStride = 0; // between the end of a block and the next one: bytes in global memory, 32-byte units in the unified buffer
    uint32_t dstStride = 0;
    uint32_t rsv = 0;
};

template <typename T> struct DataCopyPadExtParams {
    bool isPad = false;
    uint8_t leftPadding = 0;
    uint8_t rightPadding = 0;
    T paddingValue{};
};

} // namespace AscendC

namespace emu {

inline uint64_t padded(uint64_t bytes) { return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes; }

// Checks one copy and returns how many bytes of the unified buffer it spans.
inline void check_copy(const AscendC::DataCopyExtParams &copy, uint32_t offset, uint32_t available, uint32_t local_gap, At at) {
    auto &machine = Machine::get();
    if (copy.blockCount < 1 || copy.blockCount > 4095) machine.fail("blockCount is not within 1 to 4095", "DataCopyPad", at);
    if (copy.blockLen < 1 || copy.blockLen > 2097151) machine.fail("blockLen is not within 1 to 2097151 bytes", "DataCopyPad", at);
    if (offset % kBlockBytes) machine.fail("the unified buffer's address is no multiple of 32 bytes", "DataCopyPad", at);
    const uint64_t span = copy.blockCount * (padded(copy.blockLen) + uint64_t{local_gap} * kBlockBytes) - uint64_t{local_gap} * kBlockBytes;
    if (span > available) machine.fail("the copy is larger than its tensor in the unified buffer", "DataCopyPad", at);
}

template <typename T> void add_to(T *target, const T *source, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) target[i] = narrow<T>(widen(target[i]) + widen(source[i]));
}

} // namespace emu

namespace AscendC {

template <typename T>
void DataCopyPad(const LocalTensor<T> &dst, const GlobalTensor<T> &src, const DataCopyExtParams &copy, const DataCopyPadExtParams<T> &pad,
                 emu::At at = emu::At::here()) {
    auto &machine = emu::Machine::get();
    emu::check_copy(copy, dst.offset(), dst.bytes(), copy.dstStride, at);
    if (pad.isPad) machine.fail("padding values are not emulated", "DataCopyPad", at);
    const uint32_t time = machine.begin(emu::kMte2);
    const uint64_t padded = emu::padded(copy.blockLen);
    for (uint32_t i = 0; i < copy.blockCount; ++i) {
        const auto *source = reinterpret_cast<const uint8_t *>(src.GetPhyAddr()) + i * (uint64_t{copy.blockLen} + copy.srcStride);
        const uint64_t target = dst.offset() + i * (padded + uint64_t{copy.dstStride} * emu::kBlockBytes);
        machine.read_global(emu::kMte2, time, source, copy.blockLen, "DataCopyPad", at);
        machine.write_local(emu::kMte2, time, target, padded, "DataCopyPad", at);
        std::memcpy(machine.local(target), source, copy.blockLen);
        // What fills up the last 32 bytes is not to be relied on.
        std::memset(machine.local(target) + copy.blockLen, 0xff, padded - copy.blockLen);
    }
}

template <typename T>
void DataCopyPad(const GlobalTensor<T> &dst, const LocalTensor<T> &src, const DataCopyExtParams &copy, emu::At at = emu::At::here()) {
    auto &machine = emu::Machine::get();
    emu::check_copy(copy, src.offset(), src.bytes(), copy.srcStride, at);
    const uint32_t time = machine.begin(emu::kMte3);
    const uint64_t padded = emu::padded(copy.blockLen);
    for (uint32_t i = 0; i < copy.blockCount; ++i) {
        const uint64_t source = src.offset() + i * (padded + uint64_t{copy.srcStride} * emu::kBlockBytes);
        auto *target = reinterpret_cast<uint8_t *>(const_cast<T *>(dst.GetPhyAddr())) + i * (uint64_t{copy.blockLen} + copy.dstStride);
        machine.read_local(emu::kMte3, time, source, copy.blockLen, "DataCopyPad", at);
        machine.write_global(time, target, copy.blockLen, machine.atomic, "DataCopyPad", at);
        if (!machine.atomic) std::memcpy(target, machine.local(source), copy.blockLen);
        else emu::add_to(reinterpret_cast<T *>(target), reinterpret_cast<const T *>(machine.local(source)), copy.blockLen / sizeof(T));
    }
}

template <typename T> void SetAtomicAdd() { emu::Machine::get().atomic = 1; }
inline void SetAtomicNone() { emu::Machine::get().atomic = 0; }

} // namespace AscendC

#endif
