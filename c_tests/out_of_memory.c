/* The context's allocator fails at the n-th call, for every n until the call succeeds: a status, no leak, and plan and
   context work on. */
#include "allocator.h"
#include "check.h"
#include "fixture.h"
#include "reference.h"

static counting_allocator memory;

static dcn_status create(dcn_context *context, const fixture *f, dcn_plan **plan) {
    dcn_status status = dcn_plan_create(context, &f->problem, plan);
    CHECK((status == DCN_OK) == (*plan != NULL));
    return status;
}

static dcn_status run(const dcn_plan *plan, const fixture *f, const float *expected) {
    float *y = fresh_y(f);
    dcn_forward_args args = fixture_args(f);
    args.y = y;
    dcn_status status = dcn_plan_forward(plan, &args);
    CHECK(status != DCN_OK || same_bits(f, y, expected));
    free(y);
    return status;
}

static void with_threads(const fixture *f, const float *expected, int32_t num_threads) {
    dcn_context_config config = config_counting(&memory);
    config.num_threads = num_threads;
    dcn_context *context = NULL;
    CHECK_OK(dcn_context_create(&config, &context));
    dcn_plan *plan = NULL;
    size_t refused = 0;
    for (size_t n = 1;; n++) {
        memory.fail_at = n;
        dcn_status status = create(context, f, &plan);
        if (status == DCN_OK)
            break;
        CHECK_STATUS(DCN_ERROR_OUT_OF_MEMORY, status);
        CHECK(live_blocks(&memory) == 0);
        refused++;
    }
    size_t held = live_blocks(&memory);
    for (size_t n = 1;; n++) {
        memory.fail_at = n;
        dcn_status status = run(plan, f, expected);
        if (status == DCN_OK)
            break;
        CHECK_STATUS(DCN_ERROR_OUT_OF_MEMORY, status);
        CHECK(live_blocks(&memory) == held);
        refused++;
        memory.fail_at = 0;
        CHECK_OK(run(plan, f, expected)); /* the plan works on */
        CHECK(live_blocks(&memory) == held);
    }
    memory.fail_at = 0;
    printf("%d threads: %zu blocks given, %zu refused in turn\n", (int)num_threads, memory.allocs, refused);
    CHECK(refused > 0);
    dcn_plan_destroy(plan);
    CHECK_OK(create(context, f, &plan)); /* and so does the context */
    CHECK_OK(run(plan, f, expected));
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
    CHECK(live_blocks(&memory) == 0);
}

int main(void) {
    fixture small = fixture_small(), large = fixture_large();
    /* Channels last and gaps make the library copy tensors. */
    fixture strided = fixture_small();
    dcn_tensor_desc *x = &strided.problem.x;
    x->layout = DCN_LAYOUT_STRIDED;
    x->strides[0] = x->dims[1] * x->dims[2] * x->dims[3];
    x->strides[1] = x->dims[2] * x->dims[3];
    x->strides[2] = 1;
    x->strides[3] = x->dims[2];
    const fixture *const fixtures[] = {&small, &large, &strided};
    for (size_t i = 0; i < 3; i++) {
        float *expected = reference_y(fixtures[i]);
        with_threads(fixtures[i], expected, 1);
        with_threads(fixtures[i], expected, 3);
        free(expected);
    }
    fixture_free(&small);
    fixture_free(&large);
    fixture_free(&strided);
    return 0;
}
