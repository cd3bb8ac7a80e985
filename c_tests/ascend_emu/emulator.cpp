#include "emulator.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "kernels.h"
#include "machine.h"

namespace {
std::string message;
uint64_t order_seed = 0;

const emu::Kernel *find(const char *name) {
    for (const emu::Kernel &kernel : emu::kernels())
        if (std::string(name) == kernel.name) return &kernel;
    return nullptr;
}

std::vector<uint32_t> block_order(uint32_t blocks) {
    std::vector<uint32_t> order(blocks);
    std::iota(order.begin(), order.end(), 0u);
    if (order_seed) std::shuffle(order.begin(), order.end(), std::mt19937_64(order_seed));
    return order;
}
} // namespace

void emu_memory_add(const void *begin, size_t bytes) { emu::Machine::get().ranges[reinterpret_cast<uintptr_t>(begin)] = bytes; }
void emu_memory_remove(const void *begin) { emu::Machine::get().ranges.erase(reinterpret_cast<uintptr_t>(begin)); }

size_t emu_kernel_arguments(const char *name) {
    const emu::Kernel *kernel = find(name);
    return kernel ? kernel->arguments : 0;
}

int emu_launch(const char *name, uint32_t blocks, void *const *arguments, size_t count) {
    const emu::Kernel *kernel = find(name);
    if (!kernel || kernel->arguments != count || blocks < 1 || blocks > 65535) {
        message = std::string(name) + ": no such kernel, or not launched as it asks";
        return 1;
    }
    auto &machine = emu::Machine::get();
    // The tiling struct is read by scalar loads and is no operand: the launch itself makes it readable.
    try {
        machine.start_launch(kernel->name, blocks);
        for (const uint32_t block : block_order(blocks)) {
            machine.start_block(block);
            kernel->run(reinterpret_cast<uint8_t *const *>(arguments));
            machine.end_block();
        }
    } catch (const std::exception &error) {
        message = error.what();
        return 1;
    }
    message.clear();
    return 0;
}

const char *emu_message(void) { return message.c_str(); }
void emu_set_block_order(uint64_t seed) { order_seed = seed; }
void emu_set_max_keeps_nan(int keeps) { emu::Machine::get().max_keeps_nan = keeps != 0; }
size_t emu_sites(void) { return emu::Machine::get().sites.size(); }
const char *emu_site(size_t index) { return emu::Machine::get().sites[index].c_str(); }
void emu_disable_site(const char *site) { emu::Machine::get().disabled_site = site ? site : ""; }
