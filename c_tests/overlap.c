/* Inputs may alias each other; offset and mask may be slices of one buffer; outputs and workspace share with nobody. */
#include "check.h"
#include "fixture.h"
#include "reference.h"

static fixture f;
static dcn_plan *plan;

static void refuse(dcn_forward_args args, const char *argument) {
    CHECK_STATUS(DCN_ERROR_OVERLAP, dcn_plan_forward(plan, &args));
    CHECK(message_has(argument));
}

static void inputs_alias(void) {
    size_t longest = f.offset_len > f.weight_len ? f.offset_len : f.weight_len;
    float *all = (float *)malloc(longest * sizeof *all);
    CHECK(all != NULL);
    fill(all, longest, 0.5f, 1);
    dcn_forward_args args = fixture_args(&f);
    args.x = args.offset = args.mask = args.weight = args.bias = all;
    CHECK_OK(dcn_plan_forward(plan, &args));
    free(all);
}

/* [N, 3*D*K, Ho, Wo] as a convolution makes it: the first 2*D*K channels are the offset, the others the mask. */
static void offset_and_mask_in_one_buffer(const float *expected) {
    const dcn_tensor_desc *o = &f.problem.offset, *m = &f.problem.mask;
    size_t images = (size_t)o->dims[0], offset = f.offset_len / images, mask = f.mask_len / images;
    float *both = (float *)malloc((f.offset_len + f.mask_len) * sizeof *both);
    CHECK(both != NULL);
    for (size_t n = 0; n < images; n++) {
        memcpy(both + n * (offset + mask), f.offset + n * offset, offset * sizeof *both);
        memcpy(both + n * (offset + mask) + offset, f.mask + n * mask, mask * sizeof *both);
    }
    dcn_problem p = f.problem;
    dcn_tensor_desc *slices[] = {&p.offset, &p.mask};
    for (int i = 0; i < 2; i++) {
        slices[i]->layout = DCN_LAYOUT_STRIDED;
        slices[i]->strides[0] = (o->dims[1] + m->dims[1]) * o->dims[2] * o->dims[3];
        slices[i]->strides[1] = o->dims[2] * o->dims[3];
        slices[i]->strides[2] = o->dims[3];
        slices[i]->strides[3] = 1;
    }
    float *y = fresh_y(&f);
    dcn_forward_args args = fixture_args(&f);
    args.offset = both;
    args.mask = both + offset;
    args.y = y;
    CHECK_OK(dcn_modulated_deform_conv2d(NULL, &p, &args));
    CHECK(same_bits(&f, y, expected));
    free(y);
    free(both);
}

/* x and y are channel slices of one buffer: their elements are disjoint though their extents are not. */
static void x_and_y_in_one_buffer(const float *expected) {
    dcn_problem p = f.problem;
    size_t images = (size_t)p.x.dims[0], x = f.x_len / images, y = f.y_len / images;
    float *both = (float *)malloc((f.x_len + f.y_len) * sizeof *both);
    CHECK(both != NULL);
    for (size_t n = 0; n < images; n++)
        memcpy(both + n * (x + y), f.x + n * x, x * sizeof *both);
    dcn_tensor_desc *slices[] = {&p.x, &p.y};
    for (int i = 0; i < 2; i++) {
        slices[i]->layout = DCN_LAYOUT_STRIDED;
        slices[i]->strides[0] = (int64_t)(x + y);
        slices[i]->strides[1] = slices[i]->dims[2] * slices[i]->dims[3];
        slices[i]->strides[2] = slices[i]->dims[3];
        slices[i]->strides[3] = 1;
    }
    dcn_forward_args args = fixture_args(&f);
    args.x = both;
    args.y = both + x;
    CHECK_OK(dcn_modulated_deform_conv2d(NULL, &p, &args));
    for (size_t n = 0; n < images; n++) {
        CHECK(memcmp(both + n * (x + y) + x, expected + n * y, y * sizeof *both) == 0);
        CHECK(memcmp(both + n * (x + y), f.x + n * x, x * sizeof *both) == 0);
    }
    free(both);
}

