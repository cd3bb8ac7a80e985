// dcn_depthwise_grad_col_f32: grad_col[r][k][c] = sum over j of weight[j][k][c] * grad[c*M + j][r].
#include "depthwise.h"

namespace dcn {

template <typename T> class DepthwiseGradCol {
  public:
    __aicore__ inline DepthwiseGradCol() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR grad, GM_ADDR weight, GM_ADDR grad_col, GM_ADDR tiling) {
        LoadTiling(t_, tiling);
        weight_ = Global<T>(weight);
        grad_col_ = Global<T>(grad_col);
        grad_.Init(pipe, grad);
        pipe.InitBuffer(in_, 2, kTileElements * sizeof(T));
        pipe.InitBuffer(factors_, 2, kTile * sizeof(T));
        pipe.InitBuffer(out_, 2, kTileElements * sizeof(T));
        pipe.InitBuffer(sum_, kTileElements * sizeof(T));
    }

    __aicore__ inline void Process() {
        const int64_t channel_tiles = CeilDivide(t_.channels, kTile);
        const int64_t tasks = CeilDivide(t_.rows, kTile) * channel_tiles;
        for (int64_t i = AscendC::GetBlockIdx(); i < tasks; i += AscendC::GetBlockNum()) {
            const ChannelTile tile = ChannelTileAt(t_, i / channel_tiles, i % channel_tiles);
            LocalTensor<T> grad = LoadGrad(tile, 0);
            for (int64_t tap = 0; tap < t_.taps; ++tap) {
                const LocalTensor<T> total = out_.AllocTensor<T>();
                SumOutputs(total, grad, tile, tap, 0);
                for (int64_t j = kTermsOfASum; j < t_.multiplier; j += kTermsOfASum) {
                    const LocalTensor<T> sum = sum_.Get<T>();
                    SumOutputs(sum, grad, tile, tap, j);
                    PipeBarrier<PIPE_V>();
                    AscendC::Add(total, total, sum, tile.rows * kTile);
                }
                out_.EnQue(total);
                LocalTensor<T> out = out_.DeQue<T>();
                CopyOut(grad_col_[ColElement(t_, tile, tap)], out, ColShape(t_, tile));
                out_.FreeTensor(out);
            }
        }
    }

  private:
    __aicore__ inline LocalTensor<T> LoadGrad(const ChannelTile &tile, int64_t j) {
        const LocalTensor<T> fetched = in_.AllocTensor<T>();
        grad_.Fetch(fetched, t_, tile, j);
        in_.EnQue(fetched);
        LocalTensor<T> in = in_.DeQue<T>();
        const LocalTensor<T> turned = grad_.Turn(in, tile);
        in_.FreeTensor(in);
        PipeBarrier<PIPE_V>();
        return turned;
    }

    // Up to 64 outputs of each channel, from this one on. With one output a channel, the tile in `grad` serves all
    // taps.
    __aicore__ inline void SumOutputs(const LocalTensor<T> &sum, LocalTensor<T> &grad, const ChannelTile &tile, int64_t tap, int64_t begin) {
        const int64_t end = Smaller(t_.multiplier, begin + kTermsOfASum);
        for (int64_t j = begin; j < end; ++j) {
            if (t_.multiplier > 1) grad = LoadGrad(tile, j);
            Scale(sum, grad, tile, j, tap, j == begin);
        }
    }

    __aicore__ inline void Scale(const LocalTensor<T> &sum, const LocalTensor<T> &grad, const ChannelTile &tile, int64_t j, int64_t tap,
                                 bool first) {
        const AscendC::BinaryRepeatParams rows{1, 1, 1, 8, 8, 0};
        const LocalTensor<T> fetched = factors_.AllocTensor<T>();
        CopyIn(fetched, weight_[WeightElement(t_, tile, j, tap)], WeightShape(tile));
        factors_.EnQue(fetched);
        LocalTensor<T> factors = factors_.DeQue<T>();
        if (first) AscendC::Mul(sum, grad, factors, tile.channels, static_cast<uint8_t>(tile.rows), rows);
        else AscendC::MulAddDst(sum, grad, factors, tile.channels, static_cast<uint8_t>(tile.rows), rows);
        factors_.FreeTensor(factors);
    }

    DepthwiseTiling t_;
    GlobalTensor<T> weight_;
    GlobalTensor<T> grad_col_;
    GradTile grad_;
    TQue<TPosition::VECIN, 2> in_;
    TQue<TPosition::VECIN, 2> factors_;
    TQue<TPosition::VECOUT, 2> out_;
    TBuf<TPosition::VECCALC> sum_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_depthwise_grad_col_f32(GM_ADDR grad, GM_ADDR weight, GM_ADDR grad_col, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::DepthwiseGradCol<float>>(grad, weight, grad_col, tiling);
}
