/* DCN_MAX_ISA and DCN_NUM_THREADS; explicit configuration wins over both. */
#include "check.h"
#include "fixture.h"

static fixture f;

static dcn_plan_info info_of(const dcn_context_config *config) {
    dcn_context *context = NULL;
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_context_create(config, &context));
    CHECK_OK(dcn_plan_create(context, &f.problem, &plan));
    dcn_plan_info info;
    info.struct_size = sizeof info;
    CHECK_OK(dcn_plan_get_info(plan, &info));
    dcn_forward_args args = fixture_args(&f);
    CHECK_OK(dcn_plan_forward(plan, &args));
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
    return info; /* its strings are static */
}

static void instruction_sets(void) {
    dcn_context_config config = config_default();
    CHECK(unsetenv("DCN_MAX_ISA") == 0);
    dcn_plan_info best = info_of(&config);
    printf("best instruction set here: %s, kernel %s\n", best.isa, best.forward_kernel);
    CHECK(setenv("DCN_MAX_ISA", "scalar", 1) == 0);
    CHECK(strcmp(info_of(&config).isa, "scalar") == 0);
    CHECK(strcmp(info_of(NULL).isa, "scalar") == 0);
    config.max_isa = best.isa;
    CHECK(strcmp(info_of(&config).isa, best.isa) == 0);
    config.max_isa = NULL;
    CHECK(setenv("DCN_MAX_ISA", "fastest", 1) == 0);
    dcn_context *context = NULL;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_context_create(&config, &context));
    CHECK(message_has("DCN_MAX_ISA"));
    dcn_plan *plan = NULL; /* the default context cannot be made, until the variable is right */
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_plan_create(NULL, &f.problem, &plan));
    CHECK(message_has("DCN_MAX_ISA") && plan == NULL);
    CHECK(unsetenv("DCN_MAX_ISA") == 0);
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &plan));
    dcn_plan_destroy(plan);
    config.max_isa = "scalar";
    CHECK(strcmp(info_of(&config).isa, "scalar") == 0);
}

static void thread_counts(void) {
    dcn_context_config config = config_default();
    CHECK(setenv("DCN_NUM_THREADS", "1", 1) == 0);
    CHECK(info_of(&config).max_tasks == 1);
    config.num_threads = 3;
    CHECK(info_of(&config).max_tasks == 3);
    config.num_threads = 0;
    CHECK(setenv("DCN_NUM_THREADS", "many", 1) == 0);
    dcn_context *context = NULL;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_context_create(&config, &context));
    CHECK(message_has("DCN_NUM_THREADS"));
    CHECK(unsetenv("DCN_NUM_THREADS") == 0);
}

int main(void) {
    f = fixture_large();
    instruction_sets();
    thread_counts();
    fixture_free(&f);
    return 0;
}
