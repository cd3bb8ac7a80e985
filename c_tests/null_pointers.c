/* NULL for every pointer of every function and of every argument struct. */
#include "check.h"
#include "fixture.h"

static void handles_and_structs(const fixture *f, dcn_context *context, dcn_plan *plan) {
    dcn_context_destroy(NULL);
    dcn_plan_destroy(NULL);
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_context_create(NULL, NULL));

    dcn_tensor_desc y;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_output_shape(NULL, &y));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_output_shape(&f->problem, NULL));

    dcn_plan *none = NULL;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_create(context, NULL, &none));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_create(context, &f->problem, NULL));

    dcn_plan_info info;
    info.struct_size = sizeof info;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_get_info(NULL, &info));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_get_info(plan, NULL));
    size_t bytes;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_workspace_size(NULL, DCN_PASS_FORWARD, &bytes));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_workspace_size(plan, DCN_PASS_FORWARD, NULL));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_packed_weight_size(NULL, DCN_PASS_FORWARD, &bytes));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_packed_weight_size(plan, DCN_PASS_FORWARD, NULL));

    dcn_forward_args forward = fixture_args(f);
    dcn_backward_args backward;
    memset(&backward, 0, sizeof backward);
    backward.struct_size = sizeof backward;
    dcn_pack_args pack;
    memset(&pack, 0, sizeof pack);
    pack.struct_size = sizeof pack;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_forward(NULL, &forward));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_forward(plan, NULL));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_backward(NULL, &backward));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_backward(plan, NULL));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_pack_weight(NULL, &pack));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_pack_weight(plan, NULL));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_modulated_deform_conv2d(context, NULL, &forward));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_modulated_deform_conv2d(context, &f->problem, NULL));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_modulated_deform_conv2d_backward(context, NULL, &backward));
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_modulated_deform_conv2d_backward(context, &f->problem, NULL));
    CHECK(dcn_last_error_message(NULL, 0) > 0);
    CHECK_OK(dcn_backend_status(DCN_BACKEND_CPU, NULL, 0));
    CHECK_OK(dcn_backend_status(DCN_BACKEND_CPU, NULL, 10));
}

/* A described tensor's pointer must not be NULL. */
static void forward_tensors(const fixture *f, const dcn_plan *plan) {
    static const char *const names[] = {"x", "offset", "mask", "weight", "bias", "y"};
    float *y = fresh_y(f);
    for (int i = 0; i < 6; i++) {
        dcn_forward_args args = fixture_args(f);
        args.y = y;
        const void **inputs[] = {&args.x, &args.offset, &args.mask, &args.weight, &args.bias};
        if (i < 5)
            *inputs[i] = NULL;
        else
            args.y = NULL;
        CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_forward(plan, &args));
        CHECK(message_has(names[i]));
        CHECK(is_untouched(f, y));
    }
    free(y);
}

/* An absent tensor's pointer must be NULL, and so must the stream on the CPU. */
static void must_be_null(const fixture *f, const dcn_context *context) {
    dcn_problem p = f->problem;
    memset(&p.mask, 0, sizeof p.mask);
    memset(&p.bias, 0, sizeof p.bias);
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(context, &p, &plan));
    dcn_forward_args args = fixture_args(f);
    args.bias = NULL;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_forward(plan, &args));
    CHECK(message_has("mask"));
    args = fixture_args(f);
    args.mask = NULL;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_forward(plan, &args));
    CHECK(message_has("bias"));
    args.bias = NULL;
    args.stream = &args;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_forward(plan, &args));
    CHECK(message_has("stream"));
    args.stream = NULL;
    CHECK_OK(dcn_plan_forward(plan, &args));
    dcn_plan_destroy(plan);
}

static void pack_weight(const fixture *f, const dcn_plan *plan) {
    dcn_pack_args args;
    memset(&args, 0, sizeof args);
    args.struct_size = sizeof args;
    args.pass = DCN_PASS_FORWARD;
    CHECK_OK(dcn_plan_packed_weight_size(plan, DCN_PASS_FORWARD, &args.packed_size));
    CHECK(args.packed_size > 0);
    args.weight = f->weight;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_pack_weight(plan, &args));
    CHECK(message_has("packed"));
    void *packed = args.packed = malloc(args.packed_size);
    CHECK(packed != NULL);
    args.weight = NULL;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_pack_weight(plan, &args));
    CHECK(message_has("weight"));
    args.weight = f->weight;
    args.stream = &args;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_pack_weight(plan, &args));
    args.stream = NULL;
    CHECK_OK(dcn_plan_pack_weight(plan, &args));
    free(packed);
}

/* Tensors without elements may be NULL: all but the weights where N = 0. */
static void without_elements(const dcn_context *context) {
    fixture f = fixture_new(0, 3, 5, 5, 2, 1);
    dcn_forward_args args = fixture_args(&f);
    args.x = args.offset = args.mask = args.y = NULL;
    CHECK_OK(dcn_modulated_deform_conv2d(context, &f.problem, &args));
    args.weight = NULL;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_modulated_deform_conv2d(context, &f.problem, &args));
    fixture_free(&f);
}

int main(void) {
    fixture f = fixture_small();
    dcn_context *context = NULL;
    CHECK_OK(dcn_context_create(NULL, &context));
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(context, &f.problem, &plan));
    handles_and_structs(&f, context, plan);
    forward_tensors(&f, plan);
    must_be_null(&f, context);
    pack_weight(&f, plan);
    without_elements(context);
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &plan)); /* the process-wide default context */
    dcn_plan_destroy(plan);
    fixture_free(&f);
    return 0;
}
