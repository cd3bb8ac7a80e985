// Tiles of a batch of matrices, and the transposition of a tile in the unified buffer.
#ifndef DCN_ASCEND_TRANSPOSE_H
#define DCN_ASCEND_TRANSPOSE_H

#include "common.h"

namespace dcn {

constexpr uint32_t kTile = 64;
constexpr uint32_t kTileElements = kTile * kTile;

// A tile of up to 64x64 elements, or, where the matrix is a single row, a run of up to 4096.
struct Tile {
    int64_t source; // element of [batch][rows][columns]
    int64_t target; // element of [batch][columns][rows]
    uint32_t rows;
    uint32_t columns;
};

class Tiles {
  public:
    __aicore__ inline Tiles() {}
    __aicore__ inline void Init(const LayoutTiling &t) {
        t_ = t;
        flat_ = t.rows == 1;
        width_ = flat_ ? kTileElements : kTile;
        row_tiles_ = CeilDivide(t.rows, kTile);
        column_tiles_ = CeilDivide(t.columns, width_);
    }
    __aicore__ inline int64_t Count() const { return t_.batch * row_tiles_ * column_tiles_; }
    __aicore__ inline bool Flat() const { return flat_; }
    __aicore__ inline Tile At(int64_t index) const {
        const int64_t column = index % column_tiles_ * width_;
        const int64_t row = index / column_tiles_ % row_tiles_ * kTile;
        const int64_t matrix = index / column_tiles_ / row_tiles_ * t_.rows * t_.columns;
        return {matrix + row * t_.columns + column, matrix + column * t_.rows + row, static_cast<uint32_t>(Smaller(kTile, t_.rows - row)),
                static_cast<uint32_t>(Smaller(width_, t_.columns - column))};
    }
    // The tile as it lies in the source and, transposed, in the target; 64 elements from row to row in the unified
    // buffer.
    __aicore__ inline Rows Source(const Tile &tile) const { return {tile.rows, tile.columns, t_.columns, static_cast<uint32_t>(width_)}; }
    __aicore__ inline Rows Target(const Tile &tile) const {
        if (flat_) return Source(tile);
        return {tile.columns, tile.rows, t_.rows, kTile};
    }
    // Elements that the tile spans in the unified buffer.
    __aicore__ inline uint32_t Span(const Tile &tile) const { return flat_ ? tile.columns : tile.rows * kTile; }
    __aicore__ inline uint32_t TransposedSpan(const Tile &tile) const { return flat_ ? tile.columns : tile.columns * kTile; }

  private:
    LayoutTiling t_;
    bool flat_;
    int64_t width_;
    int64_t row_tiles_;
    int64_t column_tiles_;
};

// Transposes 64x64 tiles of floats by gathering. A barrier of the vector pipe must stand between Init and the first
// Run.
class Transposer {
  public:
    __aicore__ inline Transposer() {}
    __aicore__ inline void Init(TPipe &pipe) {
        pipe.InitBuffer(offsets_, kTileElements * sizeof(int32_t));
        pipe.InitBuffer(index_, kTile * sizeof(int32_t));
        const LocalTensor<int32_t> index = index_.Get<int32_t>();
        const LocalTensor<int32_t> offsets = offsets_.Get<int32_t>();
        AscendC::CreateVecIndex(index, 0, kTile);
        PipeBarrier<PIPE_V>();
        AscendC::Muls(index, index, static_cast<int32_t>(kTile * sizeof(float)), kTile);
        PipeBarrier<PIPE_V>();
        for (uint32_t column = 0; column < kTile; ++column)
            AscendC::Adds(offsets[column * kTile], index, static_cast<int32_t>(column * sizeof(float)), kTile);
    }
    // Vector pipe. dst [columns][64] = the transpose of src [64][64]; dst's columns beyond src's rows are not defined.
    __aicore__ inline void Run(const LocalTensor<float> &dst, const LocalTensor<float> &src, uint32_t columns) {
        AscendC::Gather(dst, src, offsets_.Get<uint32_t>(), 0, columns * kTile);
    }

  private:
    TBuf<TPosition::VECCALC> offsets_;
    TBuf<TPosition::VECCALC> index_;
};

} // namespace dcn

#endif
