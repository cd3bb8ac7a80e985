/* A call refused by its checks writes nothing; a create function leaves NULL. */
#include "check.h"
#include "fixture.h"

static fixture f;

static void *somewhere(void) { return (void *)&f; }

static void creation(void) {
    dcn_plan *plan = (dcn_plan *)somewhere();
    dcn_problem p = f.problem;
    p.struct_size = 3;
    CHECK_STATUS(DCN_ERROR_STRUCT_SIZE, dcn_plan_create(NULL, &p, &plan));
    CHECK(plan == NULL);
    plan = (dcn_plan *)somewhere();
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_create(NULL, NULL, &plan));
    CHECK(plan == NULL);
    plan = (dcn_plan *)somewhere();
    p = f.problem;
    p.groups = 5;
    CHECK_STATUS(DCN_ERROR_INVALID_SHAPE, dcn_plan_create(NULL, &p, &plan));
    CHECK(plan == NULL);

    dcn_context *context = (dcn_context *)somewhere();
    dcn_context_config config = config_default();
    config.num_threads = -5;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_context_create(&config, &context));
    CHECK(context == NULL);
    context = (dcn_context *)somewhere();
    config.struct_size = 1;
    CHECK_STATUS(DCN_ERROR_STRUCT_SIZE, dcn_context_create(&config, &context));
    CHECK(context == NULL);
}

static void queries(const dcn_plan *plan) {
    dcn_tensor_desc y;
    memset(&y, 0x11, sizeof y);
    dcn_problem p = f.problem;
    p.pad_top = -1;
    CHECK(dcn_output_shape(&p, &y) != DCN_OK);
    CHECK(all_bytes(&y, sizeof y, 0x11));
    size_t bytes;
    memset(&bytes, 0x11, sizeof bytes);
    CHECK_STATUS(DCN_ERROR_UNSUPPORTED, dcn_plan_workspace_size(plan, DCN_PASS_BACKWARD, &bytes));
    CHECK_STATUS(DCN_ERROR_UNSUPPORTED, dcn_plan_packed_weight_size(plan, DCN_PASS_BACKWARD, &bytes));
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_workspace_size(plan, 9, &bytes));
    CHECK(all_bytes(&bytes, sizeof bytes, 0x11));
}

static float *y;
static char workspace[64];

static void refuse(const dcn_plan *plan, const dcn_forward_args *args, dcn_status expected) {
    CHECK_STATUS(expected, dcn_plan_forward(plan, args));
    CHECK(is_untouched(&f, y));
    CHECK(all_bytes(workspace, sizeof workspace, 0));
    CHECK_STATUS(expected, dcn_modulated_deform_conv2d(NULL, &f.problem, args));
    CHECK(is_untouched(&f, y));
}

static void runs(const dcn_plan *plan) {
    dcn_forward_args good = fixture_args(&f), a;
    good.y = y = fresh_y(&f);
    a = good, a.struct_size = 0, refuse(plan, &a, DCN_ERROR_STRUCT_SIZE);
    a = good, a.bias = NULL, refuse(plan, &a, DCN_ERROR_NULL_POINTER);
    a = good, a.offset = (const char *)f.offset + 2, refuse(plan, &a, DCN_ERROR_MISALIGNED);
    a = good, a.y = (char *)y + 1, refuse(plan, &a, DCN_ERROR_MISALIGNED);
    a = good, a.stream = workspace, refuse(plan, &a, DCN_ERROR_INVALID_ARGUMENT);
    a = good, a.weight = y, refuse(plan, &a, DCN_ERROR_OVERLAP);
    a = good, a.workspace = workspace, a.workspace_size = sizeof workspace;
    refuse(plan, &a, DCN_ERROR_WORKSPACE_TOO_SMALL);
    CHECK_OK(dcn_plan_forward(plan, &good));
    CHECK(!is_untouched(&f, y));
    free(y);
}

static void packing(const dcn_plan *plan) {
    dcn_pack_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    args.weight = f.weight;
    size_t size = 0;
    CHECK_OK(dcn_plan_packed_weight_size(plan, DCN_PASS_FORWARD, &size));
    args.packed = malloc(size);
    CHECK(args.packed != NULL);
    memset(args.packed, 0x11, size);
    args.packed_size = size - 1;
    CHECK_STATUS(DCN_ERROR_WORKSPACE_TOO_SMALL, dcn_plan_pack_weight(plan, &args));
    args.packed_size = size;
    args.pass = DCN_PASS_BACKWARD;
    CHECK_STATUS(DCN_ERROR_UNSUPPORTED, dcn_plan_pack_weight(plan, &args));
    args.pass = DCN_PASS_FORWARD;
    args.weight = (const char *)f.weight + 1;
    CHECK_STATUS(DCN_ERROR_MISALIGNED, dcn_plan_pack_weight(plan, &args));
    CHECK(all_bytes(args.packed, size, 0x11));
    free(args.packed);
}

int main(void) {
    f = fixture_small();
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &plan));
    creation();
    queries(plan);
    runs(plan);
    packing(plan);
    dcn_plan_destroy(plan);
    fixture_free(&f);
    return 0;
}
