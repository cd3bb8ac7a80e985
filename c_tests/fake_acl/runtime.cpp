// Devices, streams and memory.
#include "state.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "../ascend_emu/emulator.h"

namespace {

// A device's memory comes in blocks of 512 bytes; the end of the last one lies at a guard page.
constexpr size_t kBlock = 512;
// What new memory is full of: a NaN of every floating-point type.
constexpr int kPoison = 0xFF;

void protect_all(int protection) {
    for (const auto &[address, allocation] : state().memory) {
        mprotect(allocation.mapping + getpagesize(), allocation.mapping_size - 2 * getpagesize(), protection);
    }
}

// Runs what waits on a stream, in order; after a failure the rest is dropped, as a device does.
aclError run(Stream &stream) {
    State &s = state();
    if (s.running++ == 0) protect_all(PROT_READ | PROT_WRITE);
    aclError outcome = kSuccess;
    while (!stream.queue.empty()) {
        const Task task = std::move(stream.queue.front());
        stream.queue.pop_front();
        if (outcome == kSuccess) outcome = task();
    }
    if (--s.running == 0) protect_all(PROT_NONE);
    return outcome;
}

// Enqueues a copy or a fill of device memory.
aclError enqueue(const Call &call, void *handle, Task task) {
    Stream *const stream = open_stream(call, handle);
    if (stream == nullptr) return current_device() < 0 ? kContextNull : kInvalidParameter;
    stream->queue.push_back(std::move(task));
    return kSuccess;
}

}  // namespace

extern "C" {

const char *aclGetRecentErrMsg(void) {
    // Not counted as a call: it has no outcome, and is what tells about one.
    thread_local std::string text;
    text = recent_message();
    recent_message().clear();
    return text.empty() ? nullptr : text.c_str();
}

aclError aclInit(const char *) {
    static bool initialised = false;
    Call call("aclInit", true);
    if (call.injected()) return kInjected;
    if (initialised) return call.failure(kRepeatedInit, "repeated initialisation");
    initialised = true;
    return kSuccess;
}

aclError aclFinalize(void) {
    Call call("aclFinalize", true);
    return call.injected() ? kInjected : kSuccess;
}

aclError aclrtGetVersion(int32_t *major, int32_t *minor, int32_t *patch) {
    Call call("aclrtGetVersion");
    if (call.injected()) return kInjected;
    *major = 1, *minor = 14, *patch = 0;
    return kSuccess;
}

aclError aclrtGetDevice(int32_t *device) {
    Call call("aclrtGetDevice");
    if (call.injected()) return kInjected;
    if (current_device() < 0) return call.failure(kContextNull, "no device is current");
    *device = current_device();
    return kSuccess;
}

aclError aclrtGetDeviceCount(uint32_t *count) {
    Call call("aclrtGetDeviceCount");
    if (call.injected()) return kInjected;
    *count = state().devices;
    return kSuccess;
}

aclError aclrtSetDevice(int32_t device) {
    Call call("aclrtSetDevice", true);
    if (call.injected()) return kInjected;
    if (device < 0 || static_cast<uint32_t>(device) >= state().devices) return call.violation("there is no such device");
    current_device() = device;
    return kSuccess;
}

const char *aclrtGetSocName(void) {
    Call call("aclrtGetSocName");
    return call.injected() || state().soc.empty() ? nullptr : state().soc.c_str();
}

aclError aclGetDeviceCapability(uint32_t device, int info, int64_t *value) {
    Call call("aclGetDeviceCapability");
    if (call.injected()) return kInjected;
    if (device >= state().devices) return call.violation("there is no such device");
    switch (info) {
        case 0: *value = state().vector_cores / 2; return kSuccess;
        case 1: *value = state().vector_cores; return kSuccess;
        case 2: *value = int64_t{192} << 20; return kSuccess;
        default: return call.violation("there is no such number");
    }
}

aclError aclrtMalloc(void **address, size_t size, int) {
    Call call("aclrtMalloc", true);
    if (call.injected()) return kInjected;
    if (size == 0) return call.violation("size is 0");
    if (current_device() < 0) return call.failure(kContextNull, "no device is current");
    const size_t page = static_cast<size_t>(getpagesize());
    const size_t blocks = (size + kBlock - 1) / kBlock * kBlock, pages = (blocks + page - 1) / page * page;
    void *const mapping = mmap(nullptr, pages + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) return call.failure(207001, "out of memory");
    char *const first = static_cast<char *>(mapping) + page;
    mprotect(first, pages, PROT_READ | PROT_WRITE);
    memset(first, kPoison, pages);
    if (state().running == 0) mprotect(first, pages, PROT_NONE);
    *address = first + (pages - blocks);
    emu_memory_add(*address, size);
    state().memory[reinterpret_cast<uintptr_t>(*address)] =
        {static_cast<char *>(mapping), pages + 2 * page, size, current_device()};
    return kSuccess;
}

aclError aclrtFree(void *address) {
    Call call("aclrtFree", true);
    if (call.injected()) return kInjected;
    auto entry = state().memory.find(reinterpret_cast<uintptr_t>(address));
    if (entry == state().memory.end()) return call.violation("the address is not one of aclrtMalloc's");
    emu_memory_remove(address);
    munmap(entry->second.mapping, entry->second.mapping_size);
    state().memory.erase(entry);
    return kSuccess;
}

aclError aclrtMemcpyAsync(void *to, size_t room, const void *from, size_t size, int kind, void *handle) {
    Call call("aclrtMemcpyAsync");
    if (call.injected()) return kInjected;
    const int device = current_device();
    if (size > room) return call.violation("there is less room than bytes");
    if ((kind == 1 || kind == 3) && !on_device(to, room, device)) return call.violation("the destination is not on the device");
    if ((kind == 2 || kind == 3) && !on_device(from, size, device)) return call.violation("the source is not on the device");
    return enqueue(call, handle, [=] {
        memmove(to, from, size);
        return kSuccess;
    });
}

aclError aclrtMemsetAsync(void *to, size_t room, int32_t value, size_t size, void *handle) {
    Call call("aclrtMemsetAsync");
    if (call.injected()) return kInjected;
    if (size > room) return call.violation("there is less room than bytes");
    if (size == 0) return call.violation("size is 0");
    if (!on_device(to, room, current_device())) return call.violation("the memory is not on the device");
    return enqueue(call, handle, [=] {
        memset(to, value, size);
        state().trace += "memset " + std::to_string(size) + "\n";
        return kSuccess;
    });
}

aclError aclrtCreateStream(void **stream) {
    Call call("aclrtCreateStream", true);
    if (call.injected()) return kInjected;
    if (current_device() < 0) return call.failure(kContextNull, "no device is current");
    Stream *const made = new Stream{current_device(), {}};
    state().streams.insert(made);
    *stream = made;
    return kSuccess;
}

aclError aclrtDestroyStream(void *handle) {
    Call call("aclrtDestroyStream", true);
    if (call.injected()) return kInjected;
    Stream *const stream = static_cast<Stream *>(handle);
    if (state().streams.erase(stream) == 0) return call.violation("the stream does not exist");
    if (!stream->queue.empty()) call.violation("the stream has work that was not synchronised");
    delete stream;
    return kSuccess;
}

aclError aclrtSynchronizeStream(void *handle) {
    Call call("aclrtSynchronizeStream", true);
    if (call.injected()) return kInjected;
    Stream *const stream = open_stream(call, handle);
    return stream == nullptr ? kInvalidParameter : run(*stream);
}

}  // extern "C"
