// dcn_grad_bias_T: sums grad_y over images and positions. All sums are trees: 4096 neighbours in halves, then 64 sums
// to one, level by level.
#include "common.h"

namespace dcn {

constexpr uint32_t kRun = 4096;
constexpr uint32_t kLevels = 8; // 64^7 runs

template <typename T> class GradBias {
  public:
    __aicore__ inline GradBias() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR grad_y, GM_ADDR grad_bias, GM_ADDR tiling) {
        LoadTiling(t_, tiling);
        grad_y_ = Global<T>(grad_y);
        grad_bias_ = Global<T>(grad_bias);
        pipe.InitBuffer(in_, 2, kRun * sizeof(T));
        pipe.InitBuffer(old_, 1, kBlockBytes);
        pipe.InitBuffer(out_, 1, kBlockBytes);
        pipe.InitBuffer(terms_, kRun * sizeof(float));
        pipe.InitBuffer(levels_, (kLevels * kVector + 8) * sizeof(float));
        pipe.InitBuffer(wide_, kBlockBytes);
    }

    __aicore__ inline void Process() {
        for (int64_t output = AscendC::GetBlockIdx(); output < t_.outputs; output += AscendC::GetBlockNum()) {
            for (uint32_t level = 0; level < kLevels; ++level) filled_[level] = 0;
            for (int64_t image = 0; image < t_.batch; ++image)
                for (int64_t first = 0; first < t_.out_plane; first += kRun)
                    SumRun((image * t_.outputs + output) * t_.out_plane + first, static_cast<uint32_t>(Smaller(kRun, t_.out_plane - first)));
            Store(output, Total());
        }
    }

  private:
    __aicore__ inline LocalTensor<float> Level(uint32_t level) { return levels_.Get<float>()[level * kVector]; }

    __aicore__ inline void SumRun(int64_t element, uint32_t count) {
        const LocalTensor<T> fetched = in_.template AllocTensor<T>();
        CopyIn(fetched, grad_y_[element], Rows{1, count, count, kRun});
        in_.EnQue(fetched);
        LocalTensor<T> in = in_.template DeQue<T>();
        const LocalTensor<float> terms = terms_.Get<float>();
        uint32_t span = kVector;
        while (span < count) span *= 2;
        AscendC::Duplicate(terms, 0.0f, span);
        PipeBarrier<PIPE_V>();
        WidenExactly(terms, in, count);
        in_.FreeTensor(in);
        PipeBarrier<PIPE_V>();
        for (; span > kVector; span /= 2) {
            AscendC::Add(terms, terms, terms[span / 2], span / 2);
            PipeBarrier<PIPE_V>();
        }
        AscendC::WholeReduceSum(Level(0)[filled_[0]], terms, kVector, 1, 1, 1, 8);
        PipeBarrier<PIPE_V>();
        ++filled_[0];
        for (uint32_t level = 0; filled_[level] == kVector; ++level) Lift(level);
    }

    // Writes no element beyond count: those behind are zeros of the sum.
    __aicore__ inline void WidenExactly(const LocalTensor<float> &dst, const LocalTensor<T> &src, uint32_t count) {
        if constexpr (IsFloat<T>::value) AscendC::Add(dst, dst, src, static_cast<int32_t>(count));
        else AscendC::Cast(dst, src, AscendC::RoundMode::CAST_NONE, count);
    }

    // The sums of a level become one of the next.
    __aicore__ inline void Lift(uint32_t level) {
        AscendC::WholeReduceSum(Level(level + 1)[filled_[level + 1]], Level(level), static_cast<int32_t>(filled_[level]), 1, 1, 1, 8);
        PipeBarrier<PIPE_V>();
        filled_[level] = 0;
        ++filled_[level + 1];
    }

    __aicore__ inline LocalTensor<float> Total() {
        for (uint32_t level = 0; level + 1 < kLevels; ++level)
            if (filled_[level] > 0) Lift(level);
        const LocalTensor<float> total = Level(kLevels);
        if (filled_[kLevels - 1] > 0)
            AscendC::WholeReduceSum(total, Level(kLevels - 1), static_cast<int32_t>(filled_[kLevels - 1]), 1, 1, 1, 8);
        else AscendC::Duplicate(total, 0.0f, 8);
        PipeBarrier<PIPE_V>();
        return total;
    }

    __aicore__ inline void Store(int64_t output, const LocalTensor<float> &total) {
        const Rows one{1, 1, 1, kBlockBytes / sizeof(T)};
        if (t_.accumulate != 0) {
            const LocalTensor<T> fetched = old_.template AllocTensor<T>();
            CopyIn(fetched, grad_bias_[output], one);
            old_.EnQue(fetched);
            LocalTensor<T> old = old_.template DeQue<T>();
            Widen(wide_.Get<float>(), old, 8);
            old_.FreeTensor(old);
            PipeBarrier<PIPE_V>();
            AscendC::Add(total, total, wide_.Get<float>(), 8);
            PipeBarrier<PIPE_V>();
        }
        const LocalTensor<T> rounded = out_.template AllocTensor<T>();
        Round(rounded, total, 8);
        out_.EnQue(rounded);
        LocalTensor<T> out = out_.template DeQue<T>();
        CopyOut(grad_bias_[output], out, one);
        out_.FreeTensor(out);
    }

    GradBiasTiling t_;
    GlobalTensor<T> grad_y_;
    GlobalTensor<T> grad_bias_;
    uint32_t filled_[kLevels];
    TQue<TPosition::VECIN, 2> in_;
    TQue<TPosition::VECIN, 1> old_;
    TQue<TPosition::VECOUT, 1> out_;
    TBuf<TPosition::VECCALC> terms_;
    TBuf<TPosition::VECCALC> levels_;
    TBuf<TPosition::VECCALC> wide_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_grad_bias_f32(GM_ADDR grad_y, GM_ADDR grad_bias, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::GradBias<float>>(grad_y, grad_bias, tiling);
}

extern "C" __global__ __aicore__ void dcn_grad_bias_f16(GM_ADDR grad_y, GM_ADDR grad_bias, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::GradBias<half>>(grad_y, grad_bias, tiling);
}

extern "C" __global__ __aicore__ void dcn_grad_bias_bf16(GM_ADDR grad_y, GM_ADDR grad_bias, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::GradBias<bfloat16_t>>(grad_y, grad_bias, tiling);
}
