/* Runs a table of shapes on an Ascend device and compares each result with the CPU backend's; then CANN's own operator
   where there is one. `make ascend-validate` builds the kernels and runs it; --small is for emulators. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "cann.h"
#include "device.h"
#include "numbers.h"
#include "run.h"

static const shape full[] = {
    /* name, dtype, N, C, H, W, O, kernel, stride, padding, dilation, groups, deformable groups, NHWC, mask, bias */
    {"DrivingSDK's page, halved", DCN_F32, 1, 256, 100, 200, 256, 3, 2, 1, 1, 1, 1, 0, 1, 0},
    {"BEV, 18 images", DCN_F32, 18, 256, 58, 100, 256, 3, 1, 1, 1, 1, 1, 0, 1, 0},
    {"ResNet-50 stage 4", DCN_F32, 6, 512, 29, 50, 512, 3, 1, 1, 1, 1, 1, 0, 1, 0},
    {"64 channels", DCN_F32, 2, 64, 56, 56, 64, 3, 1, 1, 1, 1, 1, 0, 1, 0},
    {"stride 2 at 256 channels", DCN_F32, 2, 256, 57, 61, 64, 3, 2, 1, 1, 1, 1, 0, 1, 0},
    {"dilation 2 at 512 channels", DCN_F32, 1, 512, 33, 31, 64, 3, 1, 2, 2, 1, 1, 0, 1, 0},
    {"8 groups", DCN_F32, 2, 64, 40, 40, 64, 3, 1, 1, 1, 8, 1, 0, 1, 0},
    {"4 deformable groups, bias", DCN_F32, 2, 64, 40, 40, 48, 3, 1, 1, 1, 1, 4, 0, 1, 1},
    {"depthwise 7 x 7", DCN_F32, 2, 96, 28, 28, 96, 7, 1, 3, 1, 96, 1, 0, 1, 1},
    {"odd sizes, no mask", DCN_F32, 3, 35, 17, 23, 21, 3, 1, 1, 1, 7, 5, 0, 0, 1},
    {"NHWC", DCN_F32, 2, 128, 40, 40, 128, 3, 1, 1, 1, 1, 2, 1, 1, 1},
    {"f16", DCN_F16, 2, 256, 50, 50, 256, 3, 1, 1, 1, 1, 1, 0, 1, 1},
    {"bf16", DCN_BF16, 2, 256, 50, 50, 256, 3, 1, 1, 1, 1, 1, 0, 1, 1},
    {"f16, NHWC", DCN_F16, 2, 64, 31, 33, 64, 3, 2, 1, 1, 1, 4, 1, 1, 0},
};

static const shape small[] = {
    {"common", DCN_F32, 2, 6, 7, 9, 5, 3, 1, 1, 1, 1, 2, 0, 1, 1},
    {"stride 2 and groups, NHWC", DCN_F32, 1, 8, 9, 7, 8, 3, 2, 1, 1, 4, 1, 1, 1, 0},
    {"depthwise, no mask", DCN_F32, 1, 10, 5, 6, 20, 3, 1, 1, 1, 10, 5, 0, 0, 1},
    {"f16", DCN_F16, 2, 6, 7, 9, 5, 3, 1, 1, 1, 1, 1, 0, 1, 1},
    {"bf16, NHWC", DCN_BF16, 2, 6, 7, 9, 5, 3, 1, 2, 2, 1, 3, 1, 1, 1},
};

static const char *const names[GRADIENTS] = {"grad_x", "grad_offset", "grad_mask", "grad_weight", "grad_bias"};

/* One line; 1 if the difference is too large. */
static int tell(const char *what, double worst) {
    const int failed = !(worst <= 1);
    printf("    %-12s %8.4f of the bound%s\n", what, worst, failed ? "  FAILED" : "");
    return failed;
}

static int compare(const shape *s, int repeats) {
    const tensors t = tensors_new(s), positive = tensors_magnitudes(s, &t);
    const double start = now();
    const results expected = run_cpu(s, &t);
    const double cpu = now() - start;
    const results magnitudes = run_cpu(s, &positive);
    double milliseconds[2], cann_milliseconds = 0;
    results got = run_ascend(s, &t, repeats, milliseconds);

    printf("%s: %s, %lld x %lld x %lld x %lld -> %lld, %lld x %lld\n", s->name,
           s->dtype == DCN_F32 ? "f32" : s->dtype == DCN_F16 ? "f16" : "bf16", (long long)s->n, (long long)s->c, (long long)s->h,
           (long long)s->w, (long long)s->o, (long long)s->kernel, (long long)s->kernel);
    int failed = tell("y", worst_difference(s, &t, -1, &got, &expected, &magnitudes));
    for (int i = 0; i < GRADIENTS; i++) {
        if (got.gradients[i] != NULL) failed += tell(names[i], worst_difference(s, &t, i, &got, &expected, &magnitudes));
    }
    if (repeats > 0) {
        printf("    forward %.3f ms, backward %.3f ms on the device; both once %.1f ms on the CPU\n", milliseconds[0],
               milliseconds[1], cpu);
    }
    const char *left_out = cann_forward(s, &t, repeats, got.y, &cann_milliseconds);
    if (left_out != NULL) printf("    did not run: aclnnDeformableConv2d: %s\n", left_out);
    else {
        /* For comparison only: a difference of CANN's is no failure of ours. */
        const double worst = worst_difference(s, &t, -1, &got, &expected, &magnitudes);
        printf("    aclnnDeformableConv2d: y %.4f of the bound, forward %.3f ms\n", worst, cann_milliseconds);
    }
    tensors both[2] = {t, positive};
    results all[3] = {expected, magnitudes, got};
    for (int i = 0; i < 2; i++) tensors_free(&both[i]);
    for (int i = 0; i < 3; i++) results_free(&all[i]);
    return failed;
}

int main(int argc, char **argv) {
    const int is_small = argc > 1 && strcmp(argv[1], "--small") == 0;
    char detail[4096];
    const dcn_status status = dcn_backend_status(DCN_BACKEND_ASCEND, detail, sizeof detail);
    if (status != DCN_OK) {
        printf("did not run: ascend-validate: %s\n", detail);
        return 0;
    }
    printf("%s\n", detail);
    if (device_open() != 0) return 1;
    const shape *shapes = is_small ? small : full;
    const size_t count = is_small ? sizeof small / sizeof *small : sizeof full / sizeof *full;
    int failed = 0;
    for (size_t i = 0; i < count; i++) failed += compare(&shapes[i], is_small ? 0 : 10);
    device_close();
    printf("%zu shapes, %d results beyond the bound\n", count, failed);
    return failed == 0 ? 0 : 1;
}
