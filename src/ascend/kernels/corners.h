// The channels of a deformable group, cut into what a batch of samples can hold, and the copies of a sample's corners.
#ifndef DCN_ASCEND_CORNERS_H
#define DCN_ASCEND_CORNERS_H

#include "coordinates.h"

namespace dcn {

constexpr uint32_t kBatchElements = 2048; // of one corner: samples * padded channels
constexpr uint32_t kMaxChannels = 512;

// Channels that are neighbours in x (one deformable group) and in the col matrix (one group), for some samples of a
// segment.
struct Batch {
    int64_t group;
    int64_t channel;      // within the group
    int64_t own_channel;  // within the deformable group
    uint32_t channels;
    uint32_t pitch;       // channels, padded to 32 bytes
    uint32_t capacity;    // samples of a full batch
    uint32_t first;       // sample
    uint32_t samples;     // 0: there is no such batch
    bool last_of_channels;

    __aicore__ inline uint32_t Vectors() const { return static_cast<uint32_t>(CeilDivide(channels, kVector)); }
    __aicore__ inline uint64_t Mask(uint32_t vector) const { return static_cast<uint64_t>(Smaller(kVector, channels - vector * kVector)); }
    // Where corner (row, column) of the batch's first sample begins in a buffer [2 rows][capacity][2 columns][pitch].
    __aicore__ inline uint32_t Corner(uint32_t row, uint32_t column) const { return (row * capacity * 2 + column) * pitch; }
    __aicore__ inline uint8_t PitchBlocks() const { return static_cast<uint8_t>(pitch / 8); }
    __aicore__ inline uint8_t PairBlocks() const { return static_cast<uint8_t>(pitch / 4); }
};

__aicore__ inline void SetChannels(Batch &b, const SampleTiling &t, int64_t deformable_group, int64_t own_channel) {
    const int64_t own = t.channels / t.deformable_groups;
    const int64_t in_group = t.channels / t.groups;
    const int64_t channel = deformable_group * own + own_channel;
    b.group = channel / in_group;
    b.channel = channel % in_group;
    b.own_channel = own_channel;
    b.channels = static_cast<uint32_t>(Smaller(kMaxChannels, Smaller(own - own_channel, in_group - b.channel)));
    b.pitch = RoundUp(b.channels, 8);
    const uint32_t fits = kBatchElements / b.pitch;
    b.capacity = fits >= kVector ? kVector : fits / 4 * 4; // whole 16-byte steps in vectors that have an element a sample
}

__aicore__ inline void SetSamples(Batch &b, const Task &task, uint32_t first) {
    b.first = first;
    b.samples = static_cast<uint32_t>(Smaller(b.capacity, task.segment.count - first));
    b.last_of_channels = first + b.samples == task.segment.count;
}

__aicore__ inline Batch FirstBatch(const SampleTiling &t, const Task &task) {
    Batch b;
    SetChannels(b, t, task.deformable_group, 0);
    SetSamples(b, task, 0);
    return b;
}

__aicore__ inline Batch NextBatch(const SampleTiling &t, const Task &task, const Batch &b) {
    Batch next = b;
    if (!b.last_of_channels) {
        SetSamples(next, task, b.first + b.samples);
        return next;
    }
    const int64_t own_channel = b.own_channel + b.channels;
    next.samples = 0;
    if (own_channel == t.channels / t.deformable_groups) return next;
    SetChannels(next, t, task.deformable_group, own_channel);
    SetSamples(next, task, 0);
    return next;
}

__aicore__ inline int64_t ColOffset(const SampleTiling &t, const Task &task, const Batch &b) {
    const int64_t in_group = t.channels / t.groups;
    const int64_t rows = t.chunk.images * t.chunk.positions;
    return ((b.group * rows + task.segment.row + b.first) * t.taps + task.tap) * in_group + b.channel;
}

__aicore__ inline Rows ColRows(const SampleTiling &t, const Batch &b) {
    return {b.samples, b.channels, t.taps * (t.channels / t.groups), b.pitch};
}

// Where the channels of the batch begin at pixel (0, 0).
__aicore__ inline int64_t ImageOffset(const SampleTiling &t, const Task &task, const Batch &b) {
    return task.segment.image * t.x_image + task.deformable_group * t.x_deformable + b.own_channel;
}

// Both columns are one run of memory, and stay one in the unified buffer.
__aicore__ inline bool ColumnsTouch(const SampleTiling &t, const Batch &b) { return t.x_column == b.channels && b.pitch == b.channels; }

// Brings two rows and two columns of each sample; one where the image has only one.
__aicore__ inline void FetchCorners(const LocalTensor<float> &dst, const GlobalTensor<float> &x, const SampleTiling &t, const Task &task,
                                    const Batch &b, const LocalTensor<int32_t> &cell) {
    const uint32_t rows = t.height > 1 ? 2 : 1;
    const uint32_t columns = t.width > 1 ? 2 : 1;
    const bool touch = ColumnsTouch(t, b);
    const Rows shape{rows, touch ? columns * b.channels : b.channels, t.x_row, b.capacity * 2 * b.pitch};
    const int64_t image = ImageOffset(t, task, b);
    for (uint32_t i = 0; i < b.samples; ++i) {
        // Clamped once more as integers: whatever came of a NaN, it is no address.
        const int64_t top = Smaller(Larger(cell.GetValue(b.first + i), 0), t.height - rows);
        const int64_t left = Smaller(Larger(cell.GetValue(kVector + b.first + i), 0), t.width - columns);
        const int64_t pixel = image + top * t.x_row + left * t.x_column;
        for (uint32_t column = 0; column < (touch ? 1 : columns); ++column)
            CopyIn(dst[(i * 2 + column) * b.pitch], x[pixel + column * t.x_column], shape);
    }
}

} // namespace dcn

#endif
