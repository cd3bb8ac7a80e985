// The emulator itself: small kernels with one fault each, which must be refused with the right words, and without it
// must pass.
#include "kernel_operator.h"

#include <cstdio>
#include <functional>
#include <string>

#include "tests.h"

namespace {

using namespace AscendC;

struct Memory {
    float values[64] = {};
    Memory() { emu::Machine::get().ranges[reinterpret_cast<uintptr_t>(values)] = sizeof values; }
    ~Memory() { emu::Machine::get().ranges.erase(reinterpret_cast<uintptr_t>(values)); }
};

struct Core {
    TPipe pipe;
    TBuf<TPosition::VECCALC> a, b;
    GlobalTensor<float> global;
    explicit Core(Memory &memory) {
        pipe.InitBuffer(a, 1024);
        pipe.InitBuffer(b, 1024);
        global.SetGlobalBuffer(memory.values);
    }
    LocalTensor<float> x() { return a.Get<float>(); }
    LocalTensor<float> y() { return b.Get<float>(); }
    void in(uint32_t bytes = 256) { DataCopyPad(x(), global, DataCopyExtParams{1, bytes, 0, 0, 0}, DataCopyPadExtParams<float>{}); }
    void out(uint32_t bytes = 256) { DataCopyPad(global, x(), DataCopyExtParams{1, bytes, 0, 0, 0}); }
};

template <HardEvent event> void order() {
    SetFlag<event>(0);
    WaitFlag<event>(0);
}

// What the emulator says of a kernel on some blocks; empty if it has nothing against it.
std::string verdict(uint32_t blocks, const std::function<void(Core &)> &kernel) {
    auto &machine = emu::Machine::get();
    Memory memory;
    try {
        machine.start_launch("fault", blocks);
        for (uint32_t block = 0; block < blocks; ++block) {
            machine.start_block(block);
            Core core(memory);
            kernel(core);
            machine.end_block();
        }
    } catch (const std::exception &error) {
        return error.what();
    }
    return "";
}

int failures = 0, total = 0;

void expect(const char *name, const char *words, const std::string &said) {
    ++total;
    const bool right = *words ? said.find(words) != std::string::npos && said.find("fault, block ") == 0 : said.empty();
    if (right) return;
    ++failures;
    std::printf("%s: expected \"%s\", got \"%s\"\n", name, words, said.c_str());
}

void refuses(const char *name, const char *words, const std::function<void(Core &)> &kernel) { expect(name, words, verdict(1, kernel)); }
void accepts(const char *name, const std::function<void(Core &)> &kernel) { expect(name, "", verdict(1, kernel)); }

void hazards() {
    constexpr const char *kHazard = "hazard";
    refuses("vector reads what MTE2 brings", kHazard, [](Core &c) { c.in(), Adds(c.y(), c.x(), 1.0f, 64); });
    accepts("the same in order", [](Core &c) { c.in(), order<HardEvent::MTE2_V>(), Adds(c.y(), c.x(), 1.0f, 64); });
    refuses("an event of the wrong pipes", kHazard, [](Core &c) { c.in(), order<HardEvent::MTE2_MTE3>(), Adds(c.y(), c.x(), 1.0f, 64); });
    refuses("vector after vector", kHazard, [](Core &c) { Duplicate(c.x(), 1.0f, 64), Adds(c.y(), c.x(), 1.0f, 64); });
    accepts("the same with a barrier", [](Core &c) { Duplicate(c.x(), 1.0f, 64), PipeBarrier<PIPE_V>(), Adds(c.y(), c.x(), 1.0f, 64); });
    accepts("another part of the buffer", [](Core &c) { Duplicate(c.x(), 1.0f, 64), Adds(c.y(), c.x()[64], 1.0f, 64); });
    refuses("MTE3 takes what vector makes", kHazard, [](Core &c) { Duplicate(c.x(), 1.0f, 64), c.out(); });
    refuses("MTE2 overwrites what vector reads", kHazard, [](Core &c) { Adds(c.y(), c.x(), 1.0f, 64), c.in(); });
    refuses("vector overwrites what MTE3 takes", kHazard,
            [](Core &c) { Duplicate(c.x(), 1.0f, 64), order<HardEvent::V_MTE3>(), c.out(), Duplicate(c.x(), 2.0f, 64); });
    refuses("scalar reads what vector makes", kHazard, [](Core &c) { Duplicate(c.x(), 1.0f, 64), c.x().GetValue(3); });
    refuses("vector reads what scalar sets", kHazard, [](Core &c) { c.x().SetValue(3, 1.0f), Adds(c.y(), c.x(), 1.0f, 64); });
    refuses("global: read after write", kHazard, [](Core &c) { c.out(), c.in(); });
    accepts("global: the same in order", [](Core &c) { c.out(), order<HardEvent::MTE3_MTE2>(), c.in(); });
    accepts("order through a third pipe", [](Core &c) {
        c.in(), order<HardEvent::MTE2_S>(), order<HardEvent::S_V>(), Adds(c.y(), c.x(), 1.0f, 64);
    });
}

void limits() {
    static constexpr BinaryRepeatParams kWhole{};
    refuses("misaligned operand", "multiple of 32", [](Core &c) { Duplicate(c.x()[1], 1.0f, 64); });
    refuses("operand beyond its tensor", "beyond its tensor", [](Core &c) { Duplicate(c.x(), 1.0f, 257); });
    refuses("repeat 0", "repeat", [](Core &c) { Add(c.x(), c.x(), c.x(), 64, 0, kWhole); });
    refuses("mask 65", "mask", [](Core &c) { Add(c.x(), c.x(), c.x(), 65, 1, kWhole); });
    refuses("operand across the destination", "overlaps", [](Core &c) { Add(c.x()[8], c.x(), c.y(), 64, 2, kWhole); });
    refuses("a repeat reads what another writes", "overlaps", [](Core &c) { Add(c.x()[64], c.x(), c.y(), 64, 2, kWhole); });
    refuses("block count 4096", "blockCount", [](Core &c) {
        DataCopyPad(c.x(), c.global, DataCopyExtParams{4096, 4, 0, 0, 0}, DataCopyPadExtParams<float>{});
    });
    refuses("empty copy", "blockLen", [](Core &c) { c.in(0); });
    refuses("copy beyond the tensor", "larger than its tensor", [](Core &c) { c.in(1028); });
    refuses("copy beyond global memory", "outside every allocation", [](Core &c) { c.in(260); });
    refuses("write beyond global memory", "outside every allocation", [](Core &c) { c.out(260); });
    refuses("too much memory", "overflows", [](Core &c) {
        TBuf<TPosition::VECCALC> large;
        c.pipe.InitBuffer(large, 192 * 1024);
    });
    refuses("part of a vector compared", "whole vectors", [](Core &c) { CompareScalar(c.y().ReinterpretCast<uint8_t>(), c.x(), 0.0f, CMPMODE::GT, 63); });
}

void protocol() {
    refuses("flag never set", "for ever", [](Core &) { WaitFlag<HardEvent::V_S>(0); });
    refuses("flag never waited for", "never waited for", [](Core &) { SetFlag<HardEvent::V_S>(0); });
    refuses("flag set twice", "set already", [](Core &) { SetFlag<HardEvent::V_S>(0), SetFlag<HardEvent::V_S>(0); });
    refuses("event id 6", "no such event id", [](Core &) { SetFlag<HardEvent::V_S>(6); });
    refuses("tensor never freed", "never freed", [](Core &c) {
        TQue<TPosition::VECIN, 1> queue;
        c.pipe.InitBuffer(queue, 1, 256);
        queue.AllocTensor<float>();
    });
    refuses("queue exhausted", "in use", [](Core &c) {
        TQue<TPosition::VECIN, 1> queue;
        c.pipe.InitBuffer(queue, 1, 256);
        queue.AllocTensor<float>(), queue.AllocTensor<float>();
    });
    refuses("dequeued from an empty queue", "nothing is queued", [](Core &c) {
        TQue<TPosition::VECIN, 1> queue;
        c.pipe.InitBuffer(queue, 1, 256);
        queue.DeQue<float>();
    });
    refuses("atomic left on", "atomic", [](Core &) { SetAtomicAdd<float>(); });
}

void blocks() {
    expect("two blocks write one place", "another block writes", verdict(2, [](Core &c) { c.out(); }));
    expect("two blocks add to one place", "", verdict(2, [](Core &c) { SetAtomicAdd<float>(), c.out(), SetAtomicNone(); }));
    expect("one block reads what another adds", "another block", verdict(2, [](Core &c) {
               if (GetBlockIdx() == 0) SetAtomicAdd<float>(), c.out(), SetAtomicNone();
               else c.in();
           }));
    expect("one block writes what another reads", "another block reads", verdict(2, [](Core &c) {
               if (GetBlockIdx() == 0) c.in();
               else c.out();
           }));
}

void numbers() {
    ++total;
    int wrong = 0;
    for (uint32_t bits = 0; bits < 65536; ++bits) {
        const float h = emu::half_value(static_cast<uint16_t>(bits)), b = emu::widen(bfloat16_t{static_cast<uint16_t>(bits)});
        if (h == h && emu::half_bits(h) != bits) ++wrong;
        if (b == b && emu::bfloat_bits(b) != bits) ++wrong;
    }
    // Halfway cases go to even; overflow to infinity.
    wrong += emu::half_bits(2049.0f) != emu::half_bits(2048.0f) || emu::half_bits(2051.0f) != emu::half_bits(2052.0f);
    wrong += emu::half_bits(65519.0f) != 0x7bff || emu::half_bits(65520.0f) != 0x7c00 || emu::half_bits(std::ldexp(1.0f, -25)) != 0;
    wrong += emu::bfloat_bits(257.0f) != emu::bfloat_bits(256.0f) || emu::bfloat_bits(259.0f) != emu::bfloat_bits(260.0f);
    wrong += emu::bfloat_bits(3.4e38f) != 0x7f80;
    if (wrong) std::printf("numbers: %d conversions are wrong\n", wrong);
    failures += wrong != 0;
}

} // namespace

int test_emulator() {
    hazards();
    limits();
    protocol();
    blocks();
    numbers();
    std::printf("emulator: %d faults and their remedies, %d judged wrongly\n", total, failures);
    return failures != 0;
}
