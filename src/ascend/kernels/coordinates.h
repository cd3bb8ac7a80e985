// Sampling coordinates of a task: cells, and the weights of their corners, for 64 positions at once.
//
// The four corners of a sample are rows top, top+1 and columns left, left+1 of a cell that is moved into the image; the
// weight of a corner is that of the pixel it lies on, so a corner outside the image has none and needs no branch.
// Vectors of both axes lie side by side: 64 of y, 64 of x.
#ifndef DCN_ASCEND_COORDINATES_H
#define DCN_ASCEND_COORDINATES_H

#include "segments.h"

namespace dcn {

constexpr uint32_t kAxes = 2 * kVector;

template <typename T> class Coordinates {
  public:
    __aicore__ inline Coordinates() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR offset, GM_ADDR mask, const SampleTiling &tiling) {
        tiling_ = tiling;
        offset_ = Global<T>(offset);
        mask_ = Global<T>(mask);
        has_mask_ = mask != nullptr;
        pipe.InitBuffer(input_, 2, 3 * kVector * sizeof(T));
        pipe.InitBuffer(floats_, (6 * kAxes + kVector) * sizeof(float));
        pipe.InitBuffer(integers_, 2 * kAxes * sizeof(int32_t));
        pipe.InitBuffer(bits_, 2 * kBlockBytes);
        base_ = floats_.template Get<float>();
        point = base_[kAxes];
        fraction = base_[2 * kAxes];
        scratch_ = base_[3 * kAxes];
        weight = base_[4 * kAxes];
        mask_values = base_[6 * kAxes];
        floor = integers_.template Get<int32_t>();
        cell = floor[kAxes];
        if (!has_mask_) AscendC::Duplicate(mask_values, 1.0f, kVector);
    }

    // Fetches offsets and mask; up to two tasks ahead of Compute.
    __aicore__ inline void Fetch(const Task &task) {
        const Segment &s = task.segment;
        const int64_t plane = tiling_.out_plane;
        const int64_t map = (s.image * tiling_.deformable_groups + task.deformable_group) * tiling_.taps + task.tap;
        const LocalTensor<T> in = input_.template AllocTensor<T>();
        CopyIn(in, offset_[2 * map * plane + s.first], Rows{2, s.count, plane, kVector});
        if (has_mask_) CopyIn(in[kAxes], mask_[map * plane + s.first], Rows{1, s.count, plane, kVector});
        input_.EnQue(in);
    }

    // Afterwards the tensors below may be read by the vector and the scalar pipe.
    __aicore__ inline void Compute(const Task &task) {
        if (task.segment.index != segment_) SetBase(task.segment);
        DCN_ORDER(S_V); // the base is there; the cells of the last task have been read
        Locate(task);
        Replace();
        SplitPoint();
        Weigh();
        DCN_ORDER(V_S);
    }

    LocalTensor<float> point;       // the coordinates; -2 where out of range
    LocalTensor<int32_t> floor;     // their integer part, -1 to L-1, or -2
    LocalTensor<int32_t> cell;      // the same, moved to 0 to max(L-2, 0)
    LocalTensor<float> fraction;    // point - cell
    LocalTensor<float> weight;      // of the cell's first line (y, x) and its second (y, x)
    LocalTensor<float> mask_values; // 1 without a mask

    __aicore__ inline LocalTensor<float> WeightY(uint32_t row) const { return weight[row * kAxes]; }
    __aicore__ inline LocalTensor<float> WeightX(uint32_t column) const { return weight[row_x(column)]; }

  private:
    __aicore__ static inline uint32_t row_x(uint32_t column) { return column * kAxes + kVector; }

    // Integers up to 2^24, so exact as floats.
    __aicore__ inline void SetBase(const Segment &s) {
        segment_ = s.index;
        int64_t row = s.first / tiling_.out_width;
        int64_t column = s.first % tiling_.out_width;
        for (uint32_t i = 0; i < s.count; ++i) {
            base_.SetValue(i, static_cast<float>(row * tiling_.stride_h - tiling_.pad_top));
            base_.SetValue(kVector + i, static_cast<float>(column * tiling_.stride_w - tiling_.pad_left));
            if (++column == tiling_.out_width) {
                column = 0;
                ++row;
            }
        }
    }

