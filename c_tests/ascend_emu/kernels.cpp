#include "kernels.h"

#include <utility>

#include "kernel_operator.h"

#include "../../src/ascend/kernels/sample.cpp"
#include "../../src/ascend/kernels/layout_in.cpp"
#include "../../src/ascend/kernels/layout_out.cpp"
#include "../../src/ascend/kernels/output.cpp"
#include "../../src/ascend/kernels/grad_output.cpp"
#include "../../src/ascend/kernels/backward.cpp"
#include "../../src/ascend/kernels/grad_bias.cpp"
#include "../../src/ascend/kernels/depthwise_forward.cpp"
#include "../../src/ascend/kernels/depthwise_grad_col.cpp"
#include "../../src/ascend/kernels/depthwise_grad_weight.cpp"

namespace emu {

namespace {
template <auto entry, typename... A, size_t... I> void call(void (*)(A...), uint8_t *const *arguments, std::index_sequence<I...>) {
    entry(arguments[I]...);
}
template <typename... A> constexpr size_t count(void (*)(A...)) { return sizeof...(A); }

template <auto entry> Kernel kernel(const char *name) {
    return {name, count(entry), [](uint8_t *const *arguments) { call<entry>(entry, arguments, std::make_index_sequence<count(entry)>()); }};
}
} // namespace

#define DCN_KERNEL(name) kernel<name>(#name)
#define DCN_KERNELS(name) DCN_KERNEL(name##_f32), DCN_KERNEL(name##_f16), DCN_KERNEL(name##_bf16)

const std::vector<Kernel> &kernels() {
    static const std::vector<Kernel> all = {
        DCN_KERNELS(dcn_sample),
        DCN_KERNELS(dcn_layout_in),
        DCN_KERNELS(dcn_layout_out),
        DCN_KERNELS(dcn_output),
        DCN_KERNELS(dcn_grad_output),
        DCN_KERNELS(dcn_backward),
        DCN_KERNELS(dcn_grad_bias),
        DCN_KERNEL(dcn_depthwise_forward_f32),
        DCN_KERNEL(dcn_depthwise_grad_col_f32),
        DCN_KERNEL(dcn_depthwise_grad_weight_f32),
    };
    return all;
}

} // namespace emu
