// The C++ wrapper: ownership, exceptions, and the example of its use.
#include <deformconv/deformconv.hpp>

#include "check.h"
#include "fixture.h"

#include <type_traits>
#include <utility>
#include <vector>

static_assert(!std::is_copy_constructible<deformconv::context>::value, "contexts are move-only");
static_assert(!std::is_copy_assignable<deformconv::plan>::value, "plans are move-only");
static_assert(std::is_nothrow_move_constructible<deformconv::context>::value, "moving a context cannot fail");
static_assert(std::is_nothrow_move_assignable<deformconv::plan>::value, "moving a plan cannot fail");
static_assert(std::is_nothrow_copy_constructible<deformconv::error>::value, "exceptions copy without failing");

static dcn_status status_of_bad_problem() {
    try {
        dcn_problem nothing{};
        deformconv::plan plan(nothing);
    } catch (const deformconv::error &e) {
        CHECK(strstr(e.what(), "struct_size") != nullptr);
        return e.status();
    }
    return DCN_OK;
}

int main() {
    fixture f = fixture_small();
    dcn_context_config config{};
    config.struct_size = sizeof config;
    config.num_threads = 2;
    deformconv::context context(config);
    deformconv::plan plan(context, f.problem);

    dcn_forward_args args = fixture_args(&f);
    plan.forward(args);
    const std::vector<float> y(f.y, f.y + f.y_len);

    std::vector<char> packed(plan.packed_weight_size(DCN_PASS_FORWARD)), workspace(plan.workspace_size(DCN_PASS_FORWARD));
    dcn_pack_args pack{};
    pack.struct_size = sizeof pack;
    pack.weight = f.weight;
    pack.packed = packed.data();
    pack.packed_size = packed.size();
    plan.pack_weight(pack);

    args.weight = nullptr;
    args.packed_weight = packed.data();
    args.packed_weight_size = packed.size();
    args.workspace = workspace.data();
    args.workspace_size = workspace.size();
    deformconv::plan moved(std::move(plan));
    CHECK(plan.get() == nullptr && moved.get() != nullptr);
    context = deformconv::context();
    memset(f.y, 0, f.y_len * sizeof *f.y);
    moved.forward(args);
    CHECK(memcmp(f.y, y.data(), f.y_len * sizeof *f.y) == 0);

    CHECK(deformconv::output_shape(f.problem).dims[1] == f.problem.weight.dims[0]);
    CHECK(moved.info().forward_flops > 0);
    CHECK(status_of_bad_problem() == DCN_ERROR_STRUCT_SIZE);
    deformconv::plan on_default_context(f.problem);
    on_default_context.forward(args);
    fixture_free(&f);
    return 0;
}
