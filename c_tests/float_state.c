/* Results do not depend on the floating-point state of the threads that compute them, and that state is left as it was:
   rounding direction, and on x86 the treatment of subnormals. */
#include "check.h"
#include "fixture.h"
#include "reference.h"

#include <fenv.h>
#include <pthread.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static fixture f;
static const float *expected;

static const int directions[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

static void set_state(int direction) {
    CHECK(fesetround(direction) == 0);
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
#endif
}

static void check_state(int direction) {
    CHECK(fegetround() == direction);
#if defined(__x86_64__)
    CHECK((_mm_getcsr() & 0x8040) == 0x8040);
#endif
}

typedef struct job {
    void (*task)(void *arg, size_t i);
    void *arg;
    size_t i;
    int direction;
} job;

static void *run_job(void *ctx) {
    job *j = (job *)ctx;
    set_state(j->direction);
    j->task(j->arg, j->i);
    check_state(j->direction);
    return NULL;
}

/* Every thread has another state. */
static int32_t parallel_for(void *ctx, size_t n, void (*task)(void *arg, size_t i), void *arg) {
    pthread_t threads[4];
    job jobs[4];
    (void)ctx;
    CHECK(n <= 4);
    for (size_t i = 0; i < n; i++) {
        job j = {task, arg, i, directions[i]};
        jobs[i] = j;
        CHECK(pthread_create(&threads[i], NULL, run_job, &jobs[i]) == 0);
    }
    for (size_t i = 0; i < n; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}

static void with(const dcn_context_config *config) {
    dcn_context *context = NULL;
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_context_create(config, &context));
    CHECK_OK(dcn_plan_create(context, &f.problem, &plan));
    for (int i = 0; i < 4; i++) {
        float *y = fresh_y(&f);
        dcn_forward_args args = fixture_args(&f);
        args.y = y;
        set_state(directions[i]);
        CHECK_OK(dcn_plan_forward(plan, &args));
        check_state(directions[i]);
        CHECK(fesetenv(FE_DFL_ENV) == 0);
        CHECK(same_bits(&f, y, expected));
        free(y);
    }
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
}

int main(void) {
    f = fixture_large();
    for (size_t i = 0; i < f.x_len; i += 3)
        f.x[i] *= 1e-38f; /* some products and sums are subnormal */
    memset(f.bias, 0, f.bias_len * sizeof *f.bias);
    for (size_t i = 0; i < f.weight_len; i++)
        f.weight[i] *= i % 2 ? 1.0f : 1e-3f;
    float *reference = reference_y(&f);
    expected = reference;
    dcn_context_config config = config_default();
    config.num_threads = 1;
    with(&config);
    config.num_threads = 3;
    with(&config);
    config.executor.concurrency = 4;
    config.executor.parallel_for = parallel_for;
    with(&config);
    free(reference);
    fixture_free(&f);
    return 0;
}
