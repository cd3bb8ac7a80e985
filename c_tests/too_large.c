/* Problems whose tensors fit 64 bits, thanks to strides of 0, but whose workspace does not: refused when the plan is
   made, on every instruction set, since each rounds sizes up to other panels. */
#include "check.h"
#include "fixture.h"

static dcn_tensor_desc repeated(int64_t a, int64_t b, int64_t c, int64_t d) {
    dcn_tensor_desc t = desc4(a, b, c, d);
    t.layout = DCN_LAYOUT_STRIDED;
    memset(t.strides, 0, sizeof t.strides);
    return t;
}

static dcn_problem problem_for(dcn_pass pass) {
    dcn_problem p;
    memset(&p, 0, sizeof p);
    p.struct_size = sizeof p;
    p.passes = (uint32_t)1 << pass;
    return p;
}

static void refuse(const dcn_context *context, const dcn_problem *p) {
    dcn_plan *plan = NULL;
    CHECK_STATUS(DCN_ERROR_INVALID_SHAPE, dcn_plan_create(context, p, &plan));
    CHECK(plan == NULL);
}

/* One output channel is packed as a whole panel of them. */
static void many_channels(const dcn_context *context, int64_t channels) {
    int64_t kernel = 1 << 15;
    dcn_problem p = problem_for(DCN_PASS_FORWARD);
    p.x = repeated(1, channels, 1, 1);
    p.offset = repeated(1, 2 * kernel * kernel, 1, 1);
    p.weight = repeated(1, channels, kernel, kernel);
    p.pad_top = p.pad_left = kernel / 2;
    p.pad_bottom = p.pad_right = kernel / 2 - 1;
    refuse(context, &p);
}

/* One column of the column gradient is computed as a whole panel of them. */
static void many_outputs(const dcn_context *context, int64_t outputs) {
    dcn_problem p = problem_for(DCN_PASS_BACKWARD);
    p.x = desc4(1, 1, 1, 1);
    p.offset = desc4(1, 2, 1, 1);
    p.weight = repeated(outputs, 1, 1, 1);
    p.grad_y = repeated(1, outputs, 1, 1);
    refuse(context, &p);
}

/* Copies of an image and of its gradient that fit 64 bits each, but not together. */
static void many_deformable_groups(const dcn_context *context) {
    int64_t groups = 283796062672454641;
    dcn_problem p = problem_for(DCN_PASS_BACKWARD);
    p.deformable_groups = groups;
    p.x = repeated(1, groups, 2, 2);
    p.offset = repeated(1, 2 * groups, 2, 2);
    p.weight = repeated(1, groups, 1, 1);
    refuse(context, &p);
}

int main(void) {
    static const char *const isas[] = {"scalar", "avx2", "avx512", "neon"};
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        dcn_context_config config = config_default();
        config.max_isa = isas[i];
        config.num_threads = 1;
        dcn_context *context = NULL;
        if (dcn_context_create(&config, &context) == DCN_ERROR_UNSUPPORTED)
            continue;
        CHECK(context != NULL);
        /* Panels of 32 and of 16 columns make 2^64 elements of these. */
        for (int bits = 29; bits <= 30; bits++)
            many_channels(context, (int64_t)1 << bits);
        for (int bits = 59; bits <= 60; bits++)
            many_outputs(context, (int64_t)1 << bits);
        many_deformable_groups(context);
        dcn_context_destroy(context);
    }
    return 0;
}
