// Vector instructions: those that the kernels use, in the forms they use.
#ifndef DCN_EMU_VECTOR_H
#define DCN_EMU_VECTOR_H

#include <set>

#include "tensor.h"

namespace AscendC {

struct BinaryRepeatParams {
    uint8_t dstBlkStride = 1, src0BlkStride = 1, src1BlkStride = 1;
    uint8_t dstRepStride = 8, src0RepStride = 8, src1RepStride = 8;
};

struct BrcbRepeatParams {
    BrcbRepeatParams(uint16_t block, uint16_t repeat) : dstBlkStride(block), dstRepStride(repeat) {}
    uint16_t dstBlkStride, dstRepStride;
};

enum class RoundMode : uint8_t { CAST_NONE, CAST_RINT, CAST_FLOOR };
enum class CMPMODE : uint8_t { LT, GT };
enum class SELMODE : uint8_t { VSEL_TENSOR_SCALAR_MODE = 1 };

} // namespace AscendC

namespace emu {

// One operand of one instruction: where its element (repeat, lane) lies, and the checks on all it touches.
template <typename T> struct Operand {
    AscendC::LocalTensor<T> tensor;
    uint32_t block_stride = 1, repeat_stride = 8; // in 32-byte blocks
    static constexpr uint32_t kLanes = kBlockBytes / sizeof(T);

    uint64_t block_at(uint32_t repeat, uint32_t block) const {
        return (uint64_t{repeat} * repeat_stride + uint64_t{block} * block_stride) * kBlockBytes;
    }
    T &at(uint32_t repeat, uint32_t lane) const {
        return *reinterpret_cast<T *>(Machine::get().local(tensor.offset() + block_at(repeat, lane / kLanes)) + lane % kLanes * sizeof(T));
    }
    template <typename F> void touch(uint32_t repeats, uint32_t lanes, const char *what, At where, F access) const {
        auto &machine = Machine::get();
        if (tensor.offset() % kBlockBytes) machine.fail("an operand's address is no multiple of 32 bytes", what, where);
        for (uint32_t repeat = 0; repeat < repeats; ++repeat)
            for (uint32_t lane = 0; lane < lanes; lane += kLanes) {
                const uint64_t begin = block_at(repeat, lane / kLanes);
                const uint64_t bytes = std::min(kLanes, lanes - lane) * sizeof(T);
                if (begin + bytes > tensor.bytes()) machine.fail("an operand ends beyond its tensor", what, where);
                access(tensor.offset() + begin, bytes);
            }
    }
    void read(uint32_t time, uint32_t repeats, uint32_t lanes, const char *what, At where) const {
        touch(repeats, lanes, what, where,
              [&](uint64_t offset, uint64_t bytes) { Machine::get().read_local(kVector, time, offset, bytes, what, where); });
    }
    void write(uint32_t time, uint32_t repeats, uint32_t lanes, const char *what, At where) const {
        touch(repeats, lanes, what, where,
              [&](uint64_t offset, uint64_t bytes) { Machine::get().write_local(kVector, time, offset, bytes, what, where); });
    }
};

// A source may be the destination, but not lie across it: what a repeat writes must not be what another one reads.
template <typename D, typename S>
void check_overlap(const Operand<D> &dst, const Operand<S> &src, uint32_t repeats, uint32_t lanes, const char *what, At where) {
    const bool same = dst.tensor.offset() == src.tensor.offset() && dst.block_stride == src.block_stride &&
                      dst.repeat_stride == src.repeat_stride && sizeof(D) == sizeof(S);
    if (same) return;
    std::set<uint64_t> written;
    dst.touch(repeats, lanes, what, where, [&](uint64_t offset, uint64_t) { written.insert(offset); });
    src.touch(repeats, lanes, what, where, [&](uint64_t offset, uint64_t) {
        if (written.count(offset)) Machine::get().fail("an operand overlaps the destination in part", what, where);
    });
}

// dst = f(sources...) over repeats of a masked vector. All sources are checked first, then the destination.
template <typename F, typename D, typename... S>
void instruction(const char *what, At where, uint32_t repeats, uint32_t lanes, F f, Operand<D> dst, Operand<S>... sources) {
    auto &machine = Machine::get();
    if (repeats < 1 || repeats > 255) machine.fail("repeat is not within 1 to 255", what, where);
    if (lanes < 1 || lanes > 256 / sizeof(D)) machine.fail("the mask is not within 1 and a vector", what, where);
    (check_overlap(dst, sources, repeats, lanes, what, where), ...);
    const uint32_t time = machine.begin(kVector);
    (sources.read(time, repeats, lanes, what, where), ...);
    dst.write(time, repeats, lanes, what, where);
    for (uint32_t repeat = 0; repeat < repeats; ++repeat)
        for (uint32_t lane = 0; lane < lanes; ++lane) dst.at(repeat, lane) = f(sources.at(repeat, lane)...);
}

// The same over the first `count` elements; element types may differ in width.
template <typename F, typename D, typename... S>
void over_count(const char *what, At where, uint32_t count, F f, const AscendC::LocalTensor<D> &dst, const AscendC::LocalTensor<S> &...sources) {
    auto &machine = Machine::get();
    if (count < 1) machine.fail("count is 0", what, where);
    (check_overlap(Operand<D>{dst, 1, 0}, Operand<S>{sources, 1, 0}, 1, count, what, where), ...);
    const uint32_t time = machine.begin(kVector);
    (Operand<S>{sources, 1, 0}.read(time, 1, count, what, where), ...);
    Operand<D>{dst, 1, 0}.write(time, 1, count, what, where);
    for (uint32_t i = 0; i < count; ++i) dst.data()[i] = f(sources.data()[i]...);
}

// IEEE leaves open whether a maximum of a NaN and a number is the NaN; so does the device.
template <typename T> T larger(T a, T b) {
    if (a != a || b != b) return Machine::get().max_keeps_nan ? static_cast<T>(a + b) : (a != a ? b : a);
    return a > b ? a : b;
}
template <typename T> T smaller(T a, T b) {
    if (a != a || b != b) return Machine::get().max_keeps_nan ? static_cast<T>(a + b) : (a != a ? b : a);
    return a < b ? a : b;
}

inline int32_t to_integer(float value) {
    if (std::isnan(value)) return 0;
    if (value >= 2147483648.0f) return INT32_MAX;
    if (value < -2147483648.0f) return INT32_MIN;
    return static_cast<int32_t>(value);
}

} // namespace emu

