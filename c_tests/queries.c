/* Versions, the output's shape, and what a plan says of itself. */
#include "check.h"
#include "fixture.h"

static void versions(void) {
    CHECK(dcn_version() == ((uint32_t)DCN_VERSION_MAJOR << 22 | DCN_VERSION_MINOR << 12 | DCN_VERSION_PATCH));
    CHECK(dcn_abi_version() == DCN_ABI_VERSION);
    char release[32];
    snprintf(release, sizeof release, "deformconv %d.%d.%d ", DCN_VERSION_MAJOR, DCN_VERSION_MINOR, DCN_VERSION_PATCH);
    CHECK(strncmp(dcn_build_info(), release, strlen(release)) == 0);
    printf("%s\n", dcn_build_info());
}

static void output_shape(void) {
    fixture f = fixture_small();
    dcn_problem p = f.problem;
    p.stride_h = 2, p.stride_w = 3, p.pad_bottom = 4, p.dilation_w = 2;
    p.y.rank = 0; /* not read */
    dcn_tensor_desc y;
    memset(&y, 0xff, sizeof y);
    CHECK_OK(dcn_output_shape(&p, &y));
    dcn_tensor_desc expected = desc4(2, 5, (7 + 1 + 4 - 3) / 2 + 1, (9 + 1 + 1 - 5) / 3 + 1);
    CHECK(y.dtype == expected.dtype && y.rank == 4 && y.layout == DCN_LAYOUT_CONTIGUOUS && y.reserved0 == 0);
    CHECK(memcmp(y.dims, expected.dims, sizeof y.dims) == 0);
    CHECK(all_bytes(y.reserved, sizeof y.reserved, 0));
    p.dilation_h = 100; /* the kernel is larger than the padded image */
    CHECK_STATUS(DCN_ERROR_INVALID_SHAPE, dcn_output_shape(&p, &y));
    fixture_free(&f);
}

static void plan_info(void) {
    fixture f = fixture_small();
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &plan));
    dcn_plan_info info;
    info.struct_size = sizeof info;
    CHECK_OK(dcn_plan_get_info(plan, &info));
    printf("%s, %s, %d positions, %d tasks\n", info.isa, info.forward_kernel, (int)info.tile_positions, (int)info.max_tasks);
    uint64_t flops = 2u * 2 * 5 * 7 * 9 * 6 * 9;
    CHECK(info.forward_flops == flops && info.backward_flops == 2 * flops);
    CHECK(info.isa[0] != 0 && info.forward_kernel[0] != 0 && info.backward_kernel[0] == 0);
    CHECK(info.max_tasks >= 1);
    const char *isa = info.isa, *kernel = info.forward_kernel;
    dcn_plan_destroy(plan);
    CHECK(isa[0] != 0 && kernel[0] != 0); /* static strings */
    fixture_free(&f);
}

int main(void) {
    versions();
    output_shape();
    plan_info();
    return 0;
}
