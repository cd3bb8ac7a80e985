// Flags, barriers, buffers and queues.
#ifndef DCN_EMU_SYNC_H
#define DCN_EMU_SYNC_H

#include <deque>

#include "tensor.h"

enum pipe_t : uint8_t { PIPE_S, PIPE_V, PIPE_MTE2, PIPE_MTE3, PIPE_ALL };

namespace AscendC {

using TEventID = int8_t;
enum class TPosition : uint8_t { GM, VECIN, VECOUT, VECCALC };

// Source pipe * 4 + pipe that waits.
enum class HardEvent : uint8_t {
    S_V = 0 * 4 + 1,
    S_MTE2 = 0 * 4 + 2,
    S_MTE3 = 0 * 4 + 3,
    V_S = 1 * 4 + 0,
    V_MTE2 = 1 * 4 + 2,
    V_MTE3 = 1 * 4 + 3,
    MTE2_S = 2 * 4 + 0,
    MTE2_V = 2 * 4 + 1,
    MTE2_MTE3 = 2 * 4 + 3,
    MTE3_S = 3 * 4 + 0,
    MTE3_V = 3 * 4 + 1,
    MTE3_MTE2 = 3 * 4 + 2,
};

template <HardEvent event> void SetFlag(int32_t id, emu::At at = emu::At::here()) {
    auto &machine = emu::Machine::get();
    const uint64_t key = static_cast<uint64_t>(event) << 8 | static_cast<uint64_t>(id);
    if (id < 0 || id >= static_cast<int32_t>(emu::kEventIds)) machine.fail("no such event id", "SetFlag", at);
    if (machine.flags.count(key)) machine.fail("the flag is set already", "SetFlag", at);
    const auto source = static_cast<emu::Pipe>(static_cast<uint8_t>(event) / 4);
    machine.flags[key] = machine.enabled("SetFlag", at) ? machine.snapshot(source) : emu::Times{};
}

template <HardEvent event> void WaitFlag(int32_t id, emu::At at = emu::At::here()) {
    auto &machine = emu::Machine::get();
    const auto flag = machine.flags.find(static_cast<uint64_t>(event) << 8 | static_cast<uint64_t>(id));
    if (flag == machine.flags.end()) machine.fail("waits for ever: the flag was not set", "WaitFlag", at);
    machine.learn(static_cast<emu::Pipe>(static_cast<uint8_t>(event) % 4), flag->second);
    machine.flags.erase(flag);
}

template <pipe_t pipe> void PipeBarrier(emu::At at = emu::At::here()) {
    static_assert(pipe != PIPE_S, "a barrier on the scalar pipe is a hardware error");
    auto &machine = emu::Machine::get();
    if (!machine.enabled("PipeBarrier", at)) return;
    if constexpr (pipe == PIPE_ALL) machine.barrier_all();
    else machine.barrier(static_cast<emu::Pipe>(pipe));
}

template <TPosition position> class TBuf {
  public:
    template <typename T> LocalTensor<T> Get() { return {offset_, bytes_}; }

  private:
    friend class TPipe;
    uint32_t offset_ = 0, bytes_ = 0;
};

// A queue of buffers between MTE2 and vector (VECIN) or vector and MTE3 (VECOUT).
template <TPosition position, int32_t depth> class TQue {
    static_assert(position == TPosition::VECIN || position == TPosition::VECOUT);
    static constexpr bool kIn = position == TPosition::VECIN;
    static constexpr HardEvent kFilled = kIn ? HardEvent::MTE2_V : HardEvent::V_MTE3;
    static constexpr HardEvent kFreed = kIn ? HardEvent::V_MTE2 : HardEvent::MTE3_V;

  public:
    template <typename T> LocalTensor<T> AllocTensor(emu::At at = emu::At::here()) {
        auto &machine = emu::Machine::get();
        if (buffers_.empty()) machine.fail("the queue was never initialised", "AllocTensor", at);
        Buffer &buffer = buffers_[next_];
        if (buffer.state != kFree) machine.fail("every buffer of the queue is in use", "AllocTensor", at);
        next_ = (next_ + 1) % buffers_.size();
        finish(kFreed, buffer);
        buffer.state = kAllocated;
        ++machine.open_tensors;
        return {buffer.offset, bytes_};
    }

    template <typename T> void EnQue(const LocalTensor<T> &tensor, emu::At at = emu::At::here()) {
        auto &machine = emu::Machine::get();
        Buffer &buffer = find(tensor, kAllocated, "EnQue", at);
        if (queued_.size() == depth) machine.fail("more tensors are queued than the queue is deep", "EnQue", at);
        buffer.state = kQueued;
        start(kFilled, buffer, "EnQue", at);
        queued_.push_back(&buffer);
    }

    template <typename T> LocalTensor<T> DeQue(emu::At at = emu::At::here()) {
        if (queued_.empty()) emu::Machine::get().fail("nothing is queued", "DeQue", at);
        Buffer &buffer = *queued_.front();
        queued_.pop_front();
        finish(kFilled, buffer);
        buffer.state = kTaken;
        return {buffer.offset, bytes_};
    }

    template <typename T> void FreeTensor(LocalTensor<T> &tensor, emu::At at = emu::At::here()) {
        Buffer &buffer = find(tensor, kTaken, "FreeTensor", at);
        buffer.state = kFree;
        start(kFreed, buffer, "FreeTensor", at);
        --emu::Machine::get().open_tensors;
    }

  private:
    friend class TPipe;
    enum State : uint8_t { kFree, kAllocated, kQueued, kTaken };
    struct Buffer {
        uint32_t offset;
        State state = kFree;
        bool pending = false;
        uint32_t event_id = 0;
        emu::Times times{};
    };

    static emu::Pipe source(HardEvent event) { return static_cast<emu::Pipe>(static_cast<uint8_t>(event) / 4); }
    static emu::Pipe target(HardEvent event) { return static_cast<emu::Pipe>(static_cast<uint8_t>(event) % 4); }

    void start(HardEvent event, Buffer &buffer, const char *kind, emu::At at) {
        auto &machine = emu::Machine::get();
        buffer.event_id = machine.take_event(static_cast<uint32_t>(event), at);
        buffer.times = machine.enabled(kind, at) ? machine.snapshot(source(event)) : emu::Times{};
        buffer.pending = true;
    }
    void finish(HardEvent event, Buffer &buffer) {
        if (!buffer.pending) return;
        emu::Machine::get().drop_event(static_cast<uint32_t>(event), buffer.event_id);
        emu::Machine::get().learn(target(event), buffer.times);
        buffer.pending = false;
    }
    template <typename T> Buffer &find(const LocalTensor<T> &tensor, State state, const char *what, emu::At at) {
        for (Buffer &buffer : buffers_)
            if (buffer.offset == tensor.offset() && buffer.state == state) return buffer;
        emu::Machine::get().fail("the tensor is not the queue's, or not in the right state", what, at);
    }

    std::vector<Buffer> buffers_;
    std::deque<Buffer *> queued_;
    uint32_t bytes_ = 0;
    size_t next_ = 0;
};

class TPipe {
  public:
    TPipe() { current() = this; }
    template <TPosition position, int32_t depth>
    void InitBuffer(TQue<position, depth> &queue, uint8_t buffers, uint32_t bytes, emu::At at = emu::At::here()) {
        if (bytes % emu::kBlockBytes) emu::Machine::get().fail("a buffer's size is no multiple of 32 bytes", "InitBuffer", at);
        queue.bytes_ = bytes;
        for (uint8_t i = 0; i < buffers; ++i) queue.buffers_.push_back({emu::Machine::get().allocate_local(bytes, at)});
    }
    template <TPosition position> void InitBuffer(TBuf<position> &buffer, uint32_t bytes, emu::At at = emu::At::here()) {
        if (bytes % emu::kBlockBytes) emu::Machine::get().fail("a buffer's size is no multiple of 32 bytes", "InitBuffer", at);
        buffer.offset_ = emu::Machine::get().allocate_local(bytes, at);
        buffer.bytes_ = bytes;
    }
    TEventID FetchEventID(HardEvent event, emu::At at = emu::At::here()) const {
        return static_cast<TEventID>(emu::Machine::get().free_event(static_cast<uint32_t>(event), at));
    }
    static TPipe *&current() {
        static TPipe *pipe = nullptr;
        return pipe;
    }
};

inline TPipe *GetTPipePtr() { return TPipe::current(); }

} // namespace AscendC

#endif
