// What the three depthwise kernels share: tiles of 64 rows of a chunk by 64 channels, and grad, which lies the other
// way round.
#ifndef DCN_ASCEND_DEPTHWISE_H
#define DCN_ASCEND_DEPTHWISE_H

#include "transpose.h"

namespace dcn {

// Longer sums are made of sums of so many terms.
constexpr int64_t kTermsOfASum = 64;

struct ChannelTile {
    int64_t row;
    int64_t channel;
    uint32_t rows;
    uint32_t channels;
};

__aicore__ inline ChannelTile ChannelTileAt(const DepthwiseTiling &t, int64_t row_tile, int64_t channel_tile) {
    const int64_t row = row_tile * kTile;
    const int64_t channel = channel_tile * kTile;
    return {row, channel, static_cast<uint32_t>(Smaller(kTile, t.rows - row)), static_cast<uint32_t>(Smaller(kTile, t.channels - channel))};
}

// Of col [R][K][C].
__aicore__ inline int64_t ColElement(const DepthwiseTiling &t, const ChannelTile &tile, int64_t tap) {
    return (tile.row * t.taps + tap) * t.channels + tile.channel;
}
__aicore__ inline Rows ColShape(const DepthwiseTiling &t, const ChannelTile &tile) {
    return {tile.rows, tile.channels, t.taps * t.channels, kTile};
}

// Of grad and product [O][R], where output c*M + j belongs to channel c.
__aicore__ inline int64_t GradElement(const DepthwiseTiling &t, const ChannelTile &tile, int64_t j) {
    return (tile.channel * t.multiplier + j) * t.rows + tile.row;
}
__aicore__ inline Rows GradShape(const DepthwiseTiling &t, const ChannelTile &tile) {
    return {tile.channels, tile.rows, t.multiplier * t.rows, kTile};
}

// Of weight [M][K][C].
__aicore__ inline int64_t WeightElement(const DepthwiseTiling &t, const ChannelTile &tile, int64_t j, int64_t tap) {
    return (j * t.taps + tap) * t.channels + tile.channel;
}
__aicore__ inline Rows WeightShape(const ChannelTile &tile) { return {1, tile.channels, tile.channels, kTile}; }

// A tile of grad, fetched as it lies and turned to [rows][64 channels].
class GradTile {
  public:
    __aicore__ inline GradTile() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR grad) {
        grad_ = Global<float>(grad);
        pipe.InitBuffer(turned_, kTileElements * sizeof(float));
        transposer_.Init(pipe);
        PipeBarrier<PIPE_V>();
    }
    __aicore__ inline void Fetch(const LocalTensor<float> &dst, const DepthwiseTiling &t, const ChannelTile &tile, int64_t j) {
        CopyIn(dst, grad_[GradElement(t, tile, j)], GradShape(t, tile));
    }
    __aicore__ inline LocalTensor<float> Turn(const LocalTensor<float> &fetched, const ChannelTile &tile) {
        const LocalTensor<float> turned = turned_.Get<float>();
        transposer_.Run(turned, fetched, tile.rows);
        return turned;
    }

  private:
    GlobalTensor<float> grad_;
    TBuf<TPosition::VECCALC> turned_;
    Transposer transposer_;
};

} // namespace dcn

#endif
