#include "cann.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "numbers.h"
#include "run.h"

typedef void *(*tensor_function)(const int64_t *, uint64_t, int, const int64_t *, int64_t, int, const int64_t *, uint64_t, void *);
typedef void *(*array_function)(const int64_t *, uint64_t);
typedef int (*destroy_function)(const void *);
typedef int (*size_function)(const void *, const void *, const void *, const void *, const void *, const void *, const void *,
                             const void *, int64_t, int64_t, char, void *, void *, uint64_t *, void **);
typedef int (*run_function)(void *, uint64_t, void *, void *);

enum { NCHW = 0, ND = 2 };

static void *tensor(const shape *s, int rank, const int64_t *dims, void *data) {
    int64_t strides[4];
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) strides[i] = stride, stride *= dims[i];
    const int type = s->dtype == DCN_F32 ? 0 : s->dtype == DCN_F16 ? 1 : 27;
    tensor_function create = (tensor_function)device_symbol("aclCreateTensor");
    return create(dims, (uint64_t)rank, type, strides, 0, rank == 4 ? NCHW : ND, dims, (uint64_t)rank, data);
}

/* CANN's offset: for each image the planes of all dx, then all dy, then all masks. */
static void *offsets(const shape *s, const tensors *t) {
    const size_t size = number_size(s->dtype), taps = (size_t)(s->kernel * s->kernel);
    const size_t plane = size * (size_t)(shape_output(s, s->h) * shape_output(s, s->w));
    char *all = malloc((size_t)s->n * 3 * taps * plane);
    for (size_t i = 0; i < (size_t)s->n * taps; i++) {
        const size_t n = i / taps, tap = i % taps;
        const char *pair = (const char *)t->data[OFFSET] + 2 * i * plane;
        char *image = all + n * 3 * taps * plane;
        memcpy(image + tap * plane, pair + plane, plane);
        memcpy(image + (taps + tap) * plane, pair, plane);
        memcpy(image + (2 * taps + tap) * plane, (const char *)t->data[MASK] + i * plane, plane);
    }
    return all;
}

const char *cann_forward(const shape *s, const tensors *t, int repeats, void *y, double *milliseconds) {
    size_function ask = (size_function)device_symbol("aclnnDeformableConv2dGetWorkspaceSize");
    run_function run = (run_function)device_symbol("aclnnDeformableConv2d");
    array_function array = (array_function)device_symbol("aclCreateIntArray");
    destroy_function destroy = (destroy_function)device_symbol("aclDestroyTensor");
    destroy_function destroy_array = (destroy_function)device_symbol("aclDestroyIntArray");
    static char reason[1024];
    if (ask == NULL || run == NULL || array == NULL || destroy == NULL || destroy_array == NULL) return "this CANN has none";
    if (s->nhwc || !s->mask || s->deformable_groups != 1) return "not compared but for NCHW, a mask and D = 1";

    const size_t size = number_size(s->dtype);
    const int64_t k = s->kernel, ho = shape_output(s, s->h), wo = shape_output(s, s->w);
    const int64_t dims[5][4] = {
        {s->n, s->c, s->h, s->w}, {s->o, s->c / s->groups, k, k}, {s->n, 3 * k * k, ho, wo}, {s->o, 0, 0, 0}, {s->n, s->o, ho, wo}};
    const size_t bytes[5] = {t->count[X] * size, t->count[WEIGHT] * size, (t->count[OFFSET] + t->count[MASK]) * size,
                             t->count[BIAS] * size, shape_count_y(s) * size};
    void *const planes = offsets(s, t);
    const void *host[5] = {t->data[X], t->data[WEIGHT], planes, t->data[BIAS], NULL};
    void *memory[5], *operands[5];
    for (int i = 0; i < 5; i++) {
        memory[i] = device_new(bytes[i]);
        if (host[i] != NULL) device_upload(memory[i], host[i], bytes[i]);
        operands[i] = bytes[i] == 0 ? NULL : tensor(s, i == 3 ? 1 : 4, dims[i], memory[i]);
    }
    free(planes);
    const int64_t kernel[2] = {k, k}, stride[4] = {1, 1, s->stride, s->stride}, dilation[4] = {1, 1, s->dilation, s->dilation};
    const int64_t padding[4] = {s->padding, s->padding, s->padding, s->padding};
    void *const arrays[4] = {array(kernel, 2), array(stride, 4), array(padding, 4), array(dilation, 4)};

    const char *outcome = NULL;
    double start = 0;
    for (int i = 0; i <= repeats && outcome == NULL; i++) {
        uint64_t needed = 0;
        void *executor = NULL;
        if (i == 1) device_synchronise(), start = now();
        int code = ask(operands[0], operands[1], operands[2], operands[3], arrays[0], arrays[1], arrays[2], arrays[3], s->groups,
                       s->deformable_groups, 1, operands[4], NULL, &needed, &executor);
        void *workspace = code == 0 ? device_new((size_t)needed) : NULL;
        if (code == 0) code = run(workspace, needed, executor, device_stream());
        device_synchronise();
        device_free(workspace);
        if (code != 0) {
            snprintf(reason, sizeof reason, "it returned %d: %s", code, device_message());
            outcome = reason;
        }
    }
    *milliseconds = repeats > 0 ? (now() - start) / repeats : 0;
    if (outcome == NULL) device_download(y, memory[4], bytes[4]);
    for (int i = 0; i < 5; i++) {
        if (operands[i] != NULL) destroy(operands[i]);
        device_free(memory[i]);
    }
    for (int i = 0; i < 4; i++) destroy_array(arrays[i]);
    return outcome;
}
