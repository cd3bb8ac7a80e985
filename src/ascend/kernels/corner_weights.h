// The factor of each corner, mask times both weights, spread over a block of 8 so that one instruction scales the
// channels of many samples.
#ifndef DCN_ASCEND_CORNER_WEIGHTS_H
#define DCN_ASCEND_CORNER_WEIGHTS_H

#include "corners.h"

namespace dcn {

class CornerWeights {
  public:
    __aicore__ inline CornerWeights() {}
    __aicore__ inline void Init(TPipe &pipe) {
        pipe.InitBuffer(factors_, 6 * kVector * sizeof(float));
        pipe.InitBuffer(spread_, 4 * kVector * kBlockBytes);
    }

    template <typename T> __aicore__ inline void Compute(const Coordinates<T> &at) {
        const LocalTensor<float> lines = factors_.Get<float>();
        const LocalTensor<float> factors = lines[2 * kVector];
        for (uint32_t row = 0; row < 2; ++row) AscendC::Mul(lines[row * kVector], at.WeightY(row), at.mask_values, kVector);
        PipeBarrier<PIPE_V>();
        for (uint32_t row = 0; row < 2; ++row)
            for (uint32_t column = 0; column < 2; ++column)
                AscendC::Mul(factors[(row * 2 + column) * kVector], lines[row * kVector], at.WeightX(column), kVector);
        PipeBarrier<PIPE_V>();
        AscendC::Brcb(spread_.Get<float>(), factors, 4 * kVector / 8, {1, 8});
        PipeBarrier<PIPE_V>();
    }

    // A block for each sample from this one on.
    __aicore__ inline LocalTensor<float> Of(uint32_t row, uint32_t column, uint32_t sample) {
        return spread_.Get<float>()[((row * 2 + column) * kVector + sample) * 8];
    }

  private:
    TBuf<TPosition::VECCALC> factors_;
    TBuf<TPosition::VECCALC> spread_;
};

} // namespace dcn

#endif
