// dcn_sample_T: samples x at the deformed positions of a chunk, the mask folded in, into the col matrix [G][R][K][C/G].
#include "corner_weights.h"

namespace dcn {

template <typename T> class Sample {
  public:
    __aicore__ inline Sample() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR x, GM_ADDR offset, GM_ADDR mask, GM_ADDR col, GM_ADDR tiling) {
        LoadTiling(tiling_, tiling);
        x_ = Global<float>(x);
        col_ = Global<float>(col);
        coordinates_.Init(pipe, offset, mask, tiling_);
        pipe.InitBuffer(corners_, 2, 4 * kBatchElements * sizeof(float));
        pipe.InitBuffer(samples_, 2, kBatchElements * sizeof(float));
        weights_.Init(pipe);
    }

    __aicore__ inline void Process() {
        const TaskRange own = OwnTasks(CountTasks(tiling_));
        if (own.begin == own.end) return;
        Task task = TaskAt(tiling_, own.begin);
        coordinates_.Fetch(task);
        for (int64_t i = own.begin; i < own.end; ++i) {
            const Task next = TaskAt(tiling_, i + 1);
            if (i + 1 < own.end) coordinates_.Fetch(next);
            coordinates_.Compute(task);
            weights_.Compute(coordinates_);
            SampleChannels(task);
            task = next;
        }
    }

  private:
    __aicore__ inline void SampleChannels(const Task &task) {
        Batch batch = FirstBatch(tiling_, task);
        Fetch(task, batch);
        while (batch.samples > 0) {
            const Batch next = NextBatch(tiling_, task, batch);
            if (next.samples > 0) Fetch(task, next);
            Blend(batch);
            LocalTensor<float> out = samples_.DeQue<float>();
            CopyOut(col_[ColOffset(tiling_, task, batch)], out, ColRows(tiling_, batch));
            samples_.FreeTensor(out);
            batch = next;
        }
    }

    __aicore__ inline void Fetch(const Task &task, const Batch &batch) {
        const LocalTensor<float> corners = corners_.AllocTensor<float>();
        FetchCorners(corners, x_, tiling_, task, batch, coordinates_.cell);
        corners_.EnQue(corners);
    }

    __aicore__ inline void Blend(const Batch &b) {
        LocalTensor<float> corners = corners_.DeQue<float>();
        const LocalTensor<float> out = samples_.AllocTensor<float>();
        const AscendC::BinaryRepeatParams strides{1, 1, 0, b.PitchBlocks(), b.PairBlocks(), 1};
        const auto samples = static_cast<uint8_t>(b.samples);
        for (uint32_t row = 0; row < Smaller(2, tiling_.height); ++row) {
            for (uint32_t column = 0; column < Smaller(2, tiling_.width); ++column) {
                const bool first = row + column == 0;
                if (!first) PipeBarrier<PIPE_V>();
                const LocalTensor<float> factor = weights_.Of(row, column, b.first);
                for (uint32_t v = 0; v < b.Vectors(); ++v) {
                    const LocalTensor<float> corner = corners[b.Corner(row, column) + v * kVector];
                    if (first) AscendC::Mul(out[v * kVector], corner, factor, b.Mask(v), samples, strides);
                    else AscendC::MulAddDst(out[v * kVector], corner, factor, b.Mask(v), samples, strides);
                }
            }
        }
        corners_.FreeTensor(corners);
        samples_.EnQue(out);
    }

    SampleTiling tiling_;
    GlobalTensor<float> x_;
    GlobalTensor<float> col_;
    Coordinates<T> coordinates_;
    CornerWeights weights_;
    TQue<TPosition::VECIN, 2> corners_;
    TQue<TPosition::VECOUT, 2> samples_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_sample_f32(GM_ADDR x, GM_ADDR offset, GM_ADDR mask, GM_ADDR col, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::Sample<float>>(x, offset, mask, col, tiling);
}

extern "C" __global__ __aicore__ void dcn_sample_f16(GM_ADDR x, GM_ADDR offset, GM_ADDR mask, GM_ADDR col, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::Sample<half>>(x, offset, mask, col, tiling);
}

extern "C" __global__ __aicore__ void dcn_sample_bf16(GM_ADDR x, GM_ADDR offset, GM_ADDR mask, GM_ADDR col, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::Sample<bfloat16_t>>(x, offset, mask, col, tiling);
}
