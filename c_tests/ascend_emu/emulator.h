/* What a test or the fake ACL library asks of the emulator. Not for concurrent use: the caller takes turns. */
#ifndef DCN_EMULATOR_H
#define DCN_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory that kernels may touch. A tensor registered on its own has its own bounds. */
void emu_memory_add(const void *begin, size_t bytes);
void emu_memory_remove(const void *begin);

/* How many arguments the kernel of that name takes, its tiling struct included; 0 if there is none. */
size_t emu_kernel_arguments(const char *name);

/* Runs a kernel: its arguments are addresses, the last one that of the tiling struct. 0, or 1 and a message. */
int emu_launch(const char *name, uint32_t blocks, void *const *arguments, size_t count);
const char *emu_message(void);

/* In which order blocks run: 0 ascending, else a shuffle made from the seed. */
void emu_set_block_order(uint64_t seed);
/* Whether Max, Min and Relu of a NaN and a number give the NaN (1, as at first) or the number (0). */
void emu_set_max_keeps_nan(int keeps);

/* The synchronisations that the last launch came by, and one of them to leave out from now on (NULL: none). */
size_t emu_sites(void);
const char *emu_site(size_t index);
void emu_disable_site(const char *site);

#ifdef __cplusplus
}
#endif

#endif
