/* The caller's workspace: of any alignment, nothing around it touched, no call of the allocator; one byte too small is
   refused; its size keeps the published bound. */
#include "allocator.h"
#include "check.h"
#include "fixture.h"
#include "reference.h"

#define GUARD 256

static counting_allocator memory;

static void any_alignment(const dcn_plan *plan, const fixture *f, const float *expected, size_t bytes) {
    char *block = (char *)malloc(bytes + 2 * GUARD + 64);
    CHECK(block != NULL);
    size_t allocs = memory.allocs;
    for (size_t shift = 0; shift < 64; shift = shift < 9 ? shift + 1 : shift * 2 - 1) {
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

static void runs(const fixture *f, int32_t num_threads) {
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
    any_alignment(plan, f, expected, bytes);
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

/* Bytes of workspace; without the caller's packed weights a run packs them there, so their size is told as well. */
static size_t size_for(const dcn_context *context, int64_t n, int64_t c, int64_t h, int64_t w, int64_t o,
                       size_t *packed) {
    fixture f = fixture_new(1, 1, 1, 1, 1, 1);
    dcn_problem p = f.problem;
    p.x = desc4(n, c, h, w);
    p.offset = desc4(n, 18, h, w);
    p.mask = desc4(n, 9, h, w);
    p.weight = desc4(o, c, 3, 3);
    p.bias = desc1(o);
    p.y = desc4(n, o, h, w);
    dcn_plan *plan = NULL;
    size_t bytes = 0;
    CHECK_OK(dcn_plan_create(context, &p, &plan));
    CHECK_OK(dcn_plan_workspace_size(plan, DCN_PASS_FORWARD, &bytes));
    CHECK_OK(dcn_plan_packed_weight_size(plan, DCN_PASS_FORWARD, packed));
    dcn_plan_destroy(plan);
    fixture_free(&f);
    return bytes;
}

/* At most 8 MiB a thread, a copy of x for each image in flight and the packed weights; it does not grow with N, once there
   is work for all threads. */
static void bound(int32_t num_threads) {
    static const int64_t shapes[][4] = {
        {64, 100, 200, 64}, {512, 29, 50, 512}, {1, 4, 4, 1}, {3, 1000, 1000, 8}, {2048, 8, 8, 2048}, {8192, 3, 3, 16}};
    dcn_context_config config = config_default();
    config.num_threads = num_threads;
    dcn_context *context = NULL;
    CHECK_OK(dcn_context_create(&config, &context));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int64_t *s = shapes[i];
        size_t threads = (size_t)num_threads, image = (size_t)(s[0] * s[1] * s[2]) * sizeof(float);
        size_t packed = 0, many = size_for(context, 100000, s[0], s[1], s[2], s[3], &packed);
        printf("%d threads, C %d, H %d, W %d, O %d: %zu bytes\n", (int)num_threads, (int)s[0], (int)s[1], (int)s[2],
               (int)s[3], many);
        CHECK(many <= threads * ((size_t)8 * 1024 * 1024 + image) + packed);
        CHECK(many == size_for(context, 10000000, s[0], s[1], s[2], s[3], &packed));
        CHECK(size_for(context, 1, s[0], s[1], s[2], s[3], &packed) <= many);
    }
    dcn_context_destroy(context);
}

int main(void) {
    fixture small = fixture_small(), large = fixture_large();
    runs(&small, 1);
    runs(&small, 3);
    runs(&large, 1);
    runs(&large, 3);
    bound(1);
    bound(4);
    fixture_free(&small);
    fixture_free(&large);
    return 0;
}