    __aicore__ inline void Locate(const Task &task) {
        const int64_t i = task.tap / tiling_.kernel_width;
        const int64_t j = task.tap % tiling_.kernel_width;
        AscendC::Adds(point, base_, static_cast<float>(i * tiling_.dilation_h), kVector);
        AscendC::Adds(point[kVector], base_[kVector], static_cast<float>(j * tiling_.dilation_w), kVector);
        LocalTensor<T> in = input_.template DeQue<T>();
        Widen(scratch_, in, kAxes);
        if (has_mask_) Widen(mask_values, in[kAxes], kVector);
        PipeBarrier<PIPE_V>();
        AscendC::Add(point, point, scratch_, kAxes);
        input_.FreeTensor(in);
        PipeBarrier<PIPE_V>();
    }

    // Comparisons with NaN are false, so a NaN is replaced like any sample out of range.
    __aicore__ inline void Replace() {
        constexpr float kOutside = -2.0f;
        constexpr auto kMode = AscendC::SELMODE::VSEL_TENSOR_SCALAR_MODE;
        const LocalTensor<uint8_t> bits = bits_.template Get<uint8_t>();
        const LocalTensor<uint8_t> bits_x = bits[kBlockBytes];
        const LocalTensor<float> x = point[kVector];
        AscendC::CompareScalar(bits, point, -1.0f, AscendC::CMPMODE::GT, kVector);
        AscendC::CompareScalar(bits_x, x, -1.0f, AscendC::CMPMODE::GT, kVector);
        PipeBarrier<PIPE_V>();
        AscendC::Select(point, bits, point, kOutside, kMode, kVector);
        AscendC::Select(x, bits_x, x, kOutside, kMode, kVector);
        PipeBarrier<PIPE_V>();
        AscendC::CompareScalar(bits, point, static_cast<float>(tiling_.height), AscendC::CMPMODE::LT, kVector);
        AscendC::CompareScalar(bits_x, x, static_cast<float>(tiling_.width), AscendC::CMPMODE::LT, kVector);
        PipeBarrier<PIPE_V>();
        AscendC::Select(point, bits, point, kOutside, kMode, kVector);
        AscendC::Select(x, bits_x, x, kOutside, kMode, kVector);
        PipeBarrier<PIPE_V>();
    }

    __aicore__ inline void SplitPoint() {
        AscendC::Cast(floor, point, AscendC::RoundMode::CAST_FLOOR, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Maxs(cell, floor, 0, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Mins(cell, cell, static_cast<int32_t>(Larger(tiling_.height - 2, 0)), kVector);
        AscendC::Mins(cell[kVector], cell[kVector], static_cast<int32_t>(Larger(tiling_.width - 2, 0)), kVector);
        PipeBarrier<PIPE_V>();
        AscendC::Cast(fraction, cell, AscendC::RoundMode::CAST_NONE, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Sub(fraction, point, fraction, kAxes);
        PipeBarrier<PIPE_V>();
    }

    // With u = point - cell: relu(1 - |u|) and relu(min(u, 1 - (u - 1))). The minimum keeps a small u exact, where 1 -
    // |u - 1| would round it.
    __aicore__ inline void Weigh() {
        AscendC::Abs(weight, fraction, kAxes);
        AscendC::Adds(weight[kAxes], fraction, -1.0f, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Muls(weight, weight, -1.0f, 2 * kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Adds(weight, weight, 1.0f, 2 * kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Min(weight[kAxes], weight[kAxes], fraction, kAxes);
        PipeBarrier<PIPE_V>();
        AscendC::Relu(weight, weight, 2 * kAxes);
        PipeBarrier<PIPE_V>();
    }

    SampleTiling tiling_;
    GlobalTensor<T> offset_;
    GlobalTensor<T> mask_;
    bool has_mask_ = false;
    int64_t segment_ = -1;
    TQue<TPosition::VECIN, 2> input_;
    TBuf<TPosition::VECCALC> floats_;
    TBuf<TPosition::VECCALC> integers_;
    TBuf<TPosition::VECCALC> bits_;
    LocalTensor<float> base_;
    LocalTensor<float> scratch_;
};

} // namespace dcn

#endif
