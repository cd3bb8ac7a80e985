/* Reserved fields that are not 0, unknown bits and unknown values are refused; each message names the field. */
#include "check.h"
#include "fixture.h"

static fixture f;

static void refuse_problem(const dcn_problem *p, dcn_status expected, const char *field) {
    dcn_plan *plan = (dcn_plan *)(void *)&f;
    CHECK_STATUS(expected, dcn_plan_create(NULL, p, &plan));
    CHECK(message_has(field));
    CHECK(plan == NULL);
}

static void problem_fields(void) {
    dcn_problem p = f.problem;
    p.reserved0 = 1;
    refuse_problem(&p, DCN_ERROR_INVALID_ARGUMENT, "reserved0");
    for (int bit = 1; bit < 32; bit++) {
        p = f.problem;
        p.flags = 1u << bit;
        refuse_problem(&p, DCN_ERROR_INVALID_ARGUMENT, "flags");
        if (bit > DCN_PASS_BACKWARD) {
            p = f.problem;
            p.passes |= 1u << bit;
            refuse_problem(&p, DCN_ERROR_INVALID_ARGUMENT, "passes");
        }
    }
    static const int32_t backends[] = {-1, 2, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        p = f.problem;
        p.backend = backends[i];
        refuse_problem(&p, DCN_ERROR_INVALID_ARGUMENT, "backend");
    }
}

static void descriptor_fields(void) {
    static const char *const names[] = {"x.",      "offset.", "mask.",        "weight.",    "bias.",        "y.",
                                        "grad_y.", "grad_x.", "grad_offset.", "grad_mask.", "grad_weight.", "grad_bias."};
    dcn_problem full = f.problem;
    full.passes = 0; /* gradients are looked at where the backward pass is asked for */
    full.grad_y = full.y, full.grad_x = full.x, full.grad_offset = full.offset;
    full.grad_mask = full.mask, full.grad_weight = full.weight, full.grad_bias = full.bias;
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(NULL, &full, &plan));
    dcn_plan_destroy(plan);
    for (int i = 0; i < 12; i++) {
        dcn_problem p;
        dcn_tensor_desc *const all[] = {&p.x,      &p.offset, &p.mask,        &p.weight,    &p.bias,        &p.y,
                                        &p.grad_y, &p.grad_x, &p.grad_offset, &p.grad_mask, &p.grad_weight, &p.grad_bias};
        dcn_tensor_desc *t = all[i];
        p = full;
        t->reserved0 = 1;
        refuse_problem(&p, DCN_ERROR_INVALID_ARGUMENT, names[i]);
        for (int r = 0; r < 4; r++) {
            p = full;
            t->reserved[r] = INT64_MIN;
            refuse_problem(&p, DCN_ERROR_INVALID_ARGUMENT, names[i]);
        }
        static const int32_t unknown[] = {-1, 4, INT32_MAX};
        for (int v = 0; v < 3; v++) {
            p = full;
            t->dtype = unknown[v];
            refuse_problem(&p, DCN_ERROR_INVALID_ARGUMENT, names[i]);
            p = full;
            t->layout = unknown[v];
            refuse_problem(&p, DCN_ERROR_INVALID_ARGUMENT, names[i]);
            p = full;
            t->rank = unknown[v] == 4 ? 3 : unknown[v];
            refuse_problem(&p, DCN_ERROR_INVALID_SHAPE, names[i]);
        }
    }
}

static void refuse_config(const dcn_context_config *config, const char *field) {
    dcn_context *context = (dcn_context *)(void *)&f;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_context_create(config, &context));
    CHECK(message_has(field));
    CHECK(context == NULL);
}

static int32_t some_parallel_for(void *ctx, size_t n, void (*task)(void *arg, size_t i), void *arg) {
    (void)ctx, (void)n, (void)task, (void)arg;
    return 0;
}

static void *some_alloc(void *ctx, size_t size, size_t align) {
    (void)ctx, (void)size, (void)align;
    return NULL;
}

static void some_free(void *ctx, void *ptr, size_t size, size_t align) {
    (void)ctx, (void)ptr, (void)size, (void)align;
}

static void config_fields(void) {
    dcn_context_config c;
    c = config_default(), c.num_threads = -1, refuse_config(&c, "num_threads");
    c = config_default(), c.ascend_device = -1, refuse_config(&c, "ascend_device");
    c = config_default(), c.max_isa = "sse2", refuse_config(&c, "max_isa");
    c = config_default(), c.max_isa = "AVX2", refuse_config(&c, "max_isa");
    c = config_default(), c.max_isa = "", refuse_config(&c, "max_isa");
    for (int i = 0; i < 2; i++) {
        c = config_default(), c.executor.reserved[i] = &f, refuse_config(&c, "executor");
        c = config_default(), c.allocator.reserved[i] = &f, refuse_config(&c, "allocator");
        c = config_default(), c.logger.reserved[i] = &f, refuse_config(&c, "logger");
    }
    c = config_default(), c.executor.parallel_for = some_parallel_for, c.executor.reserved0 = 1;
    refuse_config(&c, "executor");
    c = config_default(), c.allocator.alloc = some_alloc, refuse_config(&c, "allocator");
    c = config_default(), c.allocator.free = some_free, refuse_config(&c, "allocator");

    c = config_default();
#if defined(__aarch64__)
    c.max_isa = "avx2";
#else
    c.max_isa = "neon";
#endif
    dcn_context *context = NULL;
    CHECK_STATUS(DCN_ERROR_UNSUPPORTED, dcn_context_create(&c, &context));
    CHECK(message_has("max_isa"));
}

static void run_fields(void) {
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &plan));
    dcn_pack_args pack;
    memset(&pack, 0, sizeof pack);
    pack.struct_size = sizeof pack;
    CHECK_OK(dcn_plan_packed_weight_size(plan, DCN_PASS_FORWARD, &pack.packed_size));
    pack.packed = malloc(pack.packed_size);
    pack.weight = f.weight;
    pack.reserved0 = 1;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_pack_weight(plan, &pack));
    CHECK(message_has("reserved0"));
    pack.reserved0 = 0;

    static const dcn_pass passes[] = {-1, 2, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        size_t bytes = 77;
        CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_workspace_size(plan, passes[i], &bytes));
        CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_packed_weight_size(plan, passes[i], &bytes));
        CHECK(bytes == 77);
        pack.pass = passes[i];
        CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_pack_weight(plan, &pack));
        CHECK(message_has("pass"));
    }
    free(pack.packed);
    dcn_plan_destroy(plan);
}

int main(void) {
    f = fixture_small();
    problem_fields();
    descriptor_fields();
    config_fields();
    run_fields();
    fixture_free(&f);
    return 0;
}
