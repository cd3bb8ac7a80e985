/* clock_gettime */
#define _POSIX_C_SOURCE 199309L

#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device.h"
#include "numbers.h"

double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static void check(const char *call, dcn_status status) {
    if (status == DCN_OK) return;
    char message[2048];
    dcn_last_error_message(message, sizeof message);
    printf("FAILED: %s: %s: %s\n", call, dcn_status_string(status), message);
    exit(1);
}

static size_t bytes(const shape *s, size_t count) { return count * number_size(s->dtype); }

static int has(const tensors *t, int gradient) {
    return gradient == GRAD_BIAS || t->count[gradient_like(gradient)] > 0;
}

static size_t gradient_bytes(const shape *s, const tensors *t, int gradient) {
    return bytes(s, gradient == GRAD_BIAS ? (size_t)s->o : t->count[gradient_like(gradient)]);
}

static results results_new(const shape *s, const tensors *t) {
    results r;
    memset(&r, 0, sizeof r);
    r.y = calloc(1, bytes(s, shape_count_y(s)));
    for (int i = 0; i < GRADIENTS; i++) {
        if (has(t, i)) r.gradients[i] = calloc(1, gradient_bytes(s, t, i));
    }
    return r;
}

void results_free(results *r) {
    free(r->y);
    for (int i = 0; i < GRADIENTS; i++) free(r->gradients[i]);
}

static dcn_forward_args forward_args(void *const *in, void *y, void *workspace, size_t size, void *stream) {
    dcn_forward_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    args.x = in[X], args.offset = in[OFFSET], args.mask = in[MASK], args.weight = in[WEIGHT], args.bias = in[BIAS];
    args.y = y;
    args.workspace = workspace, args.workspace_size = size, args.stream = stream;
    return args;
}

static dcn_backward_args backward_args(void *const *in, void *const *out, void *workspace, size_t size, void *stream) {
    dcn_backward_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    args.x = in[X], args.offset = in[OFFSET], args.mask = in[MASK], args.weight = in[WEIGHT], args.grad_y = in[GRAD_Y];
    args.grad_x = out[GRAD_X], args.grad_offset = out[GRAD_OFFSET], args.grad_mask = out[GRAD_MASK];
    args.grad_weight = out[GRAD_WEIGHT], args.grad_bias = out[GRAD_BIAS];
    args.workspace = workspace, args.workspace_size = size, args.stream = stream;
    return args;
}

static dcn_plan *plan_for(const shape *s, dcn_backend backend) {
    const dcn_problem problem = shape_problem(s, backend);
    dcn_plan *plan = NULL;
    check("dcn_plan_create", dcn_plan_create(NULL, &problem, &plan));
    return plan;
}

results run_cpu(const shape *s, const tensors *t) {
    results r = results_new(s, t);
    dcn_plan *plan = plan_for(s, DCN_BACKEND_CPU);
    const dcn_forward_args forward = forward_args(t->data, r.y, NULL, 0, NULL);
    check("dcn_plan_forward on the CPU", dcn_plan_forward(plan, &forward));
    const dcn_backward_args backward = backward_args(t->data, r.gradients, NULL, 0, NULL);
    check("dcn_plan_backward on the CPU", dcn_plan_backward(plan, &backward));
    dcn_plan_destroy(plan);
    return r;
}

static size_t workspace_size(const dcn_plan *plan, dcn_pass pass) {
    size_t size;
    check("dcn_plan_workspace_size", dcn_plan_workspace_size(plan, pass, &size));
    return size;
}

results run_ascend(const shape *s, const tensors *t, int repeats, double milliseconds[2]) {
    results r = results_new(s, t);
    dcn_plan *plan = plan_for(s, DCN_BACKEND_ASCEND);
    void *in[INPUTS], *out[GRADIENTS];
    for (int i = 0; i < INPUTS; i++) {
        in[i] = device_new(bytes(s, t->count[i]));
        device_upload(in[i], t->data[i], bytes(s, t->count[i]));
    }
    for (int i = 0; i < GRADIENTS; i++) out[i] = has(t, i) ? device_new(gradient_bytes(s, t, i)) : NULL;
    void *y = device_new(bytes(s, shape_count_y(s)));
    const size_t forward_size = workspace_size(plan, DCN_PASS_FORWARD);
    const size_t backward_size = workspace_size(plan, DCN_PASS_BACKWARD);
    const size_t size = forward_size > backward_size ? forward_size : backward_size;
    void *workspace = device_new(size);

    const dcn_forward_args forward = forward_args(in, y, workspace, size, device_stream());
    const dcn_backward_args backward = backward_args(in, out, workspace, size, device_stream());
    for (int pass = 0; pass < 2; pass++) {
        double start = 0;
        /* The first run, which the device is not warm for, does not count. */
        for (int i = 0; i <= repeats; i++) {
            if (i == 1) device_synchronise(), start = now();
            check("a pass on the device", pass == 0 ? dcn_plan_forward(plan, &forward) : dcn_plan_backward(plan, &backward));
        }
        device_synchronise();
        milliseconds[pass] = repeats > 0 ? (now() - start) / repeats : 0;
    }
    device_download(r.y, y, bytes(s, shape_count_y(s)));
    for (int i = 0; i < GRADIENTS; i++) {
        if (out[i] != NULL) device_download(r.gradients[i], out[i], gradient_bytes(s, t, i));
        device_free(out[i]);
    }
    for (int i = 0; i < INPUTS; i++) device_free(in[i]);
    device_free(y);
    device_free(workspace);
    dcn_plan_destroy(plan);
    return r;
}
