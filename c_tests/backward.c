/* Gradients small enough to compute by hand, and the rules for the pointers of a backward run. */
#include "check.h"
#include "fixture.h"

#include <stddef.h>

/* A 3x3 image, a 1x1 kernel. Only the centre has an offset, of half a pixel both ways, and a gradient of y. */
typedef struct tensors {
    float x[9], offset[18], mask[9], weight[1], grad_y[9];
} tensors;

typedef struct gradients {
    float x[9], offset[18], mask[9], weight[1], bias[1];
} gradients;

static const tensors given = {.x = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                              .offset = {[4] = 0.5f, [9 + 4] = 0.5f},
                              .mask = {[4] = 0.5f},
                              .weight = {2},
                              .grad_y = {[4] = 1}};

/* S = 7, dS/dpy = 3, dS/dpx = 1; weight * grad_y = 2. */
static const gradients expected = {.x = {[4] = 0.25f, [5] = 0.25f, [7] = 0.25f, [8] = 0.25f},
                                   .offset = {[4] = 3, [9 + 4] = 1},
                                   .mask = {[4] = 14},
                                   .weight = {3.5f},
                                   .bias = {1}};

#define ALL_GRADIENTS (DCN_GRAD_X | DCN_GRAD_OFFSET | DCN_GRAD_MASK | DCN_GRAD_WEIGHT | DCN_GRAD_BIAS)

static dcn_problem problem(int64_t images) {
    dcn_problem p;
    memset(&p, 0, sizeof p);
    p.struct_size = sizeof p;
    p.x = desc4(images, 1, 3, 3);
    p.offset = desc4(images, 2, 3, 3);
    p.mask = desc4(images, 1, 3, 3);
    p.weight = desc4(1, 1, 1, 1);
    return p;
}

static dcn_backward_args arguments(const tensors *t, gradients *g) {
    dcn_backward_args a;
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    a.x = t->x, a.offset = t->offset, a.mask = t->mask, a.weight = t->weight, a.grad_y = t->grad_y;
    a.grad_x = g->x, a.grad_offset = g->offset, a.grad_mask = g->mask, a.grad_weight = g->weight, a.grad_bias = g->bias;
    return a;
}

/* Where each gradient is, in a gradients struct and in the arguments. */
static const struct {
    size_t at, floats, pointer;
} parts[] = {{offsetof(gradients, x), 9, offsetof(dcn_backward_args, grad_x)},
             {offsetof(gradients, offset), 18, offsetof(dcn_backward_args, grad_offset)},
             {offsetof(gradients, mask), 9, offsetof(dcn_backward_args, grad_mask)},
             {offsetof(gradients, weight), 1, offsetof(dcn_backward_args, grad_weight)},
             {offsetof(gradients, bias), 1, offsetof(dcn_backward_args, grad_bias)}};

static void set_pointer(dcn_backward_args *args, size_t offset, const void *value) {
    memcpy((char *)args + offset, &value, sizeof value);
}

static const float *part(const gradients *g, int i) { return (const float *)(const void *)((const char *)g + parts[i].at); }

/* times * expected in the gradients of `wanted`, `before` in the others. */
static void check_gradients(const gradients *g, unsigned wanted, float times, float before) {
    for (int i = 0; i < 5; i++)
        for (size_t j = 0; j < parts[i].floats; j++)
            CHECK(part(g, i)[j] == (wanted >> i & 1 ? times * part(&expected, i)[j] : before));
}

static void fill_gradients(gradients *g, float value) {
    for (size_t i = 0; i < sizeof *g / sizeof(float); i++)
        memcpy((char *)g + i * sizeof value, &value, sizeof value);
}

static void by_hand(const dcn_plan *plan) {
    for (unsigned wanted = 1; wanted <= ALL_GRADIENTS; wanted++) {
        gradients g;
        fill_gradients(&g, 77);
        dcn_backward_args args = arguments(&given, &g);
        for (int i = 0; i < 5; i++)
            if (!(wanted >> i & 1))
                set_pointer(&args, parts[i].pointer, NULL);
        CHECK_OK(dcn_plan_backward(plan, &args));
        check_gradients(&g, wanted, 1, 77);
        args.accumulate = wanted;
        CHECK_OK(dcn_plan_backward(plan, &args));
        check_gradients(&g, wanted, 2, 77);
    }
}

