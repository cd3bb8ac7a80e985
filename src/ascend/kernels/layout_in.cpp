// dcn_layout_in_T: T [batch][rows][columns] -> float [batch][columns][rows].
#include "transpose.h"

namespace dcn {

template <typename T> class LayoutIn {
  public:
    __aicore__ inline LayoutIn() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR src, GM_ADDR dst, GM_ADDR tiling) {
        LayoutTiling t;
        LoadTiling(t, tiling);
        tiles_.Init(t);
        src_ = Global<T>(src);
        dst_ = Global<float>(dst);
        pipe.InitBuffer(in_, 2, kTileElements * sizeof(T));
        pipe.InitBuffer(out_, 2, kTileElements * sizeof(float));
        pipe.InitBuffer(wide_, kTileElements * sizeof(float));
        transposer_.Init(pipe);
        if constexpr (IsFloat<T>::value) PipeBarrier<PIPE_V>();
    }

    __aicore__ inline void Process() {
        for (int64_t i = AscendC::GetBlockIdx(); i < tiles_.Count(); i += AscendC::GetBlockNum()) {
            const Tile tile = tiles_.At(i);
            const LocalTensor<T> in = in_.template AllocTensor<T>();
            CopyIn(in, src_[tile.source], tiles_.Source(tile));
            in_.EnQue(in);
            Transpose(tile);
            LocalTensor<float> out = out_.DeQue<float>();
            CopyOut(dst_[tile.target], out, tiles_.Target(tile));
            out_.FreeTensor(out);
        }
    }

  private:
    __aicore__ inline void Transpose(const Tile &tile) {
        LocalTensor<T> in = in_.template DeQue<T>();
        const LocalTensor<float> out = out_.AllocTensor<float>();
        if (tiles_.Flat()) {
            Widen(out, in, tiles_.Span(tile));
        } else if constexpr (IsFloat<T>::value) {
            transposer_.Run(out, in, tile.columns);
        } else {
            const LocalTensor<float> wide = wide_.Get<float>();
            Widen(wide, in, tiles_.Span(tile));
            PipeBarrier<PIPE_V>();
            transposer_.Run(out, wide, tile.columns);
        }
        in_.FreeTensor(in);
        out_.EnQue(out);
    }

    Tiles tiles_;
    Transposer transposer_;
    GlobalTensor<T> src_;
    GlobalTensor<float> dst_;
    TQue<TPosition::VECIN, 2> in_;
    TQue<TPosition::VECOUT, 2> out_;
    TBuf<TPosition::VECCALC> wide_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_layout_in_f32(GM_ADDR src, GM_ADDR dst, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::LayoutIn<float>>(src, dst, tiling);
}

extern "C" __global__ __aicore__ void dcn_layout_in_f16(GM_ADDR src, GM_ADDR dst, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::LayoutIn<half>>(src, dst, tiling);
}

extern "C" __global__ __aicore__ void dcn_layout_in_bf16(GM_ADDR src, GM_ADDR dst, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::LayoutIn<bfloat16_t>>(src, dst, tiling);
}
