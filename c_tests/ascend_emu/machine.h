// One vector core and the global memory it shares: pipes that run on their own, what each knows of the others, and what
// every cell of memory has last seen.
//
// Every operation is carried out at once, in program order. Whether that order is *guaranteed* is kept apart: each pipe
// numbers its operations, and `known[p][q]` is the newest operation of pipe q that is sure to have ended before pipe
// p's next one begins. An access to a cell whose last access is not known to have ended is an error, even though the
// value is right.
#ifndef DCN_EMU_MACHINE_H
#define DCN_EMU_MACHINE_H

#include <array>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace emu {

enum Pipe : uint8_t { kScalar, kVector, kMte2, kMte3, kPipes };
const char *pipe_name(Pipe pipe);

// Where in a kernel's source an operation stands.
struct At {
    const char *file;
    int line;
    static constexpr At here(const char *file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

constexpr uint32_t kBlockBytes = 32;
// 192 KiB less the 8 KiB that the toolkit keeps for itself.
constexpr uint32_t kUnifiedBufferBytes = 184 * 1024;
constexpr uint32_t kEventIds = 6;

using Times = std::array<uint32_t, kPipes>;

// A 4-byte cell of the unified buffer.
struct LocalCell {
    uint32_t write_time = 0;
    Pipe writer = kScalar;
    Times reads{};
};

// A 2-byte cell of global memory, as one launch has used it.
struct GlobalCell {
    int32_t write_block = -1;
    int32_t read_block = -1; // kMany when several blocks read it
    uint32_t write_time = 0;
    uint32_t read_time = 0;
    Pipe reader = kScalar;
    bool atomic = false;
};
constexpr int32_t kMany = -2;

class Machine {
  public:
    static Machine &get();

    // --- what a launch is given
    void start_launch(const char *kernel, uint32_t blocks);
    void start_block(uint32_t block);
    void end_block();
    uint32_t block() const { return block_; }
    uint32_t blocks() const { return blocks_; }

    // --- time
    uint32_t begin(Pipe pipe) { return ++issued_[pipe]; }
    Times snapshot(Pipe pipe) const;
    void learn(Pipe pipe, const Times &times);
    void barrier(Pipe pipe);
    void barrier_all();

    // --- accesses; `time` is the operation's number on its pipe
    void read_local(Pipe pipe, uint32_t time, uint64_t offset, uint64_t bytes, const char *what, At at);
    void write_local(Pipe pipe, uint32_t time, uint64_t offset, uint64_t bytes, const char *what, At at);
    void read_global(Pipe pipe, uint32_t time, const void *address, uint64_t bytes, const char *what, At at);
    void write_global(uint32_t time, const void *address, uint64_t bytes, bool atomic, const char *what, At at);
    uint8_t *local(uint64_t offset) { return memory_.data() + offset; }
    uint32_t allocate_local(uint32_t bytes, At at);

    // --- events
    uint32_t take_event(uint32_t event, At at);
    void drop_event(uint32_t event, uint32_t id) { events_[event] &= ~(1u << id); }
    uint32_t free_event(uint32_t event, At at) const;
    std::map<uint64_t, Times> flags; // set and not yet waited for: event << 8 | id

    // --- mutation: one synchronisation can be switched off
    bool enabled(const char *kind, At at);
    std::vector<std::string> sites; // those met in this launch
    std::string disabled_site;

    // --- global memory that may be touched
    std::map<uintptr_t, uint64_t> ranges;

    // --- what the device may do either way
    bool max_keeps_nan = true;

    int atomic = 0;
    int open_tensors = 0; // allocated from queues and not given back
    [[noreturn]] void fail(const std::string &message, const char *what, At at) const;

  private:
    void check_range(const void *address, uint64_t bytes, const char *what, At at) const;
    GlobalCell *cells_of(uintptr_t address);
    [[noreturn]] void race(Pipe pipe, const char *mine, Pipe other, const char *theirs, const char *what, At at) const;

    const char *kernel_ = "";
    uint32_t block_ = 0, blocks_ = 1;
    Times issued_{};
    std::array<Times, kPipes> known_{};
    std::vector<uint8_t> memory_ = std::vector<uint8_t>(kUnifiedBufferBytes);
    std::vector<LocalCell> cells_ = std::vector<LocalCell>(kUnifiedBufferBytes / 4);
    uint32_t allocated_ = 0;
    std::array<uint32_t, 64> events_{};
    std::unordered_map<uintptr_t, std::vector<GlobalCell>> pages_;
};

} // namespace emu

#endif
