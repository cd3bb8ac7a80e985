/* A problem of the table: its sizes, its tensors on the host, its descriptor. */
#ifndef ASCEND_VALIDATE_SHAPE_H
#define ASCEND_VALIDATE_SHAPE_H

#include <deformconv/deformconv.h>
#include <stddef.h>

typedef struct shape {
    const char *name;
    dcn_dtype dtype;
    int64_t n, c, h, w, o, kernel, stride, padding, dilation, groups, deformable_groups;
    int nhwc, mask, bias;
} shape;

enum { X, OFFSET, MASK, WEIGHT, BIAS, GRAD_Y, INPUTS };
enum { GRAD_X, GRAD_OFFSET, GRAD_MASK, GRAD_WEIGHT, GRAD_BIAS, GRADIENTS };

/* Inputs on the host; absent ones are NULL and have no elements. */
typedef struct tensors {
    void *data[INPUTS];
    size_t count[INPUTS];
} tensors;

int64_t shape_output(const shape *s, int64_t size);
size_t shape_count_y(const shape *s);
dcn_problem shape_problem(const shape *s, dcn_backend backend);

tensors tensors_new(const shape *s);
/* The same without signs, but for the offset. */
tensors tensors_magnitudes(const shape *s, const tensors *t);
void tensors_free(tensors *t);
/* Which input a gradient is shaped as. */
int gradient_like(int gradient);

#endif
