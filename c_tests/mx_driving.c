/* The DCN_CHECK_MX_DRIVING profile: the published example, and each requirement violated once. */
#include "check.h"
#include "fixture.h"

/* Input [n, c, h, w], 3x3 kernel, padding 1; offset and mask of ho x wo; no bias. */
static dcn_problem example(int64_t n, int64_t c, int64_t h, int64_t w, int64_t o, int64_t stride, int64_t ho, int64_t wo) {
    dcn_problem p;
    memset(&p, 0, sizeof p);
    p.struct_size = sizeof p;
    p.flags = DCN_CHECK_MX_DRIVING;
    p.passes = FORWARD_ONLY;
    p.stride_h = p.stride_w = stride;
    p.pad_top = p.pad_left = p.pad_bottom = p.pad_right = 1;
    p.x = desc4(n, c, h, w);
    p.offset = desc4(n, 18, ho, wo);
    p.mask = desc4(n, 9, ho, wo);
    p.weight = desc4(o, c, 3, 3);
    return p;
}

static dcn_status create(const dcn_problem *p) {
    dcn_plan *plan = NULL;
    dcn_status status = dcn_plan_create(NULL, p, &plan);
    dcn_plan_destroy(plan);
    return status;
}

static void published_example(void) {
    dcn_problem p = example(16, 64, 100, 200, 64, 1, 50, 100);
    CHECK_STATUS(DCN_ERROR_INVALID_SHAPE, create(&p));
    CHECK(message_has("100 x 200"));
    p.y = desc4(16, 64, 50, 100);
    CHECK_STATUS(DCN_ERROR_INVALID_SHAPE, create(&p));
    CHECK(message_has("100 x 200"));

    p = example(1, 64, 100, 200, 64, 2, 50, 100);
    dcn_tensor_desc y;
    CHECK_OK(dcn_output_shape(&p, &y));
    CHECK(y.rank == 4 && y.dims[0] == 1 && y.dims[1] == 64 && y.dims[2] == 50 && y.dims[3] == 100);
    dcn_forward_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    size_t len;
    float *x = fixture_buffer(&p.x, 1.0f, &len);
    float *offset = fixture_buffer(&p.offset, 2.0f, &len);
    float *mask = fixture_buffer(&p.mask, 1.0f, &len);
    float *weight = fixture_buffer(&p.weight, 1.0f, &len);
    float *out = fixture_buffer(&y, 0.0f, &len);
    args.x = x, args.offset = offset, args.mask = mask, args.weight = weight, args.y = out;
    CHECK_OK(dcn_modulated_deform_conv2d(NULL, &p, &args));
    CHECK(!all_bytes(out, len * sizeof *out, 0));
    free(x), free(offset), free(mask), free(weight), free(out);
    p = example(16, 64, 100, 200, 64, 2, 50, 100);
    CHECK_OK(create(&p));
}

/* Without the flag the same problem is fine, so that it is the profile that refuses. */
static void refuse(dcn_problem p, const char *in_message) {
    p.flags = DCN_CHECK_MX_DRIVING;
    CHECK_STATUS(DCN_ERROR_UNSUPPORTED, create(&p));
    CHECK(message_has(in_message));
    CHECK(message_has("mx_driving"));
    p.flags = 0;
    CHECK_OK(create(&p));
}

int main(void) {
    published_example();
    const dcn_problem good = example(2, 64, 8, 8, 64, 1, 8, 8);
    CHECK_OK(create(&good));
    dcn_problem p;

    p = good;
    p.x.dtype = p.offset.dtype = p.mask.dtype = p.weight.dtype = DCN_F64;
    refuse(p, "expected f32");

    p = good, memset(&p.mask, 0, sizeof p.mask), refuse(p, "mask");
    p = good, p.bias = desc1(64), refuse(p, "bias");

    p = good, p.deformable_groups = 2, p.offset.dims[1] = 36, p.mask.dims[1] = 18;
    refuse(p, "deformable_groups");

    p = good, p.weight.dims[2] = 1, p.offset.dims[1] = 6, p.mask.dims[1] = 3, p.pad_top = p.pad_bottom = 0;
    refuse(p, "3 x 3");
    p = good, p.weight.dims[2] = p.weight.dims[3] = 5, p.offset.dims[1] = 50, p.mask.dims[1] = 25;
    p.pad_top = p.pad_bottom = p.pad_left = p.pad_right = 2;
    refuse(p, "3 x 3");

    refuse(example(2, 32, 8, 8, 64, 1, 8, 8), "C is 32");
    refuse(example(2, 64, 8, 8, 96, 1, 8, 8), "O is 96");
    CHECK_OK((p = example(2, 128, 8, 8, 192, 1, 8, 8), create(&p)));

    p = good, p.pad_bottom = 2, p.offset.dims[2] = p.mask.dims[2] = 9, refuse(p, "pad_bottom is 2");
    p = good, p.pad_right = 2, p.offset.dims[3] = p.mask.dims[3] = 9, refuse(p, "pad_right is 2");
    return 0;
}
