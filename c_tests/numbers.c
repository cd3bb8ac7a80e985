/* Results small enough to compute by hand. */
#include "check.h"
#include "fixture.h"

#include <math.h>

/* A 3x3 image, a 1x1 kernel: each output is the mask times the sample at its pixel moved by the offset. */
static const double image[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

typedef struct sample {
    double dy, dx, mask, y; /* the output at the centre pixel (1, 1) */
} sample;

static const sample samples[] = {
    {0, 0, 1, 5},
    {0.5, 0.5, 1, 7},         /* (5 + 6 + 8 + 9) / 4 */
    {0.5, 0.5, 0.5, 3.5},
    {-0.5, 0.25, 1, 3.75},    /* row 0.5, column 1.25 */
    {0, -1, 2, 8},
    {1.5, 1.5, 1, 2.25},      /* 9 / 4: three corners are outside */
    {-1.5, -1.5, 1, 0.25},    /* 1 / 4 */
    {1.75, 0, 1, 2},          /* 8 / 4 */
    {-2, 0, 1, 0},            /* at exactly -1: not in range */
    {2, 0, 1, 0},             /* at exactly H: not in range */
    {0, -2, 1, 0},
    {0, 2, 1, 0},
    {100, -100, 1, 0},
    {0, 0, 0, 0},
    {0, 0, -1, -5},
};

typedef struct format {
    dcn_dtype dtype;
    size_t size;
    const char *name;
} format;

static const format formats[] = {{DCN_F32, 4, "f32"}, {DCN_F64, 8, "f64"}, {DCN_F16, 2, "f16"}, {DCN_BF16, 2, "bf16"}};

/* Exact for the numbers here: small, with few bits. */
static void store(const format *t, void *to, size_t i, double value) {
    float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint16_t half = (uint16_t)(bits >> 16);
    if (t->dtype == DCN_F16) {
        int exponent = (int)(bits >> 23 & 0xff) - 127 + 15;
        half = (uint16_t)((bits >> 16 & 0x8000) | (value == 0 ? 0 : (uint32_t)exponent << 10 | (bits >> 13 & 0x3ff)));
    }
    const void *from = t->size == 8 ? (const void *)&value : t->size == 4 ? (const void *)&f : (const void *)&half;
    memcpy((char *)to + i * t->size, from, t->size);
}

static int equal(const format *t, const void *got, size_t i, double expected) {
    char want[8];
    store(t, want, 0, expected + 0.0); /* an exact zero is +0 or -0 */
    if (memcmp((const char *)got + i * t->size, want, t->size) == 0)
        return 1;
    store(t, want, 0, -0.0);
    return expected == 0 && memcmp((const char *)got + i * t->size, want, t->size) == 0;
}

static dcn_problem problem_1x1(dcn_dtype dtype) {
    dcn_problem p;
    memset(&p, 0, sizeof p);
    p.struct_size = sizeof p;
    p.passes = FORWARD_ONLY;
    p.x = desc4(1, 1, 3, 3);
    p.offset = desc4(1, 2, 3, 3);
    p.mask = desc4(1, 1, 3, 3);
    p.weight = desc4(1, 1, 1, 1);
    p.bias = desc1(1);
    p.x.dtype = p.offset.dtype = p.mask.dtype = p.weight.dtype = p.bias.dtype = dtype;
    return p;
}

/* Whether this release computes in a type; says so if not. */
static int is_supported(const format *t) {
    dcn_problem p = problem_1x1(t->dtype);
    dcn_plan *plan = NULL;
    dcn_status status = dcn_plan_create(NULL, &p, &plan);
    dcn_plan_destroy(plan);
    if (status == DCN_ERROR_UNSUPPORTED && message_has("in this release"))
        printf("did not run: hand-computed results in %s: this release does not support it\n", t->name);
    else
        CHECK_STATUS(DCN_OK, status);
    return status == DCN_OK;
}

static void one_sample(const format *t, const sample *s) {
    double x[9], offset[18] = {0}, mask[9] = {0}, weight[1], bias[1], y[9];
    dcn_problem p = problem_1x1(t->dtype);
    for (size_t i = 0; i < 9; i++)
        store(t, x, i, image[i]);
    store(t, offset, 4, s->dy);
    store(t, offset, 9 + 4, s->dx);
    store(t, mask, 4, s->mask);
    store(t, weight, 0, 2);
    store(t, bias, 0, 0.5);
    dcn_forward_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    args.x = x, args.offset = offset, args.mask = mask, args.weight = weight, args.bias = bias, args.y = y;
    CHECK_OK(dcn_modulated_deform_conv2d(NULL, &p, &args));
    for (size_t i = 0; i < 9; i++) {
        double expected = i == 4 ? 2 * s->y + 0.5 : 0.5;
        if (!equal(t, y, i, expected))
            fprintf(stderr, "%s, offset (%g, %g), mask %g, output %zu: expected %g\n", t->name, s->dy, s->dx, s->mask, i,
                    expected);
        CHECK(equal(t, y, i, expected));
    }
}

/* A NaN offset is not in range, so the sample is 0; an offset of +-Inf likewise. */
static void not_finite(void) {
    static const float values[] = {NAN, INFINITY, -INFINITY};
    for (int v = 0; v < 3; v++) {
        float x[9], offset[18] = {0}, mask[9], weight[1] = {1}, bias[1] = {0}, y[9];
        for (int i = 0; i < 9; i++)
            x[i] = (float)image[i], mask[i] = 1;
        offset[4] = values[v];
        x[8] = NAN; /* reaches the pixels that have it as a corner, of weight 0 too */
        dcn_problem p = problem_1x1(DCN_F32);
        dcn_forward_args args;
        memset(&args, 0, sizeof args);
        args.struct_size = sizeof args;
        args.x = x, args.offset = offset, args.mask = mask, args.weight = weight, args.bias = bias, args.y = y;
        CHECK_OK(dcn_modulated_deform_conv2d(NULL, &p, &args));
        CHECK(y[4] == 0 && y[6] == 7);
        CHECK(isnan(y[5]) && isnan(y[7]) && isnan(y[8]));
        for (int i = 0; i < 4; i++)
            CHECK(y[i] == x[i]);
    }
}

/* Ones under a 3x3 kernel of ones, padding 1, no offsets, no mask, no bias: y counts the pixels inside. */
static void counts_inside_pixels(void) {
    float x[9], offset[162] = {0}, weight[9], y[9];
    static const float expected[9] = {4, 6, 4, 6, 9, 6, 4, 6, 4};
    for (int i = 0; i < 9; i++)
        x[i] = weight[i] = 1;
    dcn_problem p = problem_1x1(DCN_F32);
    p.pad_top = p.pad_left = p.pad_bottom = p.pad_right = 1;
    p.offset = desc4(1, 18, 3, 3);
    p.weight = desc4(1, 1, 3, 3);
    memset(&p.mask, 0, sizeof p.mask);
    memset(&p.bias, 0, sizeof p.bias);
    dcn_forward_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    args.x = x, args.offset = offset, args.weight = weight, args.y = y;
    CHECK_OK(dcn_modulated_deform_conv2d(NULL, &p, &args));
    CHECK(memcmp(y, expected, sizeof y) == 0);
}

/* Two groups, two deformable groups that move in opposite directions, stride 2: y[0] = x[0] one column to the right,
   y[1] = ten times x[1] one column to the left. */
static void groups(void) {
    float x[2 * 15], offset[4 * 6] = {0}, weight[2] = {1, 10}, y[2 * 6];
    for (int i = 0; i < 30; i++)
        x[i] = (float)(i + 1);
    for (int i = 0; i < 6; i++) {
        offset[1 * 6 + i] = 1;  /* dx of the first deformable group */
        offset[3 * 6 + i] = -1; /* dx of the second */
    }
    dcn_problem p = problem_1x1(DCN_F32);
    p.stride_h = p.stride_w = 2;
    p.groups = p.deformable_groups = 2;
    p.x = desc4(1, 2, 3, 5);
    p.offset = desc4(1, 4, 2, 3);
    p.weight = desc4(2, 1, 1, 1);
    memset(&p.mask, 0, sizeof p.mask);
    memset(&p.bias, 0, sizeof p.bias);
    dcn_forward_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    args.x = x, args.offset = offset, args.weight = weight, args.y = y;
    CHECK_OK(dcn_modulated_deform_conv2d(NULL, &p, &args));
    static const float expected[12] = {2, 4, 0, 12, 14, 0, 0, 170, 190, 0, 270, 290};
    CHECK(memcmp(y, expected, sizeof y) == 0);
}

/* N = 0: a run does nothing, and says so with success. */
static void no_images(void) {
    fixture f = fixture_new(0, 3, 4, 4, 2, 1);
    dcn_tensor_desc y;
    CHECK_OK(dcn_output_shape(&f.problem, &y));
    CHECK(y.rank == 4 && y.dims[0] == 0 && y.dims[1] == 2 && y.dims[2] == 4 && y.dims[3] == 4);
    float nothing = 7;
    dcn_forward_args args = fixture_args(&f);
    args.y = &nothing;
    CHECK_OK(dcn_modulated_deform_conv2d(NULL, &f.problem, &args));
    CHECK(nothing == 7);
    fixture_free(&f);
}

int main(void) {
    for (size_t t = 0; t < sizeof formats / sizeof *formats; t++) {
        if (!is_supported(&formats[t]))
            continue;
        for (size_t s = 0; s < sizeof samples / sizeof *samples; s++)
            one_sample(&formats[t], &samples[s]);
    }
    not_finite();
    counts_inside_pixels();
    groups();
    no_images();
    return 0;
}
