// The one state of the fake: devices, streams, memory, live handles, and what went wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

using aclError = int;

constexpr aclError kSuccess = 0;
constexpr aclError kInvalidParameter = 100000;
constexpr aclError kRepeatedInit = 100002;
constexpr aclError kContextNull = 107002;
constexpr aclError kInjected = 507899;
constexpr aclError kKernelFailed = 507015;

constexpr uint32_t kMostDevices = 8;

// Work that waits until its stream is synchronised. It returns an error code and leaves its message in the state.
using Task = std::function<aclError()>;

struct Stream {
    int device;
    std::deque<Task> queue;
};

// Device memory: host memory between two guard pages, accessible only while a stream runs, so that a host that reads a
// device pointer crashes as it would.
struct Allocation {
    char *mapping;
    size_t mapping_size;
    size_t size;
    int device;
};

struct State {
    std::recursive_mutex mutex;

    std::string soc = "Ascend910B3";
    uint32_t devices = 1;
    uint32_t vector_cores = 40;
    uint64_t more_workspace = 0;

    std::map<uintptr_t, Allocation> memory;  // by address of the first byte
    std::set<Stream *> streams;
    Stream default_streams[kMostDevices];
    uint32_t running = 0;                    // streams that run now

    std::set<const void *> tensors, scalars, executors, binaries, descriptions;

    uint64_t calls = 0, fail_at = 0, setup_calls = 0, executed = 0;
    std::string failed_call, violations, trace, last_answer;

    State();
};

State &state();

// The message that aclGetRecentErrMsg tells this thread.
std::string &recent_message();
// The calling thread's device, or -1.
int &current_device();

// One ACL call: counts it, makes it fail where a test wants that. Holds the state's lock for as long as it lives.
class Call {
public:
    explicit Call(const char *name, bool changes_setup = false);
    // Whether a test makes this call fail; the message is set.
    bool injected() const { return injected_; }
    // Records what CANN would not have forgiven, and returns its error code.
    aclError violation(const std::string &what) const;
    aclError failure(aclError code, const std::string &what) const;

private:
    std::unique_lock<std::recursive_mutex> lock_;
    const char *name_;
    bool injected_;
};

void record_violation(const std::string &what);

// Whether all bytes are of one allocation of the device.
bool on_device(const void *address, size_t bytes, int device);
// The stream a handle stands for (NULL: the default one of the current device), or nullptr with the violation recorded.
Stream *open_stream(const Call &call, void *stream);