static void workspace(const dcn_plan *plan) {
    size_t bytes = 0;
    CHECK_OK(dcn_plan_workspace_size(plan, DCN_PASS_BACKWARD, &bytes));
    char *block = (char *)malloc(bytes + 64);
    CHECK(block != NULL);
    gradients g;
    for (size_t shift = 0; shift < 64; shift += 7) {
        fill_gradients(&g, 77);
        dcn_backward_args args = arguments(&given, &g);
        args.workspace = block + shift;
        args.workspace_size = bytes;
        CHECK_OK(dcn_plan_backward(plan, &args));
        check_gradients(&g, ALL_GRADIENTS, 1, 77);
        if (bytes == 0)
            continue;
        fill_gradients(&g, 77);
        args.workspace_size = bytes - 1;
        CHECK_STATUS(DCN_ERROR_WORKSPACE_TOO_SMALL, dcn_plan_backward(plan, &args));
        check_gradients(&g, 0, 1, 77);
    }
    free(block);
}

static void refuse(const dcn_plan *plan, dcn_backward_args args, const gradients *g, dcn_status status, const char *name) {
    CHECK_STATUS(status, dcn_plan_backward(plan, &args));
    CHECK(message_has(name));
    check_gradients(g, 0, 1, 77);
}

static void refusals(const dcn_plan *plan) {
    gradients g;
    fill_gradients(&g, 77);
    const dcn_backward_args good = arguments(&given, &g);
    dcn_backward_args a;
    a = good, a.x = NULL, refuse(plan, a, &g, DCN_ERROR_NULL_POINTER, "x");
    a = good, a.offset = NULL, refuse(plan, a, &g, DCN_ERROR_NULL_POINTER, "offset");
    a = good, a.mask = NULL, refuse(plan, a, &g, DCN_ERROR_NULL_POINTER, "mask");
    a = good, a.weight = NULL, refuse(plan, a, &g, DCN_ERROR_NULL_POINTER, "weight");
    a = good, a.grad_y = NULL, refuse(plan, a, &g, DCN_ERROR_NULL_POINTER, "grad_y");
    a = good, a.reserved0 = 1, refuse(plan, a, &g, DCN_ERROR_INVALID_ARGUMENT, "reserved0");
    a = good, a.accumulate = 32, refuse(plan, a, &g, DCN_ERROR_INVALID_ARGUMENT, "accumulate");
    a = good, a.stream = &g, refuse(plan, a, &g, DCN_ERROR_INVALID_ARGUMENT, "stream");
    a = good, a.grad_offset = (char *)g.offset + 1, refuse(plan, a, &g, DCN_ERROR_MISALIGNED, "grad_offset");
    a = good, a.grad_y = g.x, refuse(plan, a, &g, DCN_ERROR_OVERLAP, "grad_x");
    a = good, a.x = g.mask, refuse(plan, a, &g, DCN_ERROR_OVERLAP, "grad_mask");
    a = good, a.grad_x = g.mask, refuse(plan, a, &g, DCN_ERROR_OVERLAP, "grad_mask");
    a = good, a.grad_weight = a.grad_bias, refuse(plan, a, &g, DCN_ERROR_OVERLAP, "grad_weight");
    a = good, a.struct_size--, refuse(plan, a, &g, DCN_ERROR_STRUCT_SIZE, "struct_size");

    dcn_problem p = problem(1);
    memset(&p.mask, 0, sizeof p.mask);
    dcn_plan *without_mask = NULL;
    CHECK_OK(dcn_plan_create(NULL, &p, &without_mask));
    a = good, a.mask = NULL, refuse(without_mask, a, &g, DCN_ERROR_INVALID_ARGUMENT, "grad_mask");
    dcn_plan_destroy(without_mask);
}

/* N = 0: the gradients of weight and bias, sums over nothing, become 0, or stay where they are added to. */
static void no_images(void) {
    dcn_problem p = problem(0);
    gradients g;
    fill_gradients(&g, 77);
    dcn_backward_args args = arguments(&given, &g);
    args.accumulate = DCN_GRAD_WEIGHT;
    CHECK_OK(dcn_modulated_deform_conv2d_backward(NULL, &p, &args));
    CHECK(g.weight[0] == 77 && g.bias[0] == 0);
    args.accumulate = 0;
    CHECK_OK(dcn_modulated_deform_conv2d_backward(NULL, &p, &args));
    CHECK(g.weight[0] == 0 && g.x[0] == 77 && g.offset[0] == 77 && g.mask[0] == 77);
}

int main(void) {
    dcn_problem p = problem(1);
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(NULL, &p, &plan));
    gradients g;
    dcn_backward_args args = arguments(&given, &g);
    CHECK_OK(dcn_plan_backward(plan, &args));
    by_hand(plan);
    workspace(plan);
    refusals(plan);
    no_images();
    dcn_plan_destroy(plan);

    /* A plan for the forward pass alone never runs backward. */
    p.passes = FORWARD_ONLY;
    CHECK_OK(dcn_plan_create(NULL, &p, &plan));
    CHECK_STATUS(DCN_ERROR_UNSUPPORTED, dcn_plan_backward(plan, &args));
    dcn_plan_destroy(plan);
    return 0;
}
