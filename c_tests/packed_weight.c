/* Packed weights: plain bytes that may be written and copied to any address and serve every plan with an equal
   packed_layout; damaged, short and foreign ones are refused. */
#include "check.h"
#include "fixture.h"
#include "reference.h"

static dcn_plan *plan_for(const dcn_problem *p) {
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(NULL, p, &plan));
    return plan;
}

static uint64_t layout_of(const dcn_plan *plan) {
    dcn_plan_info info;
    info.struct_size = sizeof info;
    CHECK_OK(dcn_plan_get_info(plan, &info));
    return info.packed_layout[DCN_PASS_FORWARD];
}

static void pack_to(void *packed, size_t size, const dcn_plan *plan, const fixture *f) {
    dcn_pack_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    args.pass = DCN_PASS_FORWARD;
    args.weight = f->weight;
    args.packed = packed;
    args.packed_size = size;
    CHECK_OK(dcn_plan_pack_weight(plan, &args));
}

static char *pack(const dcn_plan *plan, const fixture *f, size_t *size) {
    CHECK_OK(dcn_plan_packed_weight_size(plan, DCN_PASS_FORWARD, size));
    char *packed = (char *)malloc(*size);
    CHECK(packed != NULL);
    pack_to(packed, *size, plan, f);
    return packed;
}

static dcn_forward_args packed_args(const fixture *f, const void *packed, size_t size) {
    dcn_forward_args args = fixture_args(f);
    args.weight = NULL;
    args.packed_weight = packed;
    args.packed_weight_size = size;
    return args;
}

static void any_address(const fixture *f, const dcn_plan *plan, const char *packed, size_t size, const float *expected) {
    char *copy = (char *)malloc(size + 64);
    CHECK(copy != NULL);
    for (size_t shift = 0; shift < 64; shift = shift < 9 ? shift + 1 : shift * 2 - 1) {
        memset(copy, 0x33, size + 64);
        pack_to(copy + shift, size + 1, plan, f);
        CHECK(memcmp(copy + shift, packed, size) == 0); /* the same bytes wherever they are written */
        CHECK(all_bytes(copy, shift, 0x33) && all_bytes(copy + shift + size, 64 - shift, 0x33));
        float *y = fresh_y(f);
        dcn_forward_args args = packed_args(f, copy + shift, size);
        args.y = y;
        CHECK_OK(dcn_plan_forward(plan, &args));
        CHECK(same_bits(f, y, expected));
        args.packed_weight_size = size + 17; /* more room than needed is fine */
        CHECK_OK(dcn_plan_forward(plan, &args));
        CHECK(memcmp(copy + shift, packed, size) == 0); /* read only */
        free(y);
    }
    free(copy);
}

static void refuse(const fixture *f, const dcn_plan *plan, const void *packed, size_t size, dcn_status expected) {
    float *y = fresh_y(f);
    dcn_forward_args args = packed_args(f, packed, size);
    args.y = y;
    CHECK_STATUS(expected, dcn_plan_forward(plan, &args));
    CHECK(message_has("packed_weight"));
    CHECK(is_untouched(f, y));
    free(y);
}

static void damaged(const fixture *f, const dcn_plan *plan, char *packed, size_t size) {
    const size_t sizes[] = {size - 1, size / 2, 8, 1, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        refuse(f, plan, packed, sizes[i], DCN_ERROR_WORKSPACE_TOO_SMALL);
    for (size_t i = 0; i < 24; i++) { /* magic, layout and size, 8 bytes each */
        packed[i] ^= 0x10;
        refuse(f, plan, packed, size, DCN_ERROR_INVALID_ARGUMENT);
        packed[i] ^= 0x10;
    }
    char *zeros = (char *)calloc(1, size);
    CHECK(zeros != NULL);
    refuse(f, plan, zeros, size, DCN_ERROR_INVALID_ARGUMENT);
    free(zeros);
}

/* Batch, image size, padding and offsets do not matter to the layout; channels do. */
static void other_plans(const fixture *f, const dcn_plan *plan, const char *packed, size_t size) {
    fixture other = fixture_new(1, f->problem.x.dims[1], 11, 4, f->problem.weight.dims[0], f->problem.deformable_groups);
    free(other.weight);
    other.weight = f->weight;
    float *expected = reference_y(&other), *y = fresh_y(&other);
    dcn_plan *other_plan = plan_for(&other.problem);
    CHECK(layout_of(other_plan) == layout_of(plan));
    dcn_forward_args args = packed_args(&other, packed, size);
    args.y = y;
    CHECK_OK(dcn_plan_forward(other_plan, &args));
    CHECK(same_bits(&other, y, expected));
    dcn_plan_destroy(other_plan);
    free(expected);
    free(y);
    other.weight = NULL;
    fixture_free(&other);

    fixture wider = fixture_new(1, f->problem.x.dims[1] + 2, 11, 4, f->problem.weight.dims[0], f->problem.deformable_groups);
    dcn_plan *wider_plan = plan_for(&wider.problem);
    CHECK(layout_of(wider_plan) != layout_of(plan));
    size_t wider_size = 0;
    char *foreign = pack(wider_plan, &wider, &wider_size);
    CHECK(wider_size >= size);
    refuse(f, plan, foreign, wider_size, DCN_ERROR_INVALID_ARGUMENT);
    free(foreign);
    dcn_plan_destroy(wider_plan);
    fixture_free(&wider);
}

static void huge_image(void) {
    fixture f = fixture_huge_image();
    float *expected = reference_y(&f);
    dcn_plan *plan = plan_for(&f.problem);
    size_t size = 0;
    char *packed = pack(plan, &f, &size);
    any_address(&f, plan, packed, size, expected);
    damaged(&f, plan, packed, size);
    free(packed);
    dcn_plan_destroy(plan);
    free(expected);
    fixture_free(&f);
}

static void with(fixture f) {
    float *expected = reference_y(&f);
    dcn_plan *plan = plan_for(&f.problem);
    size_t size = 0;
    char *packed = pack(plan, &f, &size);
    any_address(&f, plan, packed, size, expected);
    damaged(&f, plan, packed, size);
    other_plans(&f, plan, packed, size);
    size_t again_size = 0;
    char *again = pack(plan, &f, &again_size);
    CHECK(again_size == size && memcmp(again, packed, size) == 0);
    free(again);

    /* The short way takes them too. */
    float *y = fresh_y(&f);
    dcn_forward_args args = packed_args(&f, packed, size);
    args.y = y;
    CHECK_OK(dcn_modulated_deform_conv2d(NULL, &f.problem, &args));
    CHECK(same_bits(&f, y, expected));
    free(y);
    free(packed);
    dcn_plan_destroy(plan);
    free(expected);
    fixture_free(&f);
}

int main(void) {
    with(fixture_small());
    with(fixture_new(2, 32, 12, 12, 40, 1));
    huge_image();
    return 0;
}
