// dcn_grad_output_T: packs a chunk of grad_y, [n][O][Ho*Wo], into the float matrix [O][R].
#include "planes.h"

namespace dcn {

template <typename T> class GradOutput {
  public:
    __aicore__ inline GradOutput() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR grad_y, GM_ADDR grad, GM_ADDR tiling) {
        OutputTiling t;
        LoadTiling(t, tiling);
        parts_.Init(t);
        grad_y_ = Global<T>(grad_y);
        grad_ = Global<float>(grad);
        pipe.InitBuffer(in_, 2, kPartElements * sizeof(T));
        pipe.InitBuffer(out_, 2, kPartElements * sizeof(float));
    }

    __aicore__ inline void Process() {
        for (int64_t i = AscendC::GetBlockIdx(); i < parts_.Count(); i += AscendC::GetBlockNum()) {
            const Part part = parts_.At(i);
            const LocalTensor<T> fetched = in_.template AllocTensor<T>();
            CopyIn(fetched, grad_y_[part.tensor], parts_.InTensor(part));
            in_.EnQue(fetched);
            LocalTensor<T> in = in_.template DeQue<T>();
            const LocalTensor<float> wide = out_.AllocTensor<float>();
            Widen(wide, in, part.rows * parts_.Pitch());
            in_.FreeTensor(in);
            out_.EnQue(wide);
            LocalTensor<float> out = out_.DeQue<float>();
            CopyOut(grad_[part.matrix], out, parts_.InMatrix(part));
            out_.FreeTensor(out);
        }
    }

  private:
    Parts parts_;
    GlobalTensor<T> grad_y_;
    GlobalTensor<float> grad_;
    TQue<TPosition::VECIN, 2> in_;
    TQue<TPosition::VECOUT, 2> out_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_grad_output_f32(GM_ADDR grad_y, GM_ADDR grad, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::GradOutput<float>>(grad_y, grad, tiling);
}

extern "C" __global__ __aicore__ void dcn_grad_output_f16(GM_ADDR grad_y, GM_ADDR grad, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::GradOutput<half>>(grad_y, grad, tiling);
}

extern "C" __global__ __aicore__ void dcn_grad_output_bf16(GM_ADDR grad_y, GM_ADDR grad, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::GradOutput<bfloat16_t>>(grad_y, grad, tiling);
}
