// Parts of a chunk's [O][R] matrix that are also parts of an [n][O][Ho*Wo] tensor.
#ifndef DCN_ASCEND_PLANES_H
#define DCN_ASCEND_PLANES_H

#include "common.h"

namespace dcn {

constexpr uint32_t kPartElements = 4096;
constexpr uint32_t kPartColumns = 2048;

struct Part {
    int64_t output; // the first of its rows
    int64_t tensor; // element of [n][O][Ho*Wo]
    int64_t matrix; // element of [O][R]
    uint32_t rows;
    uint32_t columns;
};

class Parts {
  public:
    __aicore__ inline Parts() {}
    __aicore__ inline void Init(const OutputTiling &t) {
        t_ = t;
        width_ = Smaller(kPartColumns, t.chunk.positions);
        pitch_ = RoundUp(static_cast<uint32_t>(width_), kVector);
        height_ = Smaller(Smaller(kPartElements / pitch_, kVector), t.outputs);
        column_parts_ = CeilDivide(t.chunk.positions, width_);
        row_parts_ = CeilDivide(t.outputs, height_);
    }
    __aicore__ inline int64_t Count() const { return t_.chunk.images * row_parts_ * column_parts_; }
    __aicore__ inline uint32_t Pitch() const { return pitch_; }
    __aicore__ inline Part At(int64_t index) const {
        const int64_t column = index % column_parts_ * width_;
        const int64_t output = index / column_parts_ % row_parts_ * height_;
        const int64_t image = index / column_parts_ / row_parts_;
        Part part;
        part.output = output;
        part.tensor = ((t_.chunk.image + image) * t_.outputs + output) * t_.out_plane + t_.chunk.first + column;
        part.matrix = output * t_.chunk.images * t_.chunk.positions + image * t_.chunk.positions + column;
        part.rows = static_cast<uint32_t>(Smaller(height_, t_.outputs - output));
        part.columns = static_cast<uint32_t>(Smaller(width_, t_.chunk.positions - column));
        return part;
    }
    __aicore__ inline Rows InTensor(const Part &part) const { return {part.rows, part.columns, t_.out_plane, pitch_}; }
    __aicore__ inline Rows InMatrix(const Part &part) const {
        return {part.rows, part.columns, t_.chunk.images * t_.chunk.positions, pitch_};
    }

  private:
    OutputTiling t_;
    int64_t width_;
    int64_t height_;
    uint32_t pitch_;
    int64_t column_parts_;
    int64_t row_parts_;
};

} // namespace dcn

#endif