namespace AscendC {

#define DCN_EMU_BINARY(NAME, EXPRESSION)                                                                                                     \
    template <typename T>                                                                                                                    \
    void NAME(const LocalTensor<T> &dst, const LocalTensor<T> &src0, const LocalTensor<T> &src1, int32_t count,                              \
              emu::At at = emu::At::here()) {                                                                                                \
        emu::over_count(#NAME, at, static_cast<uint32_t>(count), [](T a, T b) -> T { return EXPRESSION; }, dst, src0, src1);                 \
    }                                                                                                                                        \
    template <typename T>                                                                                                                    \
    void NAME(const LocalTensor<T> &dst, const LocalTensor<T> &src0, const LocalTensor<T> &src1, uint64_t mask, uint8_t repeat,              \
              const BinaryRepeatParams &p, emu::At at = emu::At::here()) {                                                                   \
        emu::instruction(#NAME, at, repeat, static_cast<uint32_t>(mask), [](T a, T b) -> T { return EXPRESSION; },                           \
                         emu::Operand<T>{dst, p.dstBlkStride, p.dstRepStride}, emu::Operand<T>{src0, p.src0BlkStride, p.src0RepStride},      \
                         emu::Operand<T>{src1, p.src1BlkStride, p.src1RepStride});                                                           \
    }
DCN_EMU_BINARY(Add, a + b)
DCN_EMU_BINARY(Sub, a - b)
DCN_EMU_BINARY(Mul, a *b)
DCN_EMU_BINARY(Max, emu::larger(a, b))
DCN_EMU_BINARY(Min, emu::smaller(a, b))
#undef DCN_EMU_BINARY

#define DCN_EMU_SCALAR(NAME, EXPRESSION)                                                                                                     \
    template <typename T>                                                                                                                    \
    void NAME(const LocalTensor<T> &dst, const LocalTensor<T> &src, const T &b, int32_t count, emu::At at = emu::At::here()) {               \
        emu::over_count(#NAME, at, static_cast<uint32_t>(count), [b](T a) -> T { return EXPRESSION; }, dst, src);                            \
    }
DCN_EMU_SCALAR(Adds, a + b)
DCN_EMU_SCALAR(Muls, a *b)
DCN_EMU_SCALAR(Maxs, emu::larger(a, b))
DCN_EMU_SCALAR(Mins, emu::smaller(a, b))
#undef DCN_EMU_SCALAR

#define DCN_EMU_UNARY(NAME, EXPRESSION)                                                                                                      \
    template <typename T> void NAME(const LocalTensor<T> &dst, const LocalTensor<T> &src, int32_t count, emu::At at = emu::At::here()) {     \
        emu::over_count(#NAME, at, static_cast<uint32_t>(count), [](T a) -> T { return EXPRESSION; }, dst, src);                             \
    }
DCN_EMU_UNARY(Abs, std::fabs(a))
DCN_EMU_UNARY(Relu, emu::larger(a, T{0}))
#undef DCN_EMU_UNARY

// dst = dst + src0 * src1
template <typename T>
void MulAddDst(const LocalTensor<T> &dst, const LocalTensor<T> &src0, const LocalTensor<T> &src1, uint64_t mask, uint8_t repeat,
               const BinaryRepeatParams &p, emu::At at = emu::At::here()) {
    const emu::Operand<T> sum{dst, p.dstBlkStride, p.dstRepStride};
    emu::instruction("MulAddDst", at, repeat, static_cast<uint32_t>(mask), [](T c, T a, T b) -> T { return c + a * b; }, sum, sum,
                     emu::Operand<T>{src0, p.src0BlkStride, p.src0RepStride}, emu::Operand<T>{src1, p.src1BlkStride, p.src1RepStride});
}

// Within the unified buffer, on the vector pipe, in whole blocks of 32 bytes.
template <typename T> void DataCopy(const LocalTensor<T> &dst, const LocalTensor<T> &src, uint32_t count, emu::At at = emu::At::here()) {
    if (count * sizeof(T) % emu::kBlockBytes) emu::Machine::get().fail("the elements do not fill whole blocks of 32 bytes", "DataCopy", at);
    emu::over_count("DataCopy", at, count, [](T a) { return a; }, dst, src);
}

template <typename T> void Duplicate(const LocalTensor<T> &dst, const T &value, int32_t count, emu::At at = emu::At::here()) {
    emu::over_count("Duplicate", at, static_cast<uint32_t>(count), [value]() -> T { return value; }, dst);
}

template <typename T> void CreateVecIndex(const LocalTensor<T> &dst, const T &first, uint32_t count, emu::At at = emu::At::here()) {
    T next = first;
    emu::over_count("CreateVecIndex", at, count, [&next]() -> T { return next++; }, dst);
}

template <typename D, typename S>
void Cast(const LocalTensor<D> &dst, const LocalTensor<S> &src, RoundMode mode, uint32_t count, emu::At at = emu::At::here()) {
    auto &machine = emu::Machine::get();
    if constexpr (std::is_same_v<D, int32_t>) {
        if (mode != RoundMode::CAST_FLOOR) machine.fail("a float becomes an integer with CAST_FLOOR here", "Cast", at);
        emu::over_count("Cast", at, count, [](float a) { return emu::to_integer(std::floor(a)); }, dst, src);
    } else if constexpr (std::is_same_v<D, float>) {
        if (mode != RoundMode::CAST_NONE) machine.fail("widening takes CAST_NONE", "Cast", at);
        emu::over_count("Cast", at, count, [](S a) { return emu::widen(a); }, dst, src);
    } else {
        static_assert(std::is_same_v<S, float>);
        if (mode != RoundMode::CAST_RINT) machine.fail("narrowing must round to nearest even: CAST_RINT", "Cast", at);
        emu::over_count("Cast", at, count, [](float a) { return emu::narrow<D>(a); }, dst, src);
    }
}

// Each of 8 elements a repeat fills a block of 32 bytes.
template <typename T>
void Brcb(const LocalTensor<T> &dst, const LocalTensor<T> &src, uint8_t repeat, const BrcbRepeatParams &p, emu::At at = emu::At::here()) {
    static_assert(sizeof(T) == 4);
    auto &machine = emu::Machine::get();
    if (repeat < 1) machine.fail("repeat is 0", "Brcb", at);
    const uint32_t time = machine.begin(emu::kVector);
    const emu::Operand<T> out{dst, p.dstBlkStride, p.dstRepStride}, in{src, 1, 1};
    check_overlap(out, in, repeat, 8, "Brcb", at);
    in.read(time, repeat, 8, "Brcb", at);
    out.write(time, repeat, 64, "Brcb", at);
    for (uint32_t r = 0; r < repeat; ++r)
        for (uint32_t lane = 0; lane < 64; ++lane) out.at(r, lane) = in.at(r, lane / 8);
}

// One sum a repeat, added in pairs; the sums lie side by side (dstRepStride 1).
inline void WholeReduceSum(const LocalTensor<float> &dst, const LocalTensor<float> &src, int32_t mask, int32_t repeat, int32_t dstRepStride,
                           int32_t srcBlkStride, int32_t srcRepStride, emu::At at = emu::At::here()) {
    auto &machine = emu::Machine::get();
    if (repeat < 1 || repeat > 255 || mask < 1 || mask > 64 || dstRepStride != 1) machine.fail("a parameter is out of range", "WholeReduceSum", at);
    if (dst.bytes() < repeat * sizeof(float)) machine.fail("the sums end beyond their tensor", "WholeReduceSum", at);
    const uint32_t time = machine.begin(emu::kVector);
    const emu::Operand<float> in{src, static_cast<uint32_t>(srcBlkStride), static_cast<uint32_t>(srcRepStride)};
    in.read(time, static_cast<uint32_t>(repeat), static_cast<uint32_t>(mask), "WholeReduceSum", at);
    machine.write_local(emu::kVector, time, dst.offset(), static_cast<uint64_t>(repeat) * sizeof(float), "WholeReduceSum", at);
    std::vector<float> sums;
    for (int32_t r = 0; r < repeat; ++r) {
        float terms[64] = {};
        for (int32_t lane = 0; lane < mask; ++lane) terms[lane] = in.at(static_cast<uint32_t>(r), static_cast<uint32_t>(lane));
        for (int32_t half = 32; half >= 1; half /= 2)
            for (int32_t lane = 0; lane < half; ++lane) terms[lane] = terms[2 * lane] + terms[2 * lane + 1];
        sums.push_back(terms[0]);
    }
    std::memcpy(dst.data(), sums.data(), sums.size() * sizeof(float));
}

// A bit for each element, in whole vectors of 256 bytes.
template <typename T>
void CompareScalar(const LocalTensor<uint8_t> &dst, const LocalTensor<T> &src, T value, CMPMODE mode, uint32_t count,
                   emu::At at = emu::At::here()) {
    auto &machine = emu::Machine::get();
    if (count < 1 || count * sizeof(T) % 256) machine.fail("the elements do not fill whole vectors of 256 bytes", "CompareScalar", at);
    const uint32_t time = machine.begin(emu::kVector);
    emu::Operand<T>{src, 1, 0}.read(time, 1, count, "CompareScalar", at);
    emu::Operand<uint8_t>{dst, 1, 0}.write(time, 1, count / 8, "CompareScalar", at);
    for (uint32_t i = 0; i < count; ++i) {
        const bool holds = mode == CMPMODE::GT ? src.data()[i] > value : src.data()[i] < value;
        uint8_t &bits = dst.data()[i / 8];
        bits = static_cast<uint8_t>((bits & ~(1 << i % 8)) | holds << i % 8);
    }
}

// The element where the bit is 1, else the value.
template <typename T>
void Select(const LocalTensor<T> &dst, const LocalTensor<uint8_t> &bits, const LocalTensor<T> &src, T value, SELMODE, uint32_t count,
            emu::At at = emu::At::here()) {
    const uint32_t time = emu::Machine::get().begin(emu::kVector);
    emu::Operand<uint8_t>{bits, 1, 0}.read(time, 1, (count + 7) / 8, "Select", at);
    emu::Operand<T>{src, 1, 0}.read(time, 1, count, "Select", at);
    emu::Operand<T>{dst, 1, 0}.write(time, 1, count, "Select", at);
    for (uint32_t i = 0; i < count; ++i) dst.data()[i] = bits.data()[i / 8] >> i % 8 & 1 ? src.data()[i] : value;
}

// dst[i] = the element of src that lies offsets[i] bytes, and first bytes, behind its beginning.
template <typename T>
void Gather(const LocalTensor<T> &dst, const LocalTensor<T> &src, const LocalTensor<uint32_t> &offsets, uint32_t first, uint32_t count,
            emu::At at = emu::At::here()) {
    auto &machine = emu::Machine::get();
    const uint32_t time = machine.begin(emu::kVector);
    emu::Operand<uint32_t>{offsets, 1, 0}.read(time, 1, count, "Gather", at);
    for (uint32_t i = 0; i < count; ++i) {
        const uint64_t begin = uint64_t{first} + offsets.data()[i];
        if (begin % sizeof(T) || begin + sizeof(T) > src.bytes()) machine.fail("an offset leaves the source", "Gather", at);
        machine.read_local(emu::kVector, time, src.offset() + begin, sizeof(T), "Gather", at);
    }
    emu::Operand<T>{dst, 1, 0}.write(time, 1, count, "Gather", at);
    for (uint32_t i = 0; i < count; ++i) dst.data()[i] = src.data()[(first + offsets.data()[i]) / sizeof(T)];
}

} // namespace AscendC

#endif
