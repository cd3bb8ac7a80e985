// Four dot products a sample, of its corners with the gradient of its column, and what follows from them: the gradients
// of the offsets and of the mask.
#ifndef DCN_ASCEND_CORNER_SUMS_H
#define DCN_ASCEND_CORNER_SUMS_H

#include "corners.h"

namespace dcn {

class CornerSums {
  public:
    __aicore__ inline CornerSums() {}
    __aicore__ inline void Init(TPipe &pipe, const SampleTiling &tiling) {
        rows_ = static_cast<uint32_t>(Smaller(2, tiling.height));
        columns_ = static_cast<uint32_t>(Smaller(2, tiling.width));
        pipe.InitBuffer(floats_, 23 * kVector * sizeof(float));
        pipe.InitBuffer(bits_, kBlockBytes);
        dots_ = floats_.Get<float>();
        partial_ = dots_[4 * kVector];
        across_ = dots_[8 * kVector];
        slope_ = dots_[12 * kVector];
        scratch_ = dots_[16 * kVector];
        gradient = dots_[20 * kVector];
    }

    // Add has barriers enough before it uses them.
    __aicore__ inline void Clear() { AscendC::Duplicate(dots_, 0.0f, 8 * kVector); }

    // Adds a batch; overwrites its corners.
    __aicore__ inline void Add(const LocalTensor<float> &corners, const LocalTensor<float> &grad, const Batch &b) {
        const auto samples = static_cast<uint8_t>(b.samples);
        const AscendC::BinaryRepeatParams product{1, 1, 1, b.PairBlocks(), b.PairBlocks(), b.PitchBlocks()};
        const AscendC::BinaryRepeatParams fold{1, 1, 1, b.PairBlocks(), b.PairBlocks(), b.PairBlocks()};
        for (uint32_t v = 0; v < b.Vectors(); ++v)
            for (uint32_t i = 0; i < rows_ * columns_; ++i) {
                const LocalTensor<float> corner = corners[b.Corner(i / columns_, i % columns_) + v * kVector];
                AscendC::Mul(corner, corner, grad[v * kVector], b.Mask(v), samples, product);
            }
        PipeBarrier<PIPE_V>();
        for (uint32_t v = 1; v < b.Vectors(); ++v) {
            for (uint32_t i = 0; i < rows_ * columns_; ++i) {
                const LocalTensor<float> corner = corners[b.Corner(i / columns_, i % columns_)];
                AscendC::Add(corner, corner, corner[v * kVector], b.Mask(v), samples, fold);
            }
            PipeBarrier<PIPE_V>();
        }
        for (uint32_t i = 0; i < rows_ * columns_; ++i) {
            const uint32_t row = i / columns_;
            const uint32_t column = i % columns_;
            AscendC::WholeReduceSum(partial_[(row * 2 + column) * kVector + b.first], corners[b.Corner(row, column)],
                                    static_cast<int32_t>(b.Mask(0)), samples, 1, 1, b.PairBlocks());
        }
        if (!b.last_of_channels) return;
        PipeBarrier<PIPE_V>();
        AscendC::Add(dots_, dots_, partial_, 4 * kVector);
    }

    // gradient = those of offset y, offset x and mask. Zero where the sample is out of range.
    template <typename T> __aicore__ inline void Finish(const Coordinates<T> &at) {
        Slopes(at);
        Interpolate(at);
        constexpr auto kMode = AscendC::SELMODE::VSEL_TENSOR_SCALAR_MODE;
        const LocalTensor<uint8_t> bits = bits_.Get<uint8_t>();
        AscendC::Min(scratch_, at.point, at.point[kVector], kVector);
        AscendC::Mul(gradient, gradient, at.mask_values, kVector);
        AscendC::Mul(gradient[kVector], gradient[kVector], at.mask_values, kVector);
        PipeBarrier<PIPE_V>();
        AscendC::CompareScalar(bits, scratch_, -1.5f, AscendC::CMPMODE::GT, kVector);
        PipeBarrier<PIPE_V>();
        for (uint32_t i = 0; i < 3; ++i) AscendC::Select(gradient[i * kVector], bits, gradient[i * kVector], 0.0f, kMode, kVector);
        PipeBarrier<PIPE_V>();
    }

