/* The caller's workspace: of any alignment, nothing around it touched, no call of the allocator; one byte too small is
   refused; its size keeps the published bound. */
#include "allocator.h"
#include "check.h"
#include "fixture.h"
#include "reference.h"

#define GUARD 256

static counting_allocator memory;

static const size_t shifts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33};

/* The workspace at every `step`-th of the places. */
static void any_alignment(const dcn_plan *plan, const fixture *f, const float *expected, size_t bytes, size_t step) {
    char *block = (char *)malloc(bytes + 2 * GUARD + 64);
    CHECK(block != NULL);
    size_t allocs = memory.allocs;
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i += step) {
        size_t shift = shifts[i];
        memset(block, 0x77, bytes + 2 * GUARD + 64);
        float *y = fresh_y(f);
        dcn_forward_args args = fixture_args(f);
        args.y = y;
        args.workspace = block + GUARD + shift;
        args.workspace_size = bytes;
        CHECK_OK(dcn_plan_forward(plan, &args));
        CHECK(same_bits(f, y, expected));
        CHECK(all_bytes(block, GUARD + shift, 0x77));
        CHECK(all_bytes(block + GUARD + shift + bytes, GUARD, 0x77));
        args.workspace_size = bytes + GUARD / 2; /* more than needed is fine, and is not used */
        CHECK_OK(dcn_plan_forward(plan, &args));
        CHECK(all_bytes(block + GUARD + shift + bytes, GUARD, 0x77));
        free(y);
    }
    CHECK(memory.allocs == allocs);
    free(block);
}

static void too_small(const dcn_plan *plan, const fixture *f, size_t bytes) {
    char *block = (char *)malloc(bytes);
    CHECK(block != NULL);
    memset(block, 0x77, bytes);
    float *y = fresh_y(f);
    dcn_forward_args args = fixture_args(f);
    args.y = y;
    args.workspace = block;
    const size_t sizes[] = {0, 1, bytes / 2, bytes - 1};
    for (size_t i = 0; i < 4; i++) {
        args.workspace_size = sizes[i];
        CHECK_STATUS(DCN_ERROR_WORKSPACE_TOO_SMALL, dcn_plan_forward(plan, &args));
        CHECK(message_has("workspace"));
        CHECK(is_untouched(f, y));
        CHECK(all_bytes(block, bytes, 0x77));
    }
    free(y);
    free(block);
}

static void runs(const fixture *f, int32_t num_threads, size_t step) {
    float *expected = reference_y(f);
    dcn_context_config config = config_counting(&memory);
    config.num_threads = num_threads;
    dcn_context *context = NULL;
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_context_create(&config, &context));
    CHECK_OK(dcn_plan_create(context, &f->problem, &plan));
    size_t bytes = 0;
    CHECK_OK(dcn_plan_workspace_size(plan, DCN_PASS_FORWARD, &bytes));
    CHECK(bytes > 0);
    any_alignment(plan, f, expected, bytes, step);
    too_small(plan, f, bytes);

    /* Without a workspace it comes from the allocator, and goes back. */
    size_t allocs = memory.allocs, live = live_blocks(&memory);
    dcn_forward_args args = fixture_args(f);
    CHECK_OK(dcn_plan_forward(plan, &args));
    CHECK(memory.allocs > allocs && live_blocks(&memory) == live);
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
    free(expected);
}

typedef struct shape {
    const char *name;
    int64_t c, h, w, o, kernel, groups, deformable_groups;
} shape;

static const shape shapes[] = {
    {"the published size", 64, 100, 200, 64, 3, 1, 1},
    {"512 channels", 512, 29, 50, 512, 3, 1, 1},
    {"one pixel", 1, 4, 4, 1, 3, 1, 1},
    {"a large image", 3, 1000, 1000, 8, 3, 1, 1},
    {"2048 channels", 2048, 8, 8, 2048, 3, 1, 1},
    {"2000 channels", 2000, 25, 42, 2000, 3, 1, 4},
    {"many channels", 1 << 20, 3, 3, 16, 3, 1, 1},
    {"many outputs", 4, 6, 7, 1 << 20, 3, 1, 1},
    {"depthwise", 256, 56, 56, 256, 3, 256, 1},
    {"depthwise, many channels", 1 << 18, 8, 8, 1 << 18, 3, 1 << 18, 1},
    {"many groups", 1 << 17, 8, 8, 1 << 16, 3, 1 << 16, 1},
    {"many groups of one tap", 1 << 17, 2, 2, 1 << 18, 1, 1 << 17, 1},
    {"many deformable groups", 1 << 16, 4, 4, 64, 3, 1, 1 << 16},
    {"a kernel of 51 x 51", 64, 60, 60, 64, 51, 1, 1},
    {"the largest kernel", 2, 2, 2, 2, 1 << 15, 1, 1},
};

