// The kernels by name, compiled for the emulator.
#ifndef DCN_EMU_KERNELS_H
#define DCN_EMU_KERNELS_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace emu {

struct Kernel {
    const char *name;
    size_t arguments;
    void (*run)(uint8_t *const *arguments);
};

const std::vector<Kernel> &kernels();

} // namespace emu

#endif
