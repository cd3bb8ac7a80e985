#include "state.hpp"

#include "control.h"

State::State() {
    for (uint32_t device = 0; device < kMostDevices; device++) default_streams[device].device = static_cast<int>(device);
}

State &state() {
    static State *const instance = new State;  // outlives every thread's destructors
    return *instance;
}

std::string &recent_message() {
    thread_local std::string message;
    return message;
}

int &current_device() {
    thread_local int device = -1;
    return device;
}

void record_violation(const std::string &what) { state().violations += what + "\n"; }

Call::Call(const char *name, bool changes_setup) : lock_(state().mutex), name_(name), injected_(false) {
    State &s = state();
    s.calls++;
    s.setup_calls += changes_setup;
    if (s.fail_at == s.calls) {
        injected_ = true;
        s.failed_call = name;
        recent_message() = std::string("EE9999: injected failure of ") + name;
    }
}

aclError Call::violation(const std::string &what) const {
    record_violation(std::string(name_) + ": " + what);
    return failure(kInvalidParameter, what);
}

aclError Call::failure(aclError code, const std::string &what) const {
    recent_message() = std::string("EE1001: ") + name_ + ": " + what;
    return code;
}

bool on_device(const void *address, size_t bytes, int device) {
    State &s = state();
    const uintptr_t first = reinterpret_cast<uintptr_t>(address);
    auto next = s.memory.upper_bound(first);
    if (next == s.memory.begin()) return false;
    const auto &[start, allocation] = *--next;
    return allocation.device == device && first - start <= allocation.size && bytes <= allocation.size - (first - start);
}

Stream *open_stream(const Call &call, void *handle) {
    State &s = state();
    const int device = current_device();
    if (device < 0) {
        call.failure(kContextNull, "no device is current");
        return nullptr;
    }
    if (handle == nullptr) return &s.default_streams[device];
    Stream *const stream = static_cast<Stream *>(handle);
    if (s.streams.count(stream) == 0) {
        call.violation("the stream does not exist");
        return nullptr;
    }
    if (stream->device != device) {
        call.violation("the stream is one of device " + std::to_string(stream->device) + ", current is " + std::to_string(device));
        return nullptr;
    }
    return stream;
}

namespace {

const char *answer(std::string text) {
    State &s = state();
    s.last_answer = std::move(text);
    return s.last_answer.c_str();
}

using Lock = std::lock_guard<std::recursive_mutex>;

}  // namespace

extern "C" {

void fake_reset(void) {
    State &s = state();
    Lock lock(s.mutex);
    s.calls = s.fail_at = s.setup_calls = s.executed = 0;
    s.failed_call.clear();
    s.violations.clear();
    s.trace.clear();
    for (Stream &stream : s.default_streams) stream.queue.clear();
    for (Stream *stream : s.streams) stream->queue.clear();
    s.tensors.clear();
    s.scalars.clear();
    s.executors.clear();
}

void fake_fail_call(uint64_t k) {
    Lock lock(state().mutex);
    state().calls = 0;
    state().fail_at = k;
    state().failed_call.clear();
}

uint64_t fake_calls(void) {
    Lock lock(state().mutex);
    return state().calls;
}

const char *fake_failed_call(void) {
    Lock lock(state().mutex);
    return answer(state().failed_call);
}

const char *fake_violations(void) {
    Lock lock(state().mutex);
    return answer(state().violations);
}

uint64_t fake_live_handles(void) {
    State &s = state();
    Lock lock(s.mutex);
    return s.tensors.size() + s.scalars.size() + s.executors.size();
}

uint64_t fake_live_binaries(void) {
    State &s = state();
    Lock lock(s.mutex);
    return s.binaries.size() + s.descriptions.size();
}

uint64_t fake_pending(void) {
    State &s = state();
    Lock lock(s.mutex);
    uint64_t count = 0;
    for (const Stream &stream : s.default_streams) count += stream.queue.size();
    for (const Stream *stream : s.streams) count += stream->queue.size();
    return count;
}

uint64_t fake_executed(void) {
    Lock lock(state().mutex);
    return state().executed;
}

uint64_t fake_setup_calls(void) {
    Lock lock(state().mutex);
    return state().setup_calls;
}

const char *fake_trace(void) {
    Lock lock(state().mutex);
    return answer(state().trace);
}

void fake_set_soc(const char *name) {
    Lock lock(state().mutex);
    state().soc = name;
}

void fake_set_devices(uint32_t count) {
    Lock lock(state().mutex);
    state().devices = count < kMostDevices ? count : kMostDevices;
}

void fake_set_product_workspace(uint64_t more) {
    Lock lock(state().mutex);
    state().more_workspace = more;
}

void fake_set_vector_cores(uint32_t count) {
    Lock lock(state().mutex);
    state().vector_cores = count;
}

}  // extern "C"
