// An emulation of the part of AscendC that the kernels in src/ascend/kernels use, on Atlas A2's vector cores: written
// from the documented meaning of each function. It checks what the device would not tell: hazards, limits, alignment,
// bounds.
#ifndef DCN_EMU_KERNEL_OPERATOR_H
#define DCN_EMU_KERNEL_OPERATOR_H

#include <algorithm>
#include <cstring>

#include "copy.h"
#include "machine.h"
#include "numbers.h"
#include "sync.h"
#include "tensor.h"
#include "vector.h"

#define __aicore__
#define __global__
#define __gm__
#define GM_ADDR uint8_t *
#define KERNEL_TYPE_AIV_ONLY 1
#define KERNEL_TASK_TYPE_DEFAULT(type) static_assert((type) == KERNEL_TYPE_AIV_ONLY, "vector cores only")

namespace AscendC {
inline int64_t GetBlockIdx() { return emu::Machine::get().block(); }
inline int64_t GetBlockNum() { return emu::Machine::get().blocks(); }
} // namespace AscendC

#endif
