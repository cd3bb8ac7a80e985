#include "shape.h"

#include <stdlib.h>
#include <string.h>

#include "numbers.h"

int64_t shape_output(const shape *s, int64_t size) {
    return (size + 2 * s->padding - (s->dilation * (s->kernel - 1) + 1)) / s->stride + 1;
}

static int64_t taps(const shape *s) { return s->kernel * s->kernel; }

size_t shape_count_y(const shape *s) {
    return (size_t)(s->n * s->o * shape_output(s, s->h) * shape_output(s, s->w));
}

static dcn_tensor_desc described(const shape *s, int64_t d0, int64_t d1, int64_t d2, int64_t d3) {
    dcn_tensor_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.dtype = s->dtype;
    desc.rank = 4;
    desc.dims[0] = d0, desc.dims[1] = d1, desc.dims[2] = d2, desc.dims[3] = d3;
    return desc;
}

dcn_problem shape_problem(const shape *s, dcn_backend backend) {
    const int64_t ho = shape_output(s, s->h), wo = shape_output(s, s->w), masks = s->deformable_groups * taps(s);
    dcn_problem p;
    memset(&p, 0, sizeof p);
    p.struct_size = sizeof p;
    p.backend = backend;
    p.stride_h = p.stride_w = s->stride;
    p.pad_top = p.pad_left = p.pad_bottom = p.pad_right = s->padding;
    p.dilation_h = p.dilation_w = s->dilation;
    p.groups = s->groups;
    p.deformable_groups = s->deformable_groups;
    p.x = described(s, s->n, s->c, s->h, s->w);
    if (s->nhwc) {
        p.x.layout = DCN_LAYOUT_STRIDED;
        p.x.strides[0] = s->c * s->h * s->w, p.x.strides[1] = 1, p.x.strides[2] = s->w * s->c, p.x.strides[3] = s->c;
    }
    p.offset = described(s, s->n, 2 * masks, ho, wo);
    if (s->mask) p.mask = described(s, s->n, masks, ho, wo);
    p.weight = described(s, s->o, s->c / s->groups, s->kernel, s->kernel);
    if (s->bias) {
        p.bias = described(s, s->o, 0, 0, 0);
        p.bias.rank = 1;
    }
    return p;
}

tensors tensors_new(const shape *s) {
    const size_t positions = (size_t)(s->n * shape_output(s, s->h) * shape_output(s, s->w));
    const size_t masks = positions * (size_t)(s->deformable_groups * taps(s));
    tensors t = {{NULL}, {0}};
    t.count[X] = (size_t)(s->n * s->c * s->h * s->w);
    t.count[OFFSET] = 2 * masks;
    t.count[MASK] = s->mask ? masks : 0;
    t.count[WEIGHT] = (size_t)(s->o * (s->c / s->groups) * taps(s));
    t.count[BIAS] = s->bias ? (size_t)s->o : 0;
    t.count[GRAD_Y] = shape_count_y(s);
    for (int i = 0; i < INPUTS; i++) {
        const double scale = i == OFFSET ? 2 : 1;
        if (t.count[i] > 0) t.data[i] = numbers_new(s->dtype, t.count[i], scale, i == MASK, 17u + (unsigned)i);
    }
    return t;
}

tensors tensors_magnitudes(const shape *s, const tensors *t) {
    tensors magnitudes = tensors_new(s);
    for (int i = 0; i < INPUTS; i++) {
        if (i == OFFSET || t->count[i] == 0) continue;
        free(magnitudes.data[i]);
        magnitudes.data[i] = numbers_magnitudes(s->dtype, t->data[i], t->count[i]);
    }
    return magnitudes;
}

void tensors_free(tensors *t) {
    for (int i = 0; i < INPUTS; i++) free(t->data[i]);
}

int gradient_like(int gradient) {
    static const int like[GRADIENTS] = {X, OFFSET, MASK, WEIGHT, BIAS};
    return like[gradient];
}
