/* The host's executor: serial, reversed, concurrent, failing at the n-th call, and lying. The bits stay the same,
   and the library starts no thread of its own. */
#include "check.h"
#include "fixture.h"
#include "reference.h"
#include "thread_count.h"

#include <pthread.h>
#include <stdatomic.h>

#define CONCURRENCY 4

typedef void task_function(void *arg, size_t i);
typedef int32_t order(size_t n, task_function *task, void *arg);

typedef struct host {
    order *run;
    atomic_size_t calls, widest;
    atomic_size_t lied_at; /* number of the first call with more than one task */
    size_t fail_at;        /* number of the call that fails, counted from 1; 0 = none */
    int runs_before_fail;  /* whether a failing call runs its tasks all the same */
} host;

static fixture f;
static const float *expected;

static int32_t serial(size_t n, task_function *task, void *arg) {
    for (size_t i = 0; i < n; i++)
        task(arg, i);
    return 0;
}

static int32_t reversed(size_t n, task_function *task, void *arg) {
    for (size_t i = n; i-- > 0;)
        task(arg, i);
    return 0;
}

typedef struct job {
    task_function *task;
    void *arg;
    size_t i;
} job;

static void *run_job(void *ctx) {
    job *j = (job *)ctx;
    j->task(j->arg, j->i);
    return NULL;
}

static int32_t concurrent(size_t n, task_function *task, void *arg) {
    pthread_t threads[CONCURRENCY];
    job jobs[CONCURRENCY];
    CHECK(n <= CONCURRENCY);
    for (size_t i = 0; i < n; i++) {
        job j = {task, arg, i};
        jobs[i] = j;
        CHECK(pthread_create(&threads[i], NULL, run_job, &jobs[i]) == 0);
    }
    for (size_t i = 0; i < n; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}

/* The liars are honest about a single task, of which most lies are the truth. */
static int32_t nothing(size_t n, task_function *task, void *arg) { return n == 1 ? serial(n, task, arg) : 0; }

static int32_t all_but_the_last(size_t n, task_function *task, void *arg) {
    return serial(n == 1 ? n : n - 1, task, arg);
}

static int32_t all_but_the_first(size_t n, task_function *task, void *arg) {
    for (size_t i = n == 1 ? 0 : 1; i < n; i++)
        task(arg, i);
    return 0;
}

static int32_t twice(size_t n, task_function *task, void *arg) {
    if (n > 1)
        serial(n, task, arg);
    return serial(n, task, arg);
}

static int32_t always_the_first(size_t n, task_function *task, void *arg) {
    for (size_t i = 0; i < n; i++)
        task(arg, 0);
    return 0;
}

static int32_t out_of_range(size_t n, task_function *task, void *arg) {
    serial(n - 1, task, arg);
    task(arg, n == 1 ? 0 : n + 1000000);
    return 0;
}

static task_function *kept_task;
static void *kept_arg;

static int32_t keep_for_later(size_t n, task_function *task, void *arg) {
    kept_task = task;
    kept_arg = arg;
    return serial(n, task, arg);
}

static int32_t parallel_for(void *ctx, size_t n, task_function *task, void *arg) {
    host *h = (host *)ctx;
    size_t call = atomic_fetch_add(&h->calls, 1) + 1;
    CHECK(n >= 1 && n <= CONCURRENCY);
    if (n > atomic_load(&h->widest))
        atomic_store(&h->widest, n);
    if (n > 1 && atomic_load(&h->lied_at) == 0)
        atomic_store(&h->lied_at, call);
    if (call != h->fail_at)
        return h->run(n, task, arg);
    if (h->runs_before_fail)
        h->run(n, task, arg);
    return 3;
}

static dcn_status run(const dcn_plan *plan) {
    float *y = fresh_y(&f);
    dcn_forward_args args = fixture_args(&f);
    args.y = y;
    dcn_status status = dcn_plan_forward(plan, &args);
    CHECK(status != DCN_OK || same_bits(&f, y, expected));
    free(y);
    return status;
}

static dcn_plan *plan_on(host *h, order *how, dcn_context **context) {
    memset(h, 0, sizeof *h);
    h->run = how;
    dcn_context_config config = config_default();
    config.num_threads = 2; /* an executor overrides it */
    config.executor.ctx = h;
    config.executor.concurrency = CONCURRENCY;
    config.executor.parallel_for = parallel_for;
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_context_create(&config, context));
    CHECK_OK(dcn_plan_create(*context, &f.problem, &plan));
    return plan;
}

