// dcn_backward_T: from the gradient of the col matrix, those of x (added atomically), offset and mask.
#include "corner_sums.h"
#include "corner_weights.h"

namespace dcn {

template <typename T> class Backward {
    static constexpr uint32_t kColumn = 4 * kBatchElements;

  public:
    __aicore__ inline Backward() {}
    __aicore__ inline void Init(TPipe &pipe, GM_ADDR x, GM_ADDR offset, GM_ADDR mask, GM_ADDR grad_col, GM_ADDR grad_x, GM_ADDR grad_offset,
                                GM_ADDR grad_mask, GM_ADDR tiling) {
        LoadTiling(tiling_, tiling);
        x_ = Global<float>(x);
        grad_col_ = Global<float>(grad_col);
        grad_x_ = Global<float>(grad_x);
        grad_offset_ = Global<T>(grad_offset);
        grad_mask_ = Global<T>(grad_mask);
        wants_x_ = grad_x != nullptr;
        wants_offset_ = grad_offset != nullptr;
        wants_mask_ = grad_mask != nullptr;
        coordinates_.Init(pipe, offset, mask, tiling_);
        sums_.Init(pipe, tiling_);
        weights_.Init(pipe);
        pipe.InitBuffer(batches_, 2, 5 * kBatchElements * sizeof(float));
        pipe.InitBuffer(shares_, 1, 4 * kBatchElements * sizeof(float));
        pipe.InitBuffer(old_, 1, 3 * kVector * sizeof(T));
        pipe.InitBuffer(out_, 1, 3 * kVector * sizeof(T));
        pipe.InitBuffer(wide_, 3 * kVector * sizeof(float));
    }

    __aicore__ inline void Process() {
        const TaskRange own = OwnTasks(CountTasks(tiling_));
        if (own.begin == own.end) return;
        Task task = TaskAt(tiling_, own.begin);
        coordinates_.Fetch(task);
        for (int64_t i = own.begin; i < own.end; ++i) {
            const Task next = TaskAt(tiling_, i + 1);
            if (i + 1 < own.end) coordinates_.Fetch(next);
            coordinates_.Compute(task);
            if (wants_x_) weights_.Compute(coordinates_);
            if (WantsSums()) sums_.Clear();
            WalkChannels(task);
            if (WantsSums()) StoreSums(task);
            task = next;
        }
    }

  private:
    __aicore__ inline bool WantsSums() const { return wants_offset_ || wants_mask_; }

    __aicore__ inline void WalkChannels(const Task &task) {
        Batch batch = FirstBatch(tiling_, task);
        Fetch(task, batch);
        while (batch.samples > 0) {
            const Batch next = NextBatch(tiling_, task, batch);
            if (next.samples > 0) Fetch(task, next);
            LocalTensor<float> corners = batches_.DeQue<float>();
            const LocalTensor<float> column = corners[kColumn];
            if (WantsSums()) sums_.Add(corners, column, batch);
            if (wants_x_) Share(column, batch);
            batches_.FreeTensor(corners);
            if (wants_x_) Scatter(task, batch);
            batch = next;
        }
    }

    __aicore__ inline void Fetch(const Task &task, const Batch &batch) {
        const LocalTensor<float> corners = batches_.AllocTensor<float>();
        CopyIn(corners[kColumn], grad_col_[ColOffset(tiling_, task, batch)], ColRows(tiling_, batch));
        if (WantsSums()) FetchCorners(corners, x_, tiling_, task, batch, coordinates_.cell);
        batches_.EnQue(corners);
    }

    // What each sample gives each of its corners.
    __aicore__ inline void Share(const LocalTensor<float> &column, const Batch &b) {
        const LocalTensor<float> shares = shares_.AllocTensor<float>();
        const AscendC::BinaryRepeatParams strides{1, 1, 0, b.PairBlocks(), b.PitchBlocks(), 1};
        for (uint32_t row = 0; row < 2; ++row)
            for (uint32_t side = 0; side < 2; ++side)
                for (uint32_t v = 0; v < b.Vectors(); ++v)
                    AscendC::Mul(shares[b.Corner(row, side) + v * kVector], column[v * kVector], weights_.Of(row, side, b.first), b.Mask(v),
                                 static_cast<uint8_t>(b.samples), strides);
        shares_.EnQue(shares);
    }

    // Lines of the cell that hold a corner of the sample: those of floor and floor + 1 that lie in the image.
    struct Lines {
        int64_t first;
        int64_t skip; // of the cell's lines
        int64_t count;
    };
    __aicore__ static inline Lines CornerLines(int64_t floor, int64_t size) {
        const int64_t cell = Smaller(Larger(floor, 0), Larger(size - 2, 0));
        const int64_t first = Larger(floor, 0);
        const int64_t last = Smaller(floor + 1, size - 1);
        return {first, first - cell, last - first + 1};
    }

    __aicore__ inline void Scatter(const Task &task, const Batch &b) {
        LocalTensor<float> shares = shares_.DeQue<float>();
        const int64_t image = ImageOffset(tiling_, task, b);
        const bool touch = ColumnsTouch(tiling_, b);
        AscendC::SetAtomicAdd<float>();
        for (uint32_t i = 0; i < b.samples; ++i) {
            const Lines rows = CornerLines(coordinates_.floor.GetValue(b.first + i), tiling_.height);
            const Lines columns = CornerLines(coordinates_.floor.GetValue(kVector + b.first + i), tiling_.width);
            if (rows.count <= 0 || columns.count <= 0) continue;
            const uint32_t wide = static_cast<uint32_t>(touch ? columns.count : 1);
            const Rows shape{static_cast<uint32_t>(rows.count), wide * b.channels, tiling_.x_row, b.capacity * 2 * b.pitch};
            for (int64_t column = 0; column < columns.count; column += wide) {
                const int64_t pixel = image + rows.first * tiling_.x_row + (columns.first + column) * tiling_.x_column;
                const uint32_t corner = b.Corner(static_cast<uint32_t>(rows.skip), static_cast<uint32_t>(columns.skip + column));
                CopyOut(grad_x_[pixel], shares[corner + i * 2 * b.pitch], shape);
            }
        }
        AscendC::SetAtomicNone();
        shares_.FreeTensor(shares);
    }

    __aicore__ inline void StoreSums(const Task &task) {
        sums_.Finish(coordinates_);
        const Segment &s = task.segment;
        const int64_t plane = tiling_.out_plane;
        const int64_t map = (s.image * tiling_.deformable_groups + task.deformable_group) * tiling_.taps + task.tap;
        const GlobalTensor<T> offset = grad_offset_[2 * map * plane + s.first];
        const GlobalTensor<T> mask = grad_mask_[map * plane + s.first];
        const Rows two{2, s.count, plane, kVector};
        const Rows one{1, s.count, plane, kVector};
        const bool add_offset = wants_offset_ && tiling_.accumulate_offset != 0;
        const bool add_mask = wants_mask_ && tiling_.accumulate_mask != 0;
        if (add_offset || add_mask) {
            const LocalTensor<T> fetched = old_.template AllocTensor<T>();
            if (add_offset) CopyIn(fetched, offset, two);
            if (add_mask) CopyIn(fetched[kAxes], mask, one);
            old_.EnQue(fetched);
            AddOld(add_offset, add_mask);
        }
        const LocalTensor<T> rounded = out_.template AllocTensor<T>();
        Round(rounded, sums_.gradient, 3 * kVector);
        out_.EnQue(rounded);
        LocalTensor<T> out = out_.template DeQue<T>();
        if (wants_offset_) CopyOut(offset, out, two);
        if (wants_mask_) CopyOut(mask, out[kAxes], one);
        out_.FreeTensor(out);
    }

    __aicore__ inline void AddOld(bool add_offset, bool add_mask) {
        LocalTensor<T> old = old_.template DeQue<T>();
        const LocalTensor<float> wide = wide_.Get<float>();
        const LocalTensor<float> gradient = sums_.gradient;
        Widen(wide, old, 3 * kVector);
        old_.FreeTensor(old);
        PipeBarrier<PIPE_V>();
        if (add_offset) AscendC::Add(gradient, gradient, wide, kAxes);
        if (add_mask) AscendC::Add(gradient[kAxes], gradient[kAxes], wide[kAxes], kVector);
        PipeBarrier<PIPE_V>();
    }

    SampleTiling tiling_;
    GlobalTensor<float> x_;
    GlobalTensor<float> grad_col_;
    GlobalTensor<float> grad_x_;
    GlobalTensor<T> grad_offset_;
    GlobalTensor<T> grad_mask_;
    bool wants_x_;
    bool wants_offset_;
    bool wants_mask_;
    Coordinates<T> coordinates_;
    CornerSums sums_;
    CornerWeights weights_;
    TQue<TPosition::VECIN, 2> batches_; // the corners of a batch, then the gradient of its columns
    TQue<TPosition::VECOUT, 1> shares_;
    TQue<TPosition::VECIN, 1> old_;
    TQue<TPosition::VECOUT, 1> out_;
    TBuf<TPosition::VECCALC> wide_;
};

} // namespace dcn

extern "C" __global__ __aicore__ void dcn_backward_f32(GM_ADDR x, GM_ADDR offset, GM_ADDR mask, GM_ADDR grad_col, GM_ADDR grad_x,
                                                       GM_ADDR grad_offset, GM_ADDR grad_mask, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::Backward<float>>(x, offset, mask, grad_col, grad_x, grad_offset, grad_mask, tiling);
}

extern "C" __global__ __aicore__ void dcn_backward_f16(GM_ADDR x, GM_ADDR offset, GM_ADDR mask, GM_ADDR grad_col, GM_ADDR grad_x,
                                                       GM_ADDR grad_offset, GM_ADDR grad_mask, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::Backward<half>>(x, offset, mask, grad_col, grad_x, grad_offset, grad_mask, tiling);
}

extern "C" __global__ __aicore__ void dcn_backward_bf16(GM_ADDR x, GM_ADDR offset, GM_ADDR mask, GM_ADDR grad_col, GM_ADDR grad_x,
                                                        GM_ADDR grad_offset, GM_ADDR grad_mask, GM_ADDR tiling) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    dcn::Run<dcn::Backward<bfloat16_t>>(x, offset, mask, grad_col, grad_x, grad_offset, grad_mask, tiling);
}
