// How a chunk of output positions is cut for the samplers: segments of up to 64 neighbouring positions of one image,
// and for each of them one task for every deformable group and tap.
#ifndef DCN_ASCEND_SEGMENTS_H
#define DCN_ASCEND_SEGMENTS_H

#include "common.h"

namespace dcn {

struct Segment {
    int64_t index; // within the chunk
    int64_t image;
    int64_t first; // output position, p*Wo + q
    int64_t row;   // of the chunk's matrices
    uint32_t count;
};

struct Task {
    Segment segment;
    int64_t deformable_group;
    int64_t tap;
};

__aicore__ inline int64_t CountTasks(const SampleTiling &t) {
    return t.chunk.images * CeilDivide(t.chunk.positions, kVector) * t.deformable_groups * t.taps;
}

// Neighbouring tasks share their segment.
__aicore__ inline Task TaskAt(const SampleTiling &t, int64_t index) {
    const int64_t per_image = CeilDivide(t.chunk.positions, kVector);
    Task task;
    task.tap = index % t.taps;
    task.deformable_group = index / t.taps % t.deformable_groups;
    Segment &s = task.segment;
    s.index = index / t.taps / t.deformable_groups;
    const int64_t image = s.index / per_image;
    const int64_t begin = s.index % per_image * kVector;
    s.image = t.chunk.image + image;
    s.first = t.chunk.first + begin;
    s.row = image * t.chunk.positions + begin;
    s.count = static_cast<uint32_t>(Smaller(kVector, t.chunk.positions - begin));
    return task;
}

// The tasks of this block: a run of neighbours.
struct TaskRange {
    int64_t begin;
    int64_t end;
};

__aicore__ inline TaskRange OwnTasks(int64_t tasks) {
    const int64_t blocks = AscendC::GetBlockNum();
    const int64_t block = AscendC::GetBlockIdx();
    const int64_t share = tasks / blocks;
    const int64_t larger = tasks % blocks;
    const int64_t begin = block * share + Smaller(block, larger);
    return {begin, begin + share + (block < larger ? 1 : 0)};
}

} // namespace dcn

#endif
