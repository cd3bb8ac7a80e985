/* Every status that a C program can reach on the CPU, and that each failure leaves a message. */
#include "check.h"
#include "fixture.h"

static void *no_memory(void *ctx, size_t size, size_t align) {
    (void)ctx, (void)size, (void)align;
    return NULL;
}

static void no_free(void *ctx, void *ptr, size_t size, size_t align) {
    (void)ctx, (void)ptr, (void)size, (void)align;
    CHECK(!"free is not called where alloc gave nothing");
}

static int32_t refuse(void *ctx, size_t n, void (*task)(void *arg, size_t i), void *arg) {
    (void)ctx, (void)n, (void)task, (void)arg;
    return -7;
}

static void expect(dcn_status expected, dcn_status got, const char *in_message) {
    CHECK_STATUS(expected, got);
    CHECK(message_has(in_message));
}

static void creation(void) {
    fixture f = fixture_small();
    dcn_plan *plan = NULL;
    expect(DCN_ERROR_NULL_POINTER, dcn_plan_create(NULL, NULL, &plan), "problem");
    dcn_problem p = f.problem;
    p.struct_size = 0;
    expect(DCN_ERROR_STRUCT_SIZE, dcn_plan_create(NULL, &p, &plan), "struct_size");
    p = f.problem;
    p.flags = 1u << 31;
    expect(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_create(NULL, &p, &plan), "flags");
    p = f.problem;
    p.weight.dims[1]++;
    expect(DCN_ERROR_INVALID_SHAPE, dcn_plan_create(NULL, &p, &plan), "weight");
    p = f.problem;
    p.y.layout = DCN_LAYOUT_STRIDED; /* with all strides 0 */
    expect(DCN_ERROR_INVALID_STRIDE, dcn_plan_create(NULL, &p, &plan), "y");
    p = f.problem;
    p.flags = DCN_CHECK_MX_DRIVING;
    expect(DCN_ERROR_UNSUPPORTED, dcn_plan_create(NULL, &p, &plan), "mx_driving");
    CHECK(plan == NULL);
    fixture_free(&f);
}

static void runs(void) {
    fixture f = fixture_small();
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &plan));
    dcn_forward_args args = fixture_args(&f);
    CHECK_OK(dcn_plan_forward(plan, &args));
    args.x = f.y;
    expect(DCN_ERROR_OVERLAP, dcn_plan_forward(plan, &args), "y");
    args.x = (const char *)f.x + 1;
    expect(DCN_ERROR_MISALIGNED, dcn_plan_forward(plan, &args), "x");
    args.x = f.x;
    char byte = 0;
    args.workspace = &byte;
    args.workspace_size = 0;
    expect(DCN_ERROR_WORKSPACE_TOO_SMALL, dcn_plan_forward(plan, &args), "workspace");
    size_t bytes = 0;
    expect(DCN_ERROR_UNSUPPORTED, dcn_plan_workspace_size(plan, DCN_PASS_BACKWARD, &bytes), "pass");
    dcn_plan_destroy(plan);
    fixture_free(&f);
}

static void host_callbacks(void) {
    fixture f = fixture_large();
    dcn_forward_args args = fixture_args(&f);
    dcn_context *context = NULL;
    dcn_context_config config = config_default();
    config.allocator.alloc = no_memory;
    config.allocator.free = no_free;
    CHECK_OK(dcn_context_create(&config, &context));
    expect(DCN_ERROR_OUT_OF_MEMORY, dcn_modulated_deform_conv2d(context, &f.problem, &args), "bytes");
    dcn_context_destroy(context);

    config = config_default();
    config.executor.concurrency = 4;
    config.executor.parallel_for = refuse;
    CHECK_OK(dcn_context_create(&config, &context));
    expect(DCN_ERROR_EXECUTOR, dcn_modulated_deform_conv2d(context, &f.problem, &args), "-7");
    dcn_context_destroy(context);
    fixture_free(&f);
}

static void backends(void) {
    char detail[256];
    memset(detail, 'x', sizeof detail);
    CHECK_OK(dcn_backend_status(DCN_BACKEND_CPU, detail, sizeof detail));
    CHECK(strlen(detail) > 0 && strlen(detail) < sizeof detail);
    memset(detail, 'x', sizeof detail);
    dcn_status ascend = dcn_backend_status(DCN_BACKEND_ASCEND, detail, sizeof detail);
    CHECK(strlen(detail) > 0 && strlen(detail) < sizeof detail);
    printf("Ascend: %s\n", detail);
    if (ascend == DCN_OK) {
        puts("did not run: DCN_ERROR_BACKEND_UNAVAILABLE from C: there is an Ascend device");
    } else {
        CHECK_STATUS(DCN_ERROR_BACKEND_UNAVAILABLE, ascend);
        fixture f = fixture_small();
        f.problem.backend = DCN_BACKEND_ASCEND;
        dcn_plan *plan = NULL;
        expect(DCN_ERROR_BACKEND_UNAVAILABLE, dcn_plan_create(NULL, &f.problem, &plan), "ASCEND");
        fixture_free(&f);
    }
    memset(detail, 'x', sizeof detail);
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_backend_status(99, detail, sizeof detail));
    CHECK(strlen(detail) > 0 && strlen(detail) < sizeof detail);
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_backend_status(-1, NULL, 0));
}

int main(void) {
    creation();
    runs();
    host_callbacks();
    backends();
    puts("did not run: DCN_ERROR_BACKEND from C: only a device gives it");
    puts("did not run: DCN_ERROR_INTERNAL from C: only a defect of the library gives it");
    return 0;
}
