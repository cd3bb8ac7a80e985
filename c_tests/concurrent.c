/* One plan runs on many threads at once, each with its own outputs, with and without a workspace of its own. */
#include "check.h"
#include "fixture.h"
#include "reference.h"

#include <pthread.h>

#define THREADS 8
#define RUNS (IS_REDUCED ? 2 : 4)

static fixture f;
static const dcn_plan *shared_plan;
static const float *expected;

static void *run_many(void *own_workspace) {
    size_t bytes = 0;
    CHECK_OK(dcn_plan_workspace_size(shared_plan, DCN_PASS_FORWARD, &bytes));
    dcn_forward_args args = fixture_args(&f);
    if (own_workspace != NULL) {
        args.workspace = malloc(bytes);
        args.workspace_size = bytes;
    }
    for (int run = 0; run < RUNS; run++) {
        float *y = fresh_y(&f);
        args.y = y;
        CHECK_OK(dcn_plan_forward(shared_plan, &args));
        CHECK(same_bits(&f, y, expected));
        free(y);
    }
    free(args.workspace);
    return NULL;
}

static void *use_default_context(void *unused) {
    dcn_forward_args args = fixture_args(&f);
    float *y = fresh_y(&f);
    args.y = y;
    CHECK_OK(dcn_modulated_deform_conv2d(NULL, &f.problem, &args));
    CHECK(same_bits(&f, y, expected));
    free(y);
    return unused;
}

static void on_threads(void *(*body)(void *)) {
    static char yes;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, body, i % 2 ? &yes : NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void) {
    static const int32_t num_threads[] = {1, 3};
    f = fixture_large();
    float *reference = reference_y(&f);
    expected = reference;
    on_threads(use_default_context); /* the first use of the default context is concurrent too */
    for (size_t i = 0; i < 2; i++) {
        dcn_context_config config = config_default();
        config.num_threads = num_threads[i];
        dcn_context *context = NULL;
        dcn_plan *plan = NULL;
        CHECK_OK(dcn_context_create(&config, &context));
        CHECK_OK(dcn_plan_create(context, &f.problem, &plan));
        shared_plan = plan;
        on_threads(run_many);
        dcn_plan_destroy(plan);
        dcn_context_destroy(context);
    }
    free(reference);
    fixture_free(&f);
    return 0;
}
