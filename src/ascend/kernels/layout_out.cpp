// dcn_layout_out_T: float [batch][rows][columns] -> T [batch][columns][rows], added to what is there if asked, rounded
// once.
#include "transpose.h"

namespace dcn {

template <typename T> class LayoutOut {
  public:
    __aicore__ inline LayoutOut() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR src, GM_ADDR dst, GM_ADDR tiling) {
        LayoutTiling t;
        LoadTiling(t, tiling);
        tiles_.Init(t);
        accumulate_ = t.accumulate != 0;
        src_ = Global<float>(src);
        dst_ = Global<T>(dst);
        pipe.InitBuffer(in_, 2, kTileElements * sizeof(float));
        pipe.InitBuffer(old_, 1, kTileElements * sizeof(T));
        pipe.InitBuffer(out_, 2, kTileElements * sizeof(T));
        pipe.InitBuffer(sum_, kTileElements * sizeof(float));
        pipe.InitBuffer(wide_, kTileElements * sizeof(float));
        transposer_.Init(pipe);
        PipeBarrier<PIPE_V>();
    }

    __aicore__ inline void Process() {
        for (int64_t i = AscendC::GetBlockIdx(); i < tiles_.Count(); i += AscendC::GetBlockNum()) {
            const Tile tile = tiles_.At(i);
            const LocalTensor<float> in = in_.AllocTensor<float>();
            CopyIn(in, src_[tile.source], tiles_.Source(tile));
            in_.EnQue(in);
            Transpose(tile);
            if (accumulate_) AddOld(tile);
            const LocalTensor<T> rounded = out_.template AllocTensor<T>();
            Round(rounded, sum_.Get<float>(), tiles_.TransposedSpan(tile));
            out_.EnQue(rounded);
            LocalTensor<T> out = out_.template DeQue<T>();
            CopyOut(dst_[tile.target], out, tiles_.Target(tile));
            out_.FreeTensor(out);
        }
    }

  private:
    __aicore__ inline void Transpose(const Tile &tile) {
        LocalTensor<float> in = in_.DeQue<float>();
        const LocalTensor<float> sum = sum_.Get<float>();
        if (tiles_.Flat()) Widen(sum, in, tiles_.Span(tile));
        else transposer_.Run(sum, in, tile.columns);
        in_.FreeTensor(in);
        PipeBarrier<PIPE_V>();
    }

    __aicore__ inline void AddOld(const Tile &tile) {
        const LocalTensor<T> fetched = old_.template AllocTensor<T>();
        CopyIn(fetched, dst_[tile.target], tiles_.Target(tile));
        old_.EnQue(fetched);
        LocalTensor<T> old = old_.template DeQue<T>();
        const LocalTensor<float> wide = wide_.Get<float>();
        const LocalTensor<float> sum = sum_.Get<float>();
        Widen(wide, old, tiles_.TransposedSpan(tile));
        old_.FreeTensor(old);
        PipeBarrier<PIPE_V>();
        AscendC::Add(sum, sum, wide, tiles_.TransposedSpan(tile));
        PipeBarrier<PIPE_V>();
    }

    Tiles tiles_;
    Transposer transposer_;
    bool accumulate_;
    GlobalTensor<float> src_;
    GlobalTensor<T> dst_;
    TQue<TPosition::VECIN, 2> in_;
    TQue<TPosition::VECIN, 1> old_;
    TQue<TPosition::VECOUT, 2> out_;
    TBuf<TPosition::VECCALC> sum_;
    TBuf<TPosition::VECCALC> wide_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_layout_out_f32(GM_ADDR src, GM_ADDR dst, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::LayoutOut<float>>(src, dst, tiling);
}

extern "C" __global__ __aicore__ void dcn_layout_out_f16(GM_ADDR src, GM_ADDR dst, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::LayoutOut<half>>(src, dst, tiling);
}

extern "C" __global__ __aicore__ void dcn_layout_out_bf16(GM_ADDR src, GM_ADDR dst, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::LayoutOut<bfloat16_t>>(src, dst, tiling);
}