static dcn_plan *plan_for(const dcn_context *context, int64_t n, const shape *s, dcn_dtype dtype) {
    int64_t taps = s->kernel * s->kernel, before = s->kernel / 2, after = (s->kernel - 1) / 2;
    dcn_problem p;
    memset(&p, 0, sizeof p);
    p.struct_size = sizeof p;
    p.groups = s->groups;
    p.deformable_groups = s->deformable_groups;
    p.pad_top = p.pad_left = before;
    p.pad_bottom = p.pad_right = after;
    p.x = desc4(n, s->c, s->h, s->w);
    p.offset = desc4(n, 2 * s->deformable_groups * taps, s->h, s->w);
    p.mask = desc4(n, s->deformable_groups * taps, s->h, s->w);
    p.weight = desc4(s->o, s->c / s->groups, s->kernel, s->kernel);
    p.bias = desc1(s->o);
    p.x.dtype = p.offset.dtype = p.mask.dtype = p.weight.dtype = p.bias.dtype = dtype;
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(context, &p, &plan));
    return plan;
}

static size_t size_for(const dcn_context *context, int64_t n, const shape *s, dcn_dtype dtype, dcn_pass pass) {
    dcn_plan *plan = plan_for(context, n, s, dtype);
    size_t bytes = 0;
    CHECK_OK(dcn_plan_workspace_size(plan, pass, &bytes));
    dcn_plan_destroy(plan);
    return bytes;
}

/* At most 8 MiB a thread and a copy of x for each image in flight; backward its gradient as well, and two copies of
   grad_weight. It does not grow with N, once there is work for all threads. */
static void bound(int32_t num_threads, dcn_dtype dtype, dcn_pass pass) {
    dcn_context_config config = config_default();
    config.num_threads = num_threads;
    dcn_context *context = NULL;
    CHECK_OK(dcn_context_create(&config, &context));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const shape *s = shapes + i;
        size_t element = dtype == DCN_F64 ? sizeof(double) : sizeof(float), threads = (size_t)num_threads;
        size_t image = (size_t)(s->c * s->h * s->w) * element;
        size_t weights = (size_t)(s->o * (s->c / s->groups) * s->kernel * s->kernel) * element;
        size_t of_threads = threads * ((size_t)8 * 1024 * 1024), of_image = image;
        if (pass == DCN_PASS_BACKWARD) {
            of_threads += 2 * weights;
            of_image += image;
        }
        size_t allowed = of_threads + threads * of_image;
        size_t many = size_for(context, 100000, s, dtype, pass);
        printf("%d threads, pass %d, type %d, %s: %zu bytes of %zu\n", (int)num_threads, (int)pass, (int)dtype, s->name,
               many, allowed);
        CHECK(many <= allowed);
        CHECK(many == size_for(context, 10000000, s, dtype, pass));
        CHECK(size_for(context, 1, s, dtype, pass) <= of_threads + of_image);
    }
    dcn_context_destroy(context);
}

int main(void) {
    fixture small = fixture_small(), large = fixture_large();
    runs(&small, 1, 1);
    runs(&small, 3, 1);
    runs(&large, 1, IS_REDUCED ? 5 : 1);
    runs(&large, 3, IS_REDUCED ? 5 : 1);
    for (int32_t threads = 1; threads <= 16; threads *= 4) {
        bound(threads, DCN_F32, DCN_PASS_FORWARD);
        bound(threads, DCN_F64, DCN_PASS_FORWARD);
        bound(threads, DCN_BF16, DCN_PASS_FORWARD);
        bound(threads, DCN_F32, DCN_PASS_BACKWARD);
        bound(threads, DCN_F64, DCN_PASS_BACKWARD);
    }
    fixture_free(&small);
    fixture_free(&large);
    return 0;
}
