/* A problem made ready: a plan for both passes, packed weights, workspaces and gradients, so that only runs are
   left. */
#ifndef READY_H
#define READY_H

#include "check.h"
#include "fixture.h"

typedef struct ready {
    fixture f;
    dcn_plan *plan;
    void *packed[2], *workspace[2];
    float *grads[5];
    dcn_forward_args forward;
    dcn_backward_args backward;
} ready;

static inline void ready_pass(ready *r, dcn_pass pass, size_t *packed_size, size_t *workspace_size) {
    CHECK_OK(dcn_plan_packed_weight_size(r->plan, pass, packed_size));
    CHECK_OK(dcn_plan_workspace_size(r->plan, pass, workspace_size));
    r->packed[pass] = malloc(*packed_size);
    r->workspace[pass] = malloc(*workspace_size);
    CHECK(r->packed[pass] != NULL && r->workspace[pass] != NULL);
    dcn_pack_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    args.pass = pass;
    args.weight = r->f.weight;
    args.packed = r->packed[pass];
    args.packed_size = *packed_size;
    CHECK_OK(dcn_plan_pack_weight(r->plan, &args));
}

static inline float *ready_gradient(size_t elements) {
    float *gradient = (float *)malloc(elements * sizeof(float));
    CHECK(gradient != NULL);
    return gradient;
}

/* Takes the fixture. A NULL context is the default one. */
static inline ready ready_new(const dcn_context *context, fixture f) {
    ready r;
    memset(&r, 0, sizeof r);
    f.problem.passes = 0; /* both */
    r.f = f;
    CHECK_OK(dcn_plan_create(context, &f.problem, &r.plan));

    r.forward = fixture_args(&f);
    r.forward.weight = NULL;
    ready_pass(&r, DCN_PASS_FORWARD, &r.forward.packed_weight_size, &r.forward.workspace_size);
    r.forward.packed_weight = r.packed[DCN_PASS_FORWARD];
    r.forward.workspace = r.workspace[DCN_PASS_FORWARD];

    dcn_backward_args *b = &r.backward;
    b->struct_size = sizeof *b;
    b->x = f.x, b->offset = f.offset, b->mask = f.mask, b->grad_y = f.y;
    ready_pass(&r, DCN_PASS_BACKWARD, &b->packed_weight_size, &b->workspace_size);
    b->packed_weight = r.packed[DCN_PASS_BACKWARD];
    b->workspace = r.workspace[DCN_PASS_BACKWARD];
    const size_t lengths[5] = {f.x_len, f.offset_len, f.mask_len, f.weight_len, f.bias_len};
    for (int i = 0; i < 5; i++)
        r.grads[i] = ready_gradient(lengths[i]);
    b->grad_x = r.grads[0], b->grad_offset = r.grads[1], b->grad_mask = r.grads[2];
    b->grad_weight = r.grads[3], b->grad_bias = r.grads[4];
    return r;
}

/* A forward run, then a backward one. */
static inline void ready_run(const ready *r) {
    CHECK_OK(dcn_plan_forward(r->plan, &r->forward));
    CHECK_OK(dcn_plan_backward(r->plan, &r->backward));
}

static inline void ready_free(ready *r) {
    dcn_plan_destroy(r->plan);
    for (int pass = 0; pass < 2; pass++) {
        free(r->packed[pass]);
        free(r->workspace[pass]);
    }
    for (int i = 0; i < 5; i++)
        free(r->grads[i]);
    fixture_free(&r->f);
}

#endif
