// dcn_depthwise_grad_weight_f32: grad_weight[j][k][c] (+)= sum over r of grad[c*M + j][r] * col[r][k][c]. The rows of a
// tile are added in halves, the tiles like the carries of a binary counter: no chain of additions is long.
#include "depthwise.h"

namespace dcn {

constexpr uint32_t kCarries = 40;

template <typename T> class DepthwiseGradWeight {
  public:
    __aicore__ inline DepthwiseGradWeight() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR grad, GM_ADDR col, GM_ADDR grad_weight, GM_ADDR tiling) {
        LoadTiling(t_, tiling);
        col_ = Global<T>(col);
        grad_weight_ = Global<T>(grad_weight);
        grad_.Init(pipe, grad);
        pipe.InitBuffer(in_, 2, 2 * kTileElements * sizeof(T));
        pipe.InitBuffer(old_, 1, kTile * sizeof(T));
        pipe.InitBuffer(out_, 1, kTile * sizeof(T));
        pipe.InitBuffer(terms_, kTileElements * sizeof(T));
        pipe.InitBuffer(carries_, kCarries * kTile * sizeof(T));
    }

    __aicore__ inline void Process() {
        const int64_t row_tiles = CeilDivide(t_.rows, kTile);
        const int64_t tasks = CeilDivide(t_.channels, kTile) * t_.taps * t_.multiplier;
        for (int64_t i = AscendC::GetBlockIdx(); i < tasks; i += AscendC::GetBlockNum()) {
            const int64_t j = i % t_.multiplier;
            const int64_t tap = i / t_.multiplier % t_.taps;
            const int64_t channel_tile = i / t_.multiplier / t_.taps;
            for (int64_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
                SumRows(ChannelTileAt(t_, row_tile, channel_tile), j, tap);
                Carry(row_tile);
            }
            SumCarries(row_tiles);
            Store(grad_weight_[WeightElement(t_, ChannelTileAt(t_, 0, channel_tile), j, tap)], ChannelTileAt(t_, 0, channel_tile));
        }
    }

  private:
    // The first row of terms becomes the sum over the tile's rows.
    __aicore__ inline void SumRows(const ChannelTile &tile, int64_t j, int64_t tap) {
        const LocalTensor<T> fetched = in_.AllocTensor<T>();
        CopyIn(fetched, col_[ColElement(t_, tile, tap)], ColShape(t_, tile));
        grad_.Fetch(fetched[kTileElements], t_, tile, j);
        in_.EnQue(fetched);
        LocalTensor<T> samples = in_.DeQue<T>();
        const LocalTensor<T> grad = grad_.Turn(samples[kTileElements], tile);
        const LocalTensor<T> terms = terms_.Get<T>();
        PipeBarrier<PIPE_V>();
        AscendC::Mul(terms, grad, samples, tile.channels, static_cast<uint8_t>(tile.rows), {1, 1, 1, 8, 8, 8});
        in_.FreeTensor(samples);
        PipeBarrier<PIPE_V>();
        for (uint32_t rows = tile.rows; rows > 1; rows = (rows + 1) / 2) {
            const uint32_t kept = (rows + 1) / 2;
            AscendC::Add(terms, terms, terms[kept * kTile], tile.channels, static_cast<uint8_t>(rows - kept), {1, 1, 1, 8, 8, 8});
            PipeBarrier<PIPE_V>();
        }
    }

    __aicore__ inline LocalTensor<T> CarryAt(uint32_t level) { return carries_.Get<T>()[level * kTile]; }

    // Adds the sum of tile `index`; carry `level` holds the sum of 2^level tiles where that bit of the count is set.
    __aicore__ inline void Carry(int64_t index) {
        const LocalTensor<T> terms = terms_.Get<T>();
        uint32_t level = 0;
        for (; index >> level & 1; ++level) {
            AscendC::Add(terms, terms, CarryAt(level), kTile);
            PipeBarrier<PIPE_V>();
        }
        AscendC::DataCopy(CarryAt(level), terms, kTile);
    }

    __aicore__ inline void SumCarries(int64_t count) {
        const LocalTensor<T> terms = terms_.Get<T>();
        AscendC::Duplicate(terms, 0.0f, kTile);
        PipeBarrier<PIPE_V>();
        for (uint32_t level = 0; count >> level != 0; ++level) {
            if ((count >> level & 1) == 0) continue;
            AscendC::Add(terms, terms, CarryAt(level), kTile);
            PipeBarrier<PIPE_V>();
        }
    }

    __aicore__ inline void Store(const GlobalTensor<T> &target, const ChannelTile &tile) {
        const LocalTensor<T> terms = terms_.Get<T>();
        if (t_.accumulate != 0) {
            const LocalTensor<T> fetched = old_.AllocTensor<T>();
            CopyIn(fetched, target, WeightShape(tile));
            old_.EnQue(fetched);
            LocalTensor<T> old = old_.DeQue<T>();
            AscendC::Add(terms, terms, old, kTile);
            old_.FreeTensor(old);
            PipeBarrier<PIPE_V>();
        }
        const LocalTensor<T> copied = out_.AllocTensor<T>();
        AscendC::DataCopy(copied, terms, kTile);
        out_.EnQue(copied);
        LocalTensor<T> out = out_.DeQue<T>();
        CopyOut(target, out, WeightShape(tile));
        out_.FreeTensor(out);
    }

    DepthwiseTiling t_;
    GlobalTensor<T> col_;
    GlobalTensor<T> grad_weight_;
    GradTile grad_;
    TQue<TPosition::VECIN, 2> in_; // samples, then grad
    TQue<TPosition::VECIN, 1> old_;
    TQue<TPosition::VECOUT, 1> out_;
    TBuf<TPosition::VECCALC> terms_;
    TBuf<TPosition::VECCALC> carries_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_depthwise_grad_weight_f32(GM_ADDR grad, GM_ADDR col, GM_ADDR grad_weight, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::DepthwiseGradWeight<float>>(grad, col, grad_weight, tiling);
}