static void honest(order *how) {
    int threads = threads_of_this_process();
    host h;
    dcn_context *context = NULL;
    dcn_plan *plan = plan_on(&h, how, &context);
    CHECK_OK(run(plan));
    CHECK_OK(run(plan));
    CHECK(atomic_load(&h.widest) == CONCURRENCY);
    dcn_plan_info info;
    info.struct_size = sizeof info;
    CHECK_OK(dcn_plan_get_info(plan, &info));
    CHECK(info.max_tasks >= atomic_load(&h.widest) && info.max_tasks <= CONCURRENCY);
    CHECK(threads_come_down_to(threads));
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
}

static void failing(int runs_before_fail) {
    host h;
    dcn_context *context = NULL;
    dcn_plan *plan = plan_on(&h, serial, &context);
    CHECK_OK(run(plan));
    size_t calls = atomic_load(&h.calls);
    CHECK(calls > 0);
    for (size_t n = 1; n <= calls; n++) {
        atomic_store(&h.calls, 0);
        h.fail_at = n;
        h.runs_before_fail = runs_before_fail;
        CHECK_STATUS(DCN_ERROR_EXECUTOR, run(plan));
        CHECK(message_has("3"));
        CHECK(atomic_load(&h.calls) == n); /* nothing more is started after a failure */
        h.fail_at = 0;
        CHECK_OK(run(plan)); /* the plan works on */
    }
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
}

static void lying(order *how) {
    host h;
    dcn_context *context = NULL;
    dcn_plan *plan = plan_on(&h, how, &context);
    CHECK_STATUS(DCN_ERROR_EXECUTOR, run(plan));
    CHECK(atomic_load(&h.lied_at) > 0);
    CHECK(atomic_load(&h.calls) == atomic_load(&h.lied_at)); /* nothing more is started after a lie */
    h.run = serial;
    CHECK_OK(run(plan));
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
}

/* A task that comes too late, after its call and after its plan, finds nothing to do. */
static void too_late(void) {
    host h;
    dcn_context *context = NULL;
    dcn_plan *plan = plan_on(&h, keep_for_later, &context);
    CHECK_OK(run(plan));
    kept_task(kept_arg, 0);
    CHECK_OK(run(plan));
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
    kept_task(kept_arg, 1);
}

static void *run_on_thread(void *plan) {
    for (int i = 0; i < 3; i++)
        CHECK_OK(run((const dcn_plan *)plan));
    return NULL;
}

/* parallel_for is called from several threads at once. */
static void from_several_threads(void) {
    host h;
    dcn_context *context = NULL;
    dcn_plan *plan = plan_on(&h, concurrent, &context);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, run_on_thread, plan) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
}

int main(void) {
    f = fixture_large();
    int threads = threads_of_this_process(); /* an emulator has some of its own */
    float *reference = reference_y(&f);
    expected = reference;
    CHECK(threads_come_down_to(threads)); /* num_threads = 1 starts none either */
    honest(serial);
    honest(reversed);
    honest(concurrent);
    failing(0);
    failing(1);
    lying(nothing);
    lying(all_but_the_last);
    lying(all_but_the_first);
    lying(twice);
    lying(always_the_first);
    lying(out_of_range);
    too_late();
    from_several_threads();
    free(reference);
    fixture_free(&f);
    return 0;
}