static void y_overlaps(void) {
    float *big = (float *)calloc(f.x_len + 2 * f.y_len, sizeof *big);
    CHECK(big != NULL);
    dcn_forward_args good = fixture_args(&f), a;
    a = good, a.y = f.x, refuse(a, "y");
    a = good, a.y = f.offset, refuse(a, "y");
    a = good, a.y = f.mask, refuse(a, "y");
    a = good, a.y = f.weight, refuse(a, "y");
    a = good, a.y = f.bias, refuse(a, "y");
    a = good, a.y = f.x + 10, refuse(a, "y"); /* y inside x */
    a = good, a.x = big, a.y = big + f.x_len - 1, refuse(a, "y"); /* shares one element */
    a = good, a.x = big + f.y_len - 1, a.y = big, refuse(a, "y");
    a = good, a.bias = big + f.y_len / 2, a.y = big, refuse(a, "y"); /* an input inside y */
    a = good, a.x = big, a.y = big + f.x_len;
    CHECK_OK(dcn_plan_forward(plan, &a)); /* adjacent is fine */
    a = good, a.x = big + f.y_len, a.y = big;
    CHECK_OK(dcn_plan_forward(plan, &a));
    free(big);
}

static void workspace_overlaps(void) {
    size_t bytes = 0;
    CHECK_OK(dcn_plan_workspace_size(plan, DCN_PASS_FORWARD, &bytes));
    size_t y_bytes = f.y_len * sizeof(float), x_bytes = f.x_len * sizeof(float);
    char *big = (char *)calloc(1, bytes + y_bytes + x_bytes);
    CHECK(big != NULL);
    dcn_forward_args good = fixture_args(&f), a;
    good.workspace = big;
    good.workspace_size = bytes;
    a = good, a.y = (float *)(void *)big, refuse(a, "workspace");
    a = good, a.x = (float *)(void *)big, refuse(a, "workspace");
    a = good, a.bias = (float *)(void *)(big + ((bytes / 2) & ~(size_t)3)), refuse(a, "workspace");
    a = good, a.workspace = big + y_bytes - 1, a.y = (float *)(void *)big, refuse(a, "workspace"); /* one byte */
    a = good, a.workspace = big + x_bytes - 1, a.x = (float *)(void *)big, refuse(a, "workspace");
    a = good, a.workspace = big + y_bytes, a.y = (float *)(void *)big;
    CHECK_OK(dcn_plan_forward(plan, &a));
    free(big);
}

static void packed_weights_overlap(void) {
    dcn_pack_args pack;
    memset(&pack, 0, sizeof pack);
    pack.struct_size = sizeof pack;
    CHECK_OK(dcn_plan_packed_weight_size(plan, DCN_PASS_FORWARD, &pack.packed_size));
    size_t y_bytes = f.y_len * sizeof(float), weight_bytes = f.weight_len * sizeof(float);
    char *big = (char *)calloc(1, pack.packed_size + y_bytes + weight_bytes);
    CHECK(big != NULL);
    pack.packed = big;
    pack.weight = big;
    CHECK_STATUS(DCN_ERROR_OVERLAP, dcn_plan_pack_weight(plan, &pack));
    CHECK(message_has("packed"));
    pack.packed = big + weight_bytes - 1;
    CHECK_STATUS(DCN_ERROR_OVERLAP, dcn_plan_pack_weight(plan, &pack));
    pack.packed = big + weight_bytes;
    CHECK_OK(dcn_plan_pack_weight(plan, &pack));

    pack.packed = big;
    pack.weight = f.weight;
    CHECK_OK(dcn_plan_pack_weight(plan, &pack));
    dcn_forward_args args = fixture_args(&f);
    args.weight = NULL;
    args.packed_weight = big;
    args.packed_weight_size = pack.packed_size;
    args.y = (float *)(void *)(big + ((pack.packed_size - 1) & ~(size_t)3));
    refuse(args, "packed_weight");
    free(big);
}

int main(void) {
    f = fixture_small();
    float *expected = reference_y(&f);
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &plan));
    inputs_alias();
    offset_and_mask_in_one_buffer(expected);
    x_and_y_in_one_buffer(expected);
    y_overlaps();
    workspace_overlaps();
    packed_weights_overlap();
    dcn_plan_destroy(plan);
    free(expected);
    fixture_free(&f);
    return 0;
}
