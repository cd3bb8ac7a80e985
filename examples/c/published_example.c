/* The example of the documentation of mx_driving.modulated_deform_conv2d, on the CPU.
 *
 * Printed there: x [16, 64, 100, 200], 3x3 kernel, stride 1, padding 1, output 50x100. Stride 1 does not give that output,
 * so the call is refused, and the message says what it gives; stride 2 does. The result is compared with what another
 * program computed from the same numbers (published_example_expected.h). */
#define _POSIX_C_SOURCE 199309L
#include "example.h"
#include "published_example_expected.h"

#include <math.h>
#include <time.h>

enum { N = 16, C = 64, H = 100, W = 200, O = 64, OUT_H = 50, OUT_W = 100, KERNEL = 3, TAPS = KERNEL * KERNEL };
enum { X, OFFSET, MASK, WEIGHT }; /* seeds of the generator */

/* The i-th number of a seed, from -1 to 1 in steps of 2^-15: exact in f32, the same in every language. */
static float number(uint32_t seed, uint32_t i)
{
    uint32_t h = i + seed * 0x9E3779B9u;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    h ^= h >> 16;
    return ((float)(h >> 16) - 32768.0f) / 32768.0f;
}

/* scale * number + shift for every element. */
static float *filled(size_t n, uint32_t seed, float scale, float shift)
{
    float *values = memory(n * sizeof(float));
    for (size_t i = 0; i < n; i++)
        values[i] = scale * number(seed, (uint32_t)i) + shift;
    return values;
}

static dcn_problem published_problem(int64_t stride)
{
    dcn_problem problem = {
        .struct_size = sizeof problem,
        .flags = DCN_CHECK_MX_DRIVING,
        .passes = 1 << DCN_PASS_FORWARD,
        .stride_h = stride,
        .stride_w = stride,
        .pad_top = 1,
        .pad_left = 1,
        .pad_bottom = 1,
        .pad_right = 1,
        .x = f32_tensor(N, C, H, W),
        .offset = f32_tensor(N, 2 * TAPS, OUT_H, OUT_W),
        .mask = f32_tensor(N, TAPS, OUT_H, OUT_W),
        .weight = f32_tensor(O, C, KERNEL, KERNEL),
        .y = f32_tensor(N, O, OUT_H, OUT_W),
    };
    return problem;
}

static void show_refusal(void)
{
    dcn_problem as_printed = published_problem(1);
    dcn_plan *plan = NULL;
    dcn_status status = dcn_plan_create(NULL, &as_printed, &plan);
    if (status != DCN_ERROR_INVALID_SHAPE) {
        fprintf(stderr, "stride 1 was not refused as DCN_ERROR_INVALID_SHAPE but: %s: %s\n", dcn_status_string(status),
                error_message());
        exit(1);
    }
    printf("stride 1   %s: %s\n", dcn_status_string(status), error_message());
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The best time of some runs after the first, which also starts the threads. */
static double best_time(const dcn_plan *plan, const dcn_forward_args *run)
{
    double best = INFINITY;
    for (int i = 0; i < 6; i++) {
        double start = seconds();
        check(dcn_plan_forward(plan, run), "dcn_plan_forward");
        if (i > 0)
            best = fmin(best, seconds() - start);
    }
    return best;
}

/* One comparison; `terms` is the sum of the magnitudes of all products that the value is made of. */
static int compare(const char *what, double got, double expected, double terms)
{
    double bound = ERROR_BOUND * terms;
    int right = fabs(got - expected) <= bound; /* false for NaN */
    printf("%-10s %+.9e, expected %+.9e +- %.1e: %s\n", what, got, expected, bound, right ? "right" : "WRONG");
    return right;
}

/* Sums over all elements, and single elements, against the independent computation. */
static int is_right(const float *y)
{
    double sum = 0.0, magnitudes = 0.0;
    for (size_t i = 0; i < (size_t)N * O * OUT_H * OUT_W; i++) {
        sum += y[i];
        magnitudes += fabs(y[i]);
    }
    int right = compare("sum y", sum, expected_sum, expected_terms);
    right &= compare("sum |y|", magnitudes, expected_magnitudes, expected_terms);
    for (size_t k = 0; k < sizeof expected_elements / sizeof *expected_elements; k++) {
        char name[32];
        snprintf(name, sizeof name, "y[%zu]", expected_elements[k].index);
        right &= compare(name, y[expected_elements[k].index], expected_elements[k].value, expected_elements[k].terms);
    }
    return right;
}

int main(void)
{
    show_refusal();

    float *x = filled((size_t)N * C * H * W, X, 1.0f, 0.0f);
    float *offset = filled((size_t)N * 2 * TAPS * OUT_H * OUT_W, OFFSET, 4.0f, 0.0f);
    float *mask = filled((size_t)N * TAPS * OUT_H * OUT_W, MASK, 0.5f, 0.5f);
    float *weight = filled((size_t)O * C * TAPS, WEIGHT, 0.03125f, 0.0f);
    float *y = memory((size_t)N * O * OUT_H * OUT_W * sizeof(float));

    dcn_problem problem = published_problem(2);
    dcn_plan *plan = NULL;
    check(dcn_plan_create(NULL, &problem, &plan), "dcn_plan_create");
    dcn_plan_info info = {.struct_size = sizeof info};
    check(dcn_plan_get_info(plan, &info), "dcn_plan_get_info");

    dcn_pack_args pack = {.struct_size = sizeof pack, .pass = DCN_PASS_FORWARD, .weight = weight};
    check(dcn_plan_packed_weight_size(plan, DCN_PASS_FORWARD, &pack.packed_size), "dcn_plan_packed_weight_size");
    pack.packed = memory(pack.packed_size);
    check(dcn_plan_pack_weight(plan, &pack), "dcn_plan_pack_weight");

    dcn_forward_args run = {
        .struct_size = sizeof run,
        .x = x,
        .offset = offset,
        .mask = mask,
        .packed_weight = pack.packed, /* in place of weight */
        .packed_weight_size = pack.packed_size,
        .y = y,
    };
    check(dcn_plan_workspace_size(plan, DCN_PASS_FORWARD, &run.workspace_size), "dcn_plan_workspace_size");
    run.workspace = memory(run.workspace_size);

    double time = best_time(plan, &run);
    printf("stride 2   x [%d, %d, %d, %d] -> y [%d, %d, %d, %d]\n", N, C, H, W, N, O, OUT_H, OUT_W);
    printf("kernel     %s (%s), tiles of %u positions, at most %u tasks at a time, workspace %.1f MB\n",
           info.forward_kernel, info.isa, info.tile_positions, info.max_tasks, 1e-6 * (double)run.workspace_size);
    printf("time       %.1f ms, %.1f GFLOP/s\n", 1e3 * time, 1e-9 * (double)info.forward_flops / time);
    int right = is_right(y);

    dcn_plan_destroy(plan);
    free(run.workspace);
    free(pack.packed);
    free(y);
    free(weight);
    free(mask);
    free(offset);
    free(x);
    return right ? 0 : 1;
}
