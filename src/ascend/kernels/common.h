// What every kernel uses: the tiling struct, copies of rows, widening and rounding, and waiting for another pipe.
#ifndef DCN_ASCEND_COMMON_H
#define DCN_ASCEND_COMMON_H

#include "kernel_operator.h"

#include "tiling.h"

// Makes the second pipe of EVENT wait for all that the first one has been given. A macro, so that each use is a place
// of its own for the test that leaves out one synchronisation after the other.
#define DCN_ORDER(EVENT)                                                                                                                     \
    do {                                                                                                                                     \
        const AscendC::TEventID id = static_cast<AscendC::TEventID>(AscendC::GetTPipePtr()->FetchEventID(AscendC::HardEvent::EVENT));        \
        AscendC::SetFlag<AscendC::HardEvent::EVENT>(id);                                                                                     \
        AscendC::WaitFlag<AscendC::HardEvent::EVENT>(id);                                                                                    \
    } while (0)

namespace dcn {

using AscendC::GlobalTensor;
using AscendC::LocalTensor;
using AscendC::PipeBarrier;
using AscendC::TBuf;
using AscendC::TPipe;
using AscendC::TPosition;
using AscendC::TQue;

constexpr uint32_t kBlockBytes = 32;
constexpr uint32_t kVector = 64; // floats of one vector instruction

template <typename T> struct IsFloat {
    static constexpr bool value = false;
};
template <> struct IsFloat<float> {
    static constexpr bool value = true;
};

__aicore__ inline int64_t Smaller(int64_t a, int64_t b) { return a < b ? a : b; }
__aicore__ inline int64_t Larger(int64_t a, int64_t b) { return a > b ? a : b; }
__aicore__ inline int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
__aicore__ inline uint32_t RoundUp(uint32_t a, uint32_t b) { return (a + b - 1) / b * b; }

// What every entry does. Entries are written out, each by itself: tools that look for them in the source do not see
// into macros.
template <typename Kernel, typename... Arguments> __aicore__ inline void Run(Arguments... arguments) {
    TPipe pipe;
    Kernel kernel;
    kernel.Init(pipe, arguments...);
    kernel.Process();
}

template <typename S> __aicore__ inline void LoadTiling(S &tiling, GM_ADDR address) {
    static_assert(sizeof(S) % sizeof(int64_t) == 0);
    auto *words = reinterpret_cast<int64_t *>(&tiling);
    const auto *source = reinterpret_cast<const __gm__ int64_t *>(address);
    for (uint32_t i = 0; i < sizeof(S) / sizeof(int64_t); ++i) words[i] = source[i];
}

template <typename T> __aicore__ inline GlobalTensor<T> Global(GM_ADDR address) {
    GlobalTensor<T> tensor;
    tensor.SetGlobalBuffer(reinterpret_cast<__gm__ T *>(address));
    return tensor;
}

// A matrix to copy: pitches in elements; the local pitch is a whole number of 32-byte blocks.
struct Rows {
    uint32_t rows;
    uint32_t columns;
    int64_t global_pitch;
    uint32_t local_pitch;
};

template <typename T> __aicore__ inline uint32_t LocalGap(const Rows &m) {
    return (m.local_pitch * sizeof(T) - RoundUp(m.columns * sizeof(T), kBlockBytes)) / kBlockBytes;
}

// The gap between rows in global memory has 32 bits; where it is larger, each row is a copy of its own.
template <typename T> __aicore__ inline uint32_t RowsPerCopy(const Rows &m) {
    return (m.global_pitch - m.columns) * static_cast<int64_t>(sizeof(T)) <= static_cast<int64_t>(0xffffffff) ? m.rows : 1;
}

template <typename T> __aicore__ inline void CopyIn(const LocalTensor<T> &dst, const GlobalTensor<T> &src, const Rows &m) {
    const uint32_t step = RowsPerCopy<T>(m);
    const uint32_t global_gap = step == 1 ? 0 : static_cast<uint32_t>((m.global_pitch - m.columns) * sizeof(T));
    for (uint32_t row = 0; row < m.rows; row += step) {
        const AscendC::DataCopyExtParams copy{static_cast<uint16_t>(step), static_cast<uint32_t>(m.columns * sizeof(T)), global_gap,
                                              LocalGap<T>(m), 0};
        AscendC::DataCopyPad(dst[row * m.local_pitch], src[row * m.global_pitch], copy, AscendC::DataCopyPadExtParams<T>{});
    }
}

template <typename T> __aicore__ inline void CopyOut(const GlobalTensor<T> &dst, const LocalTensor<T> &src, const Rows &m) {
    const uint32_t step = RowsPerCopy<T>(m);
    const uint32_t global_gap = step == 1 ? 0 : static_cast<uint32_t>((m.global_pitch - m.columns) * sizeof(T));
    for (uint32_t row = 0; row < m.rows; row += step) {
        const AscendC::DataCopyExtParams copy{static_cast<uint16_t>(step), static_cast<uint32_t>(m.columns * sizeof(T)), LocalGap<T>(m),
                                              global_gap, 0};
        AscendC::DataCopyPad(dst[row * m.global_pitch], src[row * m.local_pitch], copy);
    }
}

// dst = src, widened. Vector pipe.
template <typename T> __aicore__ inline void Widen(const LocalTensor<float> &dst, const LocalTensor<T> &src, uint32_t count) {
    if constexpr (IsFloat<T>::value) AscendC::DataCopy(dst, src, RoundUp(count, 8));
    else AscendC::Cast(dst, src, AscendC::RoundMode::CAST_NONE, count);
}

// dst = src, rounded to nearest even. Vector pipe.
template <typename T> __aicore__ inline void Round(const LocalTensor<T> &dst, const LocalTensor<float> &src, uint32_t count) {
    if constexpr (IsFloat<T>::value) AscendC::DataCopy(dst, src, RoundUp(count, 8));
    else AscendC::Cast(dst, src, AscendC::RoundMode::CAST_RINT, count);
}

} // namespace dcn

#endif
