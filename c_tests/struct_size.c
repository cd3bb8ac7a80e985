/* Structs that grow: each with struct_size 0, short, exact, long with zeros, and long with something else. */
#include "check.h"
#include "fixture.h"

#define EXTRA 64

static fixture f;
static dcn_plan *plan;
static void *packed;

typedef dcn_status call(void *args);

static dcn_status create_context(void *config) {
    dcn_context *context = NULL;
    dcn_status status = dcn_context_create((const dcn_context_config *)config, &context);
    CHECK((status == DCN_OK) == (context != NULL));
    dcn_context_destroy(context);
    return status;
}

static dcn_status create_plan(void *problem) {
    dcn_plan *made = NULL;
    dcn_status status = dcn_plan_create(NULL, (const dcn_problem *)problem, &made);
    CHECK((status == DCN_OK) == (made != NULL));
    dcn_plan_destroy(made);
    return status;
}

static dcn_status output_shape(void *problem) {
    dcn_tensor_desc y;
    return dcn_output_shape((const dcn_problem *)problem, &y);
}

static dcn_status forward(void *args) { return dcn_plan_forward(plan, (const dcn_forward_args *)args); }
static dcn_status backward(void *args) { return dcn_plan_backward(plan, (const dcn_backward_args *)args); }
static dcn_status pack(void *args) { return dcn_plan_pack_weight(plan, (const dcn_pack_args *)args); }
static dcn_status get_info(void *info) { return dcn_plan_get_info(plan, (dcn_plan_info *)info); }

static dcn_status with(call *function, const void *args, size_t size, size_t struct_size, size_t nonzero_at) {
    static union {
        size_t aligned;
        unsigned char bytes[4096];
    } at;
    CHECK(size + EXTRA < sizeof at.bytes);
    memset(at.bytes, 0, sizeof at.bytes);
    memcpy(at.bytes, args, size);
    memcpy(at.bytes, &struct_size, sizeof struct_size);
    if (nonzero_at != 0)
        at.bytes[nonzero_at] = 1;
    return function(at.bytes);
}

/* `accepted` is what the call gives where the size is in order. */
static void sizes(call *function, const void *args, size_t size, dcn_status accepted) {
    static const size_t too_short[] = {0, 1, sizeof(size_t), 16};
    for (size_t i = 0; i < sizeof too_short / sizeof *too_short; i++) {
        CHECK_STATUS(DCN_ERROR_STRUCT_SIZE, with(function, args, size, too_short[i], 0));
        CHECK(message_has("struct_size"));
    }
    CHECK_STATUS(DCN_ERROR_STRUCT_SIZE, with(function, args, size, size - 1, 0));
    CHECK_STATUS(accepted, with(function, args, size, size, 0));
    CHECK_STATUS(accepted, with(function, args, size, size, size)); /* beyond the struct: not read */
    CHECK_STATUS(accepted, with(function, args, size, size + 1, 0));
    CHECK_STATUS(accepted, with(function, args, size, size + EXTRA, 0));
}

static void input(call *function, const void *args, size_t size, dcn_status accepted) {
    sizes(function, args, size, accepted);
    CHECK_STATUS(DCN_ERROR_STRUCT_SIZE, with(function, args, size, size + 1, size));
    CHECK_STATUS(DCN_ERROR_STRUCT_SIZE, with(function, args, size, size + EXTRA, size + EXTRA - 1));
    CHECK(message_has("struct_size"));
}

/* An output struct keeps its struct_size, and no byte beyond what both sides know is written. */
static void output(void) {
    struct {
        dcn_plan_info info;
        unsigned char beyond[EXTRA];
    } o;
    memset(&o, 0xa5, sizeof o);
    o.info.struct_size = sizeof o.info;
    CHECK_OK(dcn_plan_get_info(plan, &o.info));
    CHECK(o.info.struct_size == sizeof o.info);
    CHECK(o.info.isa != NULL && o.info.isa[0] != 0);
    CHECK(all_bytes(o.beyond, EXTRA, 0xa5));

    memset(&o, 0, sizeof o);
    o.info.struct_size = sizeof o;
    CHECK_OK(dcn_plan_get_info(plan, &o.info));
    CHECK(o.info.struct_size == sizeof o);
    CHECK(all_bytes(o.beyond, EXTRA, 0));

    memset(&o, 0xa5, sizeof o);
    o.info.struct_size = sizeof o.info - 1;
    CHECK_STATUS(DCN_ERROR_STRUCT_SIZE, dcn_plan_get_info(plan, &o.info));
    CHECK(all_bytes((unsigned char *)&o + sizeof(size_t), sizeof o - sizeof(size_t), 0xa5));
}

int main(void) {
    f = fixture_small();
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &plan));

    dcn_context_config config = config_default();
    config.num_threads = 1;
    input(create_context, &config, sizeof config, DCN_OK);
    input(create_plan, &f.problem, sizeof f.problem, DCN_OK);
    input(output_shape, &f.problem, sizeof f.problem, DCN_OK);

    dcn_forward_args forward_args = fixture_args(&f);
    input(forward, &forward_args, sizeof forward_args, DCN_OK);

    dcn_backward_args backward_args;
    memset(&backward_args, 0, sizeof backward_args);
    input(backward, &backward_args, sizeof backward_args, DCN_ERROR_UNSUPPORTED); /* the plan is for the forward pass */

    dcn_pack_args pack_args;
    memset(&pack_args, 0, sizeof pack_args);
    CHECK_OK(dcn_plan_packed_weight_size(plan, DCN_PASS_FORWARD, &pack_args.packed_size));
    packed = malloc(pack_args.packed_size);
    CHECK(packed != NULL);
    pack_args.packed = packed;
    pack_args.weight = f.weight;
    input(pack, &pack_args, sizeof pack_args, DCN_OK);

    dcn_plan_info info;
    memset(&info, 0, sizeof info);
    sizes(get_info, &info, sizeof info, DCN_OK);
    output();

    free(packed);
    dcn_plan_destroy(plan);
    fixture_free(&f);
    return 0;
}
