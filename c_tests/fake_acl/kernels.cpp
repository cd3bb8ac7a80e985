// Kernel binaries, argument lists and launches. A launch checks what a device would not forgive, and runs the emulated
// kernel when its stream is synchronised.
#include "state.hpp"

#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "../../src/ascend/kernels/tiling.h"
#include "../ascend_emu/emulator.h"

namespace {

struct Function {
    std::string name;
    int device;
};

struct Binary {
    int device;
    std::map<std::string, std::unique_ptr<Function>> functions;
};

// What the runtime's own argument list holds at most.
constexpr size_t kMostParameters = 128;
constexpr size_t kMostBytes = 64 * 1024;

struct Parameter {
    bool placeholder;
    size_t size;
    std::unique_ptr<char[]> bytes;
};

// Each thread has one argument list, which aclrtKernelArgsInit starts afresh.
struct Arguments {
    Function *function = nullptr;
    std::vector<Parameter> parameters;
    size_t bytes = 0;
    bool buffers_given = false, finalised = false;

    // Overwrites what a host must not rely on any more.
    void scribble() {
        for (Parameter &parameter : parameters) {
            if (parameter.bytes) memset(parameter.bytes.get(), 0xEE, parameter.size);
        }
    }
};

Arguments &own_arguments() {
    thread_local Arguments arguments;
    return arguments;
}

bool ends_with(const std::string &text, const char *end) {
    return text.size() >= strlen(end) && text.compare(text.size() - strlen(end), std::string::npos, end) == 0;
}

size_t tiling_size(const std::string &name) {
    const auto is = [&](const char *kernel) {
        return name.rfind(kernel, 0) == 0 && (ends_with(name, "_f32") || ends_with(name, "_f16") || ends_with(name, "_bf16"));
    };
    if (is("dcn_sample_") || is("dcn_backward_")) return sizeof(dcn::SampleTiling);
    if (is("dcn_layout_")) return sizeof(dcn::LayoutTiling);
    if (is("dcn_output_") || is("dcn_grad_output_")) return sizeof(dcn::OutputTiling);
    if (is("dcn_grad_bias_")) return sizeof(dcn::GradBiasTiling);
    if (is("dcn_depthwise_")) return sizeof(dcn::DepthwiseTiling);
    return 0;
}

aclError load(const Call &call, void **handle) {
    if (current_device() < 0) return call.failure(kContextNull, "no device is current");
    Binary *const binary = new Binary{current_device(), {}};
    state().binaries.insert(binary);
    *handle = binary;
    return kSuccess;
}

struct Launch {
    std::string name;
    uint32_t blocks;
    std::vector<void *> addresses;
    std::vector<int64_t> tiling;

    aclError operator()() {
        addresses.back() = tiling.data();
        if (emu_launch(name.c_str(), blocks, addresses.data(), addresses.size()) != 0) {
            record_violation(name + ": " + emu_message());
            recent_message() = std::string("EZ9999: ") + emu_message();
            return kKernelFailed;
        }
        state().executed++;
        state().trace += "kernel " + name + " " + std::to_string(blocks) + "\n";
        return kSuccess;
    }
};

}  // namespace

