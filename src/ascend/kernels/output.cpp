// dcn_output_T: y = product + bias, rounded once.
#include "planes.h"

namespace dcn {

template <typename T> class Output {
  public:
    __aicore__ inline Output() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR product, GM_ADDR bias, GM_ADDR y, GM_ADDR tiling) {
        OutputTiling t;
        LoadTiling(t, tiling);
        parts_.Init(t);
        bias_kind_ = t.bias;
        product_ = Global<float>(product);
        bias_ = Global<T>(bias);
        float_bias_ = Global<float>(bias);
        y_ = Global<T>(y);
        pipe.InitBuffer(in_, 2, kPartElements * sizeof(float));
        pipe.InitBuffer(bias_in_, 1, kVector * sizeof(float));
        pipe.InitBuffer(out_, 2, kPartElements * sizeof(T));
        pipe.InitBuffer(bias_floats_, kVector * sizeof(float));
        pipe.InitBuffer(bias_spread_, kVector * kBlockBytes);
    }

    __aicore__ inline void Process() {
        for (int64_t i = AscendC::GetBlockIdx(); i < parts_.Count(); i += AscendC::GetBlockNum()) {
            const Part part = parts_.At(i);
            const LocalTensor<float> fetched = in_.AllocTensor<float>();
            CopyIn(fetched, product_[part.matrix], parts_.InMatrix(part));
            in_.EnQue(fetched);
            LocalTensor<float> sum = in_.DeQue<float>();
            if (bias_kind_ != kBiasAbsent) AddBias(sum, part);
            Store(sum, part);
        }
    }

  private:
    __aicore__ inline void AddBias(const LocalTensor<float> &sum, const Part &part) {
        const LocalTensor<float> floats = bias_floats_.Get<float>();
        const LocalTensor<float> spread = bias_spread_.Get<float>();
        if (bias_kind_ == kBiasFloat) FetchBias(float_bias_, floats, part);
        else FetchBias(bias_, floats, part);
        PipeBarrier<PIPE_V>();
        AscendC::Brcb(spread, floats, static_cast<uint8_t>(CeilDivide(part.rows, 8)), {1, 8});
        PipeBarrier<PIPE_V>();
        const auto vectors = static_cast<uint8_t>(CeilDivide(part.columns, kVector));
        for (uint32_t row = 0; row < part.rows; ++row) {
            const LocalTensor<float> line = sum[row * parts_.Pitch()];
            AscendC::Add(line, line, spread[row * 8], kVector, vectors, {1, 1, 0, 8, 8, 0});
        }
        PipeBarrier<PIPE_V>();
    }

    template <typename B> __aicore__ inline void FetchBias(const GlobalTensor<B> &bias, const LocalTensor<float> &floats, const Part &part) {
        const LocalTensor<B> fetched = bias_in_.AllocTensor<B>();
        CopyIn(fetched, bias[part.output], Rows{1, part.rows, part.rows, kVector});
        bias_in_.EnQue(fetched);
        LocalTensor<B> in = bias_in_.DeQue<B>();
        Widen(floats, in, kVector);
        bias_in_.FreeTensor(in);
    }

    __aicore__ inline void Store(LocalTensor<float> &sum, const Part &part) {
        const LocalTensor<T> rounded = out_.template AllocTensor<T>();
        Round(rounded, sum, part.rows * parts_.Pitch());
        in_.FreeTensor(sum);
        out_.EnQue(rounded);
        LocalTensor<T> out = out_.template DeQue<T>();
        CopyOut(y_[part.tensor], out, parts_.InTensor(part));
        out_.FreeTensor(out);
    }

    Parts parts_;
    int64_t bias_kind_;
    GlobalTensor<float> product_;
    GlobalTensor<T> bias_;
    GlobalTensor<float> float_bias_;
    GlobalTensor<T> y_;
    TQue<TPosition::VECIN, 2> in_;
    TQue<TPosition::VECIN, 1> bias_in_;
    TQue<TPosition::VECOUT, 2> out_;
    TBuf<TPosition::VECCALC> bias_floats_;
    TBuf<TPosition::VECCALC> bias_spread_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_output_f32(GM_ADDR product, GM_ADDR bias, GM_ADDR y, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::Output<float>>(product, bias, y, tiling);
}

extern "C" __global__ __aicore__ void dcn_output_f16(GM_ADDR product, GM_ADDR bias, GM_ADDR y, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::Output<half>>(product, bias, y, tiling);
}

extern "C" __global__ __aicore__ void dcn_output_bf16(GM_ADDR product, GM_ADDR bias, GM_ADDR y, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::Output<bfloat16_t>>(product, bias, y, tiling);
}
