#include "machine.h"

#include <algorithm>
#include <cstring>
#include <sstream>

namespace emu {

namespace {
constexpr uintptr_t kPage = 4096;

std::string base_name(const char *path) {
    const char *slash = std::strrchr(path, '/');
    return slash ? slash + 1 : path;
}
} // namespace

const char *pipe_name(Pipe pipe) {
    constexpr const char *kNames[] = {"scalar", "vector", "MTE2", "MTE3"};
    return kNames[pipe];
}

Machine &Machine::get() {
    static Machine machine;
    return machine;
}

void Machine::fail(const std::string &message, const char *what, At at) const {
    std::ostringstream text;
    text << kernel_ << ", block " << block_ << " of " << blocks_ << ", " << what << " at " << base_name(at.file) << ":" << at.line << ": "
         << message;
    throw Error(text.str());
}

void Machine::race(Pipe pipe, const char *mine, Pipe other, const char *theirs, const char *what, At at) const {
    fail(std::string("hazard: the ") + pipe_name(pipe) + " pipe " + mine + " what the " + pipe_name(other) + " pipe " + theirs +
             " with nothing that orders the two",
         what, at);
}

void Machine::start_launch(const char *kernel, uint32_t blocks) {
    kernel_ = kernel;
    blocks_ = blocks;
    pages_.clear();
    sites.clear();
}

void Machine::start_block(uint32_t block) {
    block_ = block;
    issued_ = {};
    known_ = {};
    allocated_ = 0;
    events_ = {};
    flags.clear();
    atomic = 0;
    open_tensors = 0;
    std::fill(cells_.begin(), cells_.end(), LocalCell{});
    // Every float, half and bfloat16 made of this byte is a NaN.
    std::fill(memory_.begin(), memory_.end(), uint8_t{0xff});
}

void Machine::end_block() {
    const At end{"end of kernel", 0};
    if (!flags.empty()) fail("a flag was set and never waited for", "SetFlag", end);
    if (open_tensors) fail("tensors were allocated from a queue and never freed", "AllocTensor", end);
    if (atomic) fail("the kernel ends with atomic addition switched on", "SetAtomicAdd", end);
}

Times Machine::snapshot(Pipe pipe) const {
    Times times = known_[pipe];
    times[pipe] = issued_[pipe];
    return times;
}

void Machine::learn(Pipe pipe, const Times &times) {
    for (int q = 0; q < kPipes; ++q) known_[pipe][q] = std::max(known_[pipe][q], times[q]);
}

void Machine::barrier(Pipe pipe) { known_[pipe][pipe] = issued_[pipe]; }

void Machine::barrier_all() {
    for (auto &known : known_) known = issued_;
}

bool Machine::enabled(const char *kind, At at) {
    std::string name = base_name(at.file) + ":" + std::to_string(at.line) + " " + kind;
    if (std::find(sites.begin(), sites.end(), name) == sites.end()) sites.push_back(name);
    return name != disabled_site;
}

uint32_t Machine::allocate_local(uint32_t bytes, At at) {
    const uint32_t offset = allocated_;
    allocated_ += (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    if (allocated_ > kUnifiedBufferBytes)
        fail("the unified buffer overflows: " + std::to_string(allocated_) + " bytes of " + std::to_string(kUnifiedBufferBytes), "InitBuffer", at);
    return offset;
}

uint32_t Machine::free_event(uint32_t event, At at) const {
    for (uint32_t id = 0; id < kEventIds; ++id)
        if (!(events_[event] >> id & 1)) return id;
    fail("more than " + std::to_string(kEventIds) + " events of one kind are in use", "event", at);
}

uint32_t Machine::take_event(uint32_t event, At at) {
    const uint32_t id = free_event(event, at);
    events_[event] |= 1u << id;
    return id;
}

void Machine::read_local(Pipe pipe, uint32_t time, uint64_t offset, uint64_t bytes, const char *what, At at) {
    const bool in_order = pipe == kScalar;
    for (uint64_t i = offset / 4; i < (offset + bytes + 3) / 4; ++i) {
        LocalCell &cell = cells_[i];
        const bool own = cell.writer == pipe && in_order;
        if (!own && known_[pipe][cell.writer] < cell.write_time) race(pipe, "reads", cell.writer, "writes", what, at);
        cell.reads[pipe] = time;
    }
}

void Machine::write_local(Pipe pipe, uint32_t time, uint64_t offset, uint64_t bytes, const char *what, At at) {
    const bool in_order = pipe == kScalar;
    for (uint64_t i = offset / 4; i < (offset + bytes + 3) / 4; ++i) {
        LocalCell &cell = cells_[i];
        const bool own = cell.writer == pipe && in_order;
        if (!own && known_[pipe][cell.writer] < cell.write_time) race(pipe, "overwrites", cell.writer, "writes", what, at);
        // A pipe starts its operations in order, so it cannot overwrite what an earlier one of its own has yet to read.
        for (int q = 0; q < kPipes; ++q)
            if (q != pipe && known_[pipe][q] < cell.reads[q]) race(pipe, "overwrites", static_cast<Pipe>(q), "reads", what, at);
        cell.writer = pipe;
        cell.write_time = time;
    }
}

void Machine::check_range(const void *address, uint64_t bytes, const char *what, At at) const {
    const auto begin = reinterpret_cast<uintptr_t>(address);
    auto range = ranges.upper_bound(begin);
    if (range != ranges.begin()) {
        --range;
        if (begin + bytes <= range->first + range->second) return;
    }
    fail("global memory is touched outside every allocation (" + std::to_string(bytes) + " bytes)", what, at);
}

GlobalCell *Machine::cells_of(uintptr_t address) {
    auto &page = pages_[address / kPage];
    if (page.empty()) page.resize(kPage / 2);
    return &page[address % kPage / 2];
}

template <typename F> static void for_cells(uintptr_t begin, uint64_t bytes, F page_part) {
    for (uintptr_t at = begin & ~uintptr_t{1}; at < begin + bytes;) {
        const uintptr_t end = std::min<uintptr_t>(begin + bytes, (at / kPage + 1) * kPage);
        page_part(at, (end - at + 1) / 2);
        at = end;
    }
}

void Machine::read_global(Pipe pipe, uint32_t time, const void *address, uint64_t bytes, const char *what, At at) {
    check_range(address, bytes, what, at);
    const int32_t me = static_cast<int32_t>(block_);
    for_cells(reinterpret_cast<uintptr_t>(address), bytes, [&](uintptr_t begin, uint64_t count) {
        GlobalCell *cell = cells_of(begin);
        for (uint64_t i = 0; i < count; ++i, ++cell) {
            if (cell->write_block >= 0) {
                if (cell->write_block != me) fail("reads global memory that another block writes", what, at);
                if (known_[pipe][kMte3] < cell->write_time) race(pipe, "reads (global)", kMte3, "writes", what, at);
            }
            cell->read_block = cell->read_block == -1 || cell->read_block == me ? me : kMany;
            cell->read_time = time;
            cell->reader = pipe;
        }
    });
}

void Machine::write_global(uint32_t time, const void *address, uint64_t bytes, bool is_atomic, const char *what, At at) {
    check_range(address, bytes, what, at);
    const int32_t me = static_cast<int32_t>(block_);
    for_cells(reinterpret_cast<uintptr_t>(address), bytes, [&](uintptr_t begin, uint64_t count) {
        GlobalCell *cell = cells_of(begin);
        for (uint64_t i = 0; i < count; ++i, ++cell) {
            const bool both_atomic = cell->write_block >= 0 && cell->atomic && is_atomic;
            if (cell->write_block >= 0 && !both_atomic) {
                if (cell->write_block != me) fail("writes global memory that another block writes", what, at);
                if (known_[kMte3][kMte3] < cell->write_time) race(kMte3, "overwrites (global)", kMte3, "writes", what, at);
            }
            if (cell->read_block != -1 && cell->read_block != me) fail("writes global memory that another block reads", what, at);
            if (cell->read_block == me && known_[kMte3][cell->reader] < cell->read_time)
                race(kMte3, "overwrites (global)", cell->reader, "reads", what, at);
            cell->write_block = me;
            cell->write_time = time;
            cell->atomic = is_atomic;
        }
    });
}

} // namespace emu