extern "C" {

aclError aclrtBinaryLoadFromFile(const char *path, void *options, void **handle) {
    Call call("aclrtBinaryLoadFromFile");
    if (call.injected()) return kInjected;
    if (options != nullptr) return call.violation("options are not known here");
    if (access(path, R_OK) != 0) return call.failure(kInvalidParameter, "the file cannot be read");
    return load(call, handle);
}

void *aclrtCreateBinary(const void *data, size_t size) {
    Call call("aclrtCreateBinary");
    if (call.injected()) return nullptr;
    if (data == nullptr || size == 0) {
        call.violation("there are no bytes");
        return nullptr;
    }
    char *const description = new char[size];
    memcpy(description, data, size);  // reads all of it
    state().descriptions.insert(description);
    return description;
}

aclError aclrtDestroyBinary(void *description) {
    Call call("aclrtDestroyBinary");
    if (state().descriptions.erase(description) == 0) return call.violation("the description does not exist");
    delete[] static_cast<char *>(description);
    return call.injected() ? kInjected : kSuccess;
}

aclError aclrtBinaryLoad(void *description, void **handle) {
    Call call("aclrtBinaryLoad");
    if (call.injected()) return kInjected;
    if (state().descriptions.count(description) == 0) return call.violation("the description does not exist");
    return load(call, handle);
}

aclError aclrtBinaryUnLoad(void *handle) {
    Call call("aclrtBinaryUnLoad");
    if (call.injected()) return kInjected;
    if (state().binaries.erase(handle) == 0) return call.violation("the binary is not loaded");
    delete static_cast<Binary *>(handle);
    return kSuccess;
}

aclError aclrtBinaryGetFunction(void *handle, const char *name, void **function) {
    Call call("aclrtBinaryGetFunction");
    if (call.injected()) return kInjected;
    if (state().binaries.count(handle) == 0) return call.violation("the binary is not loaded");
    Binary *const binary = static_cast<Binary *>(handle);
    if (emu_kernel_arguments(name) == 0) return call.failure(kInvalidParameter, std::string("there is no kernel ") + name);
    std::unique_ptr<Function> &entry = binary->functions[name];
    if (!entry) entry = std::make_unique<Function>(Function{name, binary->device});
    *function = entry.get();
    return kSuccess;
}

aclError aclrtKernelArgsInit(void *function, void **handle) {
    Call call("aclrtKernelArgsInit");
    if (call.injected()) return kInjected;
    if (function == nullptr) return call.violation("there is no function");
    Arguments &arguments = own_arguments();
    arguments = Arguments();
    arguments.function = static_cast<Function *>(function);
    *handle = &arguments;
    return kSuccess;
}

aclError aclrtKernelArgsAppend(void *handle, void *value, size_t size, void **parameter) {
    Call call("aclrtKernelArgsAppend");
    if (call.injected()) return kInjected;
    Arguments &arguments = own_arguments();
    if (handle != &arguments) return call.violation("the argument list is another thread's");
    if (arguments.buffers_given || arguments.finalised) return call.violation("parameters come before the buffers of placeholders");
    if (size != sizeof(void *)) return call.violation("the kernels here take addresses only");
    if (arguments.parameters.size() == kMostParameters) return call.violation("there are too many parameters");
    arguments.parameters.push_back({false, size, std::make_unique<char[]>(size)});
    memcpy(arguments.parameters.back().bytes.get(), value, size);
    arguments.bytes += size;
    *parameter = arguments.parameters.back().bytes.get();
    return kSuccess;
}

aclError aclrtKernelArgsAppendPlaceHolder(void *handle, void **parameter) {
    Call call("aclrtKernelArgsAppendPlaceHolder");
    if (call.injected()) return kInjected;
    Arguments &arguments = own_arguments();
    if (handle != &arguments) return call.violation("the argument list is another thread's");
    if (arguments.buffers_given || arguments.finalised) return call.violation("placeholders come before the buffer of the first one");
    if (arguments.parameters.size() == kMostParameters) return call.violation("there are too many parameters");
    arguments.parameters.push_back({true, 0, nullptr});
    // Handles are indices here, as a vector moves.
    *parameter = reinterpret_cast<void *>(arguments.parameters.size());
    return kSuccess;
}

aclError aclrtKernelArgsGetPlaceHolderBuffer(void *handle, void *parameter, size_t size, void **buffer) {
    Call call("aclrtKernelArgsGetPlaceHolderBuffer");
    if (call.injected()) return kInjected;
    Arguments &arguments = own_arguments();
    if (handle != &arguments) return call.violation("the argument list is another thread's");
    const size_t index = reinterpret_cast<size_t>(parameter) - 1;
    if (index >= arguments.parameters.size() || !arguments.parameters[index].placeholder) return call.violation("that is no placeholder");
    if (arguments.finalised) return call.violation("the argument list is finalised");
    arguments.bytes += size;
    if (size == 0 || arguments.bytes > kMostBytes) return call.violation("the argument list has no room");
    arguments.buffers_given = true;
    Parameter &entry = arguments.parameters[index];
    entry.size = size;
    entry.bytes = std::make_unique<char[]>(size);
    memset(entry.bytes.get(), 0xEE, size);
    *buffer = entry.bytes.get();
    return kSuccess;
}

aclError aclrtKernelArgsFinalize(void *handle) {
    Call call("aclrtKernelArgsFinalize");
    if (call.injected()) return kInjected;
    Arguments &arguments = own_arguments();
    if (handle != &arguments) return call.violation("the argument list is another thread's");
    for (const Parameter &parameter : arguments.parameters) {
        if (!parameter.bytes) return call.violation("a placeholder has no buffer");
    }
    arguments.finalised = true;
    return kSuccess;
}

aclError aclrtLaunchKernelWithConfig(void *function, uint32_t blocks, void *stream_handle, void *configuration, void *handle, void *reserved) {
    Call call("aclrtLaunchKernelWithConfig");
    if (call.injected()) return kInjected;
    Arguments &arguments = own_arguments();
    Stream *const stream = open_stream(call, stream_handle);
    if (stream == nullptr) return kInvalidParameter;
    if (configuration != nullptr || reserved != nullptr) return call.violation("configuration and reserved are NULL here");
    if (handle != &arguments || function != arguments.function) return call.violation("the argument list is for another function");
    if (!arguments.finalised) return call.violation("the argument list is not finalised");
    if (blocks < 1 || blocks > state().vector_cores) return call.violation("there are " + std::to_string(blocks) + " blocks");
    const Function &kernel = *arguments.function;
    if (kernel.device != stream->device) return call.violation(kernel.name + " is loaded on another device");
    const size_t expected = emu_kernel_arguments(kernel.name.c_str()), given = arguments.parameters.size();
    if (given != expected) return call.violation(kernel.name + " has " + std::to_string(given) + " arguments");

    Launch launch{kernel.name, blocks, {}, {}};
    for (const Parameter &parameter : arguments.parameters) {
        const bool last = &parameter == &arguments.parameters.back();
        if (parameter.placeholder != last) return call.violation(kernel.name + ": the tiling struct is the last argument");
        void *address = nullptr;
        if (last) {
            if (parameter.size != tiling_size(kernel.name)) {
                return call.violation(kernel.name + ": the tiling struct has " + std::to_string(parameter.size) + " bytes");
            }
            launch.tiling.resize(parameter.size / sizeof(int64_t));
            memcpy(launch.tiling.data(), parameter.bytes.get(), parameter.size);
        } else {
            memcpy(&address, parameter.bytes.get(), sizeof address);
            if (address != nullptr && !on_device(address, 1, stream->device)) {
                return call.violation(kernel.name + ": argument " + std::to_string(launch.addresses.size()) + " is not on the device");
            }
        }
        launch.addresses.push_back(address);
    }
    arguments.scribble();
    arguments.finalised = false;
    stream->queue.push_back(std::move(launch));
    return kSuccess;
}

}  // extern "C"