    LocalTensor<float> gradient;

  private:
    __aicore__ inline LocalTensor<float> Line(uint32_t i) const { return across_[i * kVector]; }
    __aicore__ inline LocalTensor<float> Dot(uint32_t i) const { return dots_[i * kVector]; }

    // The derivatives of both weights of an axis, as polynomials in floor - cell, which is -1, 0 or 1:
    // of the first line 1, -1, 0; of the second 0, 1, -1.
    template <typename T> __aicore__ inline void Slopes(const Coordinates<T> &at) {
        const LocalTensor<float> second = slope_[kAxes];
        const LocalTensor<float> shift = scratch_[kAxes];
        AscendC::Cast(scratch_, at.floor, AscendC::RoundMode::CAST_NONE, kAxes);
        AscendC::Cast(shift, at.cell, AscendC::RoundMode::CAST_NONE, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Sub(shift, scratch_, shift, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Muls(scratch_, shift, 1.5f, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Adds(slope_, scratch_, -0.5f, kAxes);
        AscendC::Adds(second, scratch_, 0.5f, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Mul(slope_, slope_, shift, kAxes);
        AscendC::Mul(second, second, shift, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Adds(slope_, slope_, -1.0f, kAxes);
        AscendC::Muls(second, second, -1.0f, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Adds(second, second, 1.0f, kAxes);
    }

    // across_ = the dot products interpolated along x (first and second row), then along y (first and second column).
    template <typename T> __aicore__ inline void Interpolate(const Coordinates<T> &at) {
        const AscendC::BinaryRepeatParams whole{1, 1, 1, 8, 8, 8};
        AscendC::Mul(Line(0), Dot(0), at.WeightX(0), kVector);
        AscendC::Mul(Line(1), Dot(2), at.WeightX(0), kVector);
        AscendC::Mul(Line(2), Dot(0), at.WeightY(0), kVector);
        AscendC::Mul(Line(3), Dot(1), at.WeightY(0), kVector);
        PipeBarrier<PIPE_V>();
        AscendC::MulAddDst(Line(0), Dot(1), at.WeightX(1), kVector, 1, whole);
        AscendC::MulAddDst(Line(1), Dot(3), at.WeightX(1), kVector, 1, whole);
        AscendC::MulAddDst(Line(2), Dot(2), at.WeightY(1), kVector, 1, whole);
        AscendC::MulAddDst(Line(3), Dot(3), at.WeightY(1), kVector, 1, whole);
        PipeBarrier<PIPE_V>();
        const LocalTensor<float> x = gradient[kVector];
        const LocalTensor<float> mask = gradient[2 * kVector];
        AscendC::Mul(gradient, Line(0), slope_, kVector);
        AscendC::Mul(x, Line(2), slope_[kVector], kVector);
        AscendC::Mul(mask, Line(0), at.WeightY(0), kVector);
        PipeBarrier<PIPE_V>();
        AscendC::MulAddDst(gradient, Line(1), slope_[kAxes], kVector, 1, whole);
        AscendC::MulAddDst(x, Line(3), slope_[kAxes + kVector], kVector, 1, whole);
        AscendC::MulAddDst(mask, Line(1), at.WeightY(1), kVector, 1, whole);
        PipeBarrier<PIPE_V>();
    }

    uint32_t rows_;
    uint32_t columns_;
    TBuf<TPosition::VECCALC> floats_;
    TBuf<TPosition::VECCALC> bits_;
    LocalTensor<float> dots_;    // [corner][64], over the channels so far
    LocalTensor<float> partial_; // the same of the current channels
    LocalTensor<float> across_;
    LocalTensor<float> slope_; // first line (y, x), second (y, x)
    LocalTensor<float> scratch_;
};

} // namespace dcn

#endif
