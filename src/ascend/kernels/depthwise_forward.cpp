// dcn_depthwise_forward_f32: product[c*M + j][r] = sum over taps of col[r][k][c] * weight[j][k][c].
#include "depthwise.h"

namespace dcn {

template <typename T> class DepthwiseForward {
  public:
    __aicore__ inline DepthwiseForward() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR col, GM_ADDR weight, GM_ADDR product, GM_ADDR tiling) {
        LoadTiling(t_, tiling);
        col_ = Global<T>(col);
        weight_ = Global<T>(weight);
        product_ = Global<T>(product);
        pipe.InitBuffer(in_, 2, (kTileElements + kTile) * sizeof(T));
        pipe.InitBuffer(out_, 1, kTileElements * sizeof(T));
        pipe.InitBuffer(sum_, kTileElements * sizeof(T));
        pipe.InitBuffer(total_, kTileElements * sizeof(T));
        transposer_.Init(pipe);
    }

    __aicore__ inline void Process() {
        const int64_t row_tiles = CeilDivide(t_.rows, kTile);
        const int64_t channel_tiles = CeilDivide(t_.channels, kTile);
        const int64_t tasks = row_tiles * channel_tiles * t_.multiplier;
        for (int64_t i = AscendC::GetBlockIdx(); i < tasks; i += AscendC::GetBlockNum()) {
            const int64_t j = i % t_.multiplier;
            const int64_t tile_index = i / t_.multiplier;
            const ChannelTile tile = ChannelTileAt(t_, tile_index / channel_tiles, tile_index % channel_tiles);
            const LocalTensor<T> total = total_.Get<T>();
            SumTaps(total, tile, j, 0);
            for (int64_t tap = kTermsOfASum; tap < t_.taps; tap += kTermsOfASum) {
                const LocalTensor<T> sum = sum_.Get<T>();
                SumTaps(sum, tile, j, tap);
                AscendC::Add(total, total, sum, tile.rows * kTile);
                PipeBarrier<PIPE_V>();
            }
            const LocalTensor<T> turned = out_.AllocTensor<T>();
            transposer_.Run(turned, total, tile.channels);
            out_.EnQue(turned);
            LocalTensor<T> out = out_.DeQue<T>();
            CopyOut(product_[GradElement(t_, tile, j)], out, GradShape(t_, tile));
            out_.FreeTensor(out);
        }
    }

  private:
    // Up to 64 taps, from this one on.
    __aicore__ inline void SumTaps(const LocalTensor<T> &sum, const ChannelTile &tile, int64_t j, int64_t begin) {
        const int64_t end = Smaller(t_.taps, begin + kTermsOfASum);
        const AscendC::BinaryRepeatParams rows{1, 1, 1, 8, 8, 0};
        for (int64_t tap = begin; tap < end; ++tap) {
            const LocalTensor<T> fetched = in_.AllocTensor<T>();
            CopyIn(fetched, col_[ColElement(t_, tile, tap)], ColShape(t_, tile));
            CopyIn(fetched[kTileElements], weight_[WeightElement(t_, tile, j, tap)], WeightShape(tile));
            in_.EnQue(fetched);
            LocalTensor<T> samples = in_.DeQue<T>();
            const LocalTensor<T> factors = samples[kTileElements];
            if (tap == begin) AscendC::Mul(sum, samples, factors, tile.channels, static_cast<uint8_t>(tile.rows), rows);
            else AscendC::MulAddDst(sum, samples, factors, tile.channels, static_cast<uint8_t>(tile.rows), rows);
            in_.FreeTensor(samples);
            PipeBarrier<PIPE_V>();
        }
    }

    DepthwiseTiling t_;
    GlobalTensor<T> col_;
    GlobalTensor<T> weight_;
    GlobalTensor<T> product_;
    TQue<TPosition::VECIN, 2> in_; // samples, then the factors of their channels
    TQue<TPosition::VECOUT, 1> out_;
    TBuf<TPosition::VECCALC> sum_;
    TBuf<TPosition::VECCALC> total_;
    Transposer transposer_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_depthwise_forward_f32(GM_ADDR col, GM_ADDR weight, GM_ADDR product, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::DepthwiseForward<float>>(col, weight, product, tiling);
}
