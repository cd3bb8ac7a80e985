/* A problem with buffers and data, every buffer exactly as long as its tensor. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <deformconv/deformconv.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORWARD_ONLY (1u << DCN_PASS_FORWARD)
#define BACKWARD_ONLY (1u << DCN_PASS_BACKWARD)

typedef struct fixture {
    dcn_problem problem;
    size_t x_len, offset_len, mask_len, weight_len, bias_len, y_len;
    float *x, *offset, *mask, *weight, *bias, *y;
} fixture;

static inline dcn_tensor_desc desc4(int64_t a, int64_t b, int64_t c, int64_t d) {
    dcn_tensor_desc t;
    memset(&t, 0, sizeof t);
    t.dtype = DCN_F32;
    t.rank = 4;
    t.dims[0] = a, t.dims[1] = b, t.dims[2] = c, t.dims[3] = d;
    return t;
}

static inline dcn_tensor_desc desc1(int64_t a) {
    dcn_tensor_desc t = desc4(a, 0, 0, 0);
    t.rank = 1;
    return t;
}

static inline size_t elements(const dcn_tensor_desc *t) {
    size_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= (size_t)t->dims[i];
    return n;
}

/* Repeatable numbers in [-scale, scale). */
static inline void fill(float *to, size_t n, float scale, uint32_t seed) {
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        to[i] = scale * ((float)(seed >> 8) / 8388608.0f - 1.0f);
    }
}

static inline float *fixture_buffer(const dcn_tensor_desc *t, float scale, size_t *len) {
    *len = elements(t);
    float *buffer = (float *)malloc((*len + (*len == 0)) * sizeof(float));
    if (buffer == NULL)
        abort();
    fill(buffer, *len, scale, (uint32_t)*len);
    return buffer;
}

/* A 3x3 kernel with padding 1: y is as large as x. Offsets reach past the image's edges. */
static inline fixture fixture_new(int64_t n, int64_t c, int64_t h, int64_t w, int64_t o, int64_t deformable_groups) {
    fixture f;
    memset(&f, 0, sizeof f);
    dcn_problem *p = &f.problem;
    p->struct_size = sizeof *p;
    p->passes = FORWARD_ONLY;
    p->pad_top = p->pad_left = p->pad_bottom = p->pad_right = 1;
    p->deformable_groups = deformable_groups;
    p->x = desc4(n, c, h, w);
    p->offset = desc4(n, 2 * deformable_groups * 9, h, w);
    p->mask = desc4(n, deformable_groups * 9, h, w);
    p->weight = desc4(o, c, 3, 3);
    p->bias = desc1(o);
    p->y = desc4(n, o, h, w);
    f.x = fixture_buffer(&p->x, 1.0f, &f.x_len);
    f.offset = fixture_buffer(&p->offset, 3.0f, &f.offset_len);
    f.mask = fixture_buffer(&p->mask, 1.0f, &f.mask_len);
    f.weight = fixture_buffer(&p->weight, 1.0f, &f.weight_len);
    f.bias = fixture_buffer(&p->bias, 1.0f, &f.bias_len);
    f.y = fixture_buffer(&p->y, 0.0f, &f.y_len);
    return f;
}

static inline fixture fixture_small(void) { return fixture_new(2, 6, 7, 9, 5, 2); }

/* Enough work for several tasks. */
static inline fixture fixture_large(void) { return fixture_new(4, 32, 40, 40, 32, 1); }

/* 2^32 pixels that are all the same element: beyond the index arithmetic of the tiled kernels. */
static inline fixture fixture_huge_image(void) {
    fixture f = fixture_new(1, 3, 2, 2, 4, 1);
    dcn_tensor_desc *x = &f.problem.x;
    x->layout = DCN_LAYOUT_STRIDED;
    x->dims[2] = x->dims[3] = 65536;
    f.problem.stride_h = f.problem.stride_w = 40000;
    f.x_len = 1;
    return f;
}

static inline void fixture_free(fixture *f) {
    float *buffers[] = {f->x, f->offset, f->mask, f->weight, f->bias, f->y};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
    memset(f, 0, sizeof *f);
}

static inline dcn_forward_args fixture_args(const fixture *f) {
    dcn_forward_args a;
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    a.x = f->x;
    a.offset = f->offset;
    a.mask = f->mask;
    a.weight = f->weight;
    a.bias = f->bias;
    a.y = f->y;
    return a;
}

static inline dcn_context_config config_default(void) {
    dcn_context_config c;
    memset(&c, 0, sizeof c);
    c.struct_size = sizeof c;
    return c;
}

/* A fresh buffer for another y, full of a pattern that no result is likely to be. */
#define Y_PATTERN 0x5a
static inline float *fresh_y(const fixture *f) {
    float *y = (float *)malloc((f->y_len + (f->y_len == 0)) * sizeof(float));
    if (y == NULL)
        abort();
    memset(y, Y_PATTERN, f->y_len * sizeof(float));
    return y;
}

static inline int all_bytes(const void *bytes, size_t n, int value) {
    const unsigned char *b = (const unsigned char *)bytes;
    for (size_t i = 0; i < n; i++)
        if (b[i] != (unsigned char)value)
            return 0;
    return 1;
}

static inline int is_untouched(const fixture *f, const float *y) {
    return all_bytes(y, f->y_len * sizeof(float), Y_PATTERN);
}

static inline int same_bits(const fixture *f, const float *a, const float *b) {
    return memcmp(a, b, f->y_len * sizeof(float)) == 0;
}

#endif
