/* After a fork the child runs the parent's plans again, on an own pool and on the default context, and so does its own
   child; the parent works on. */
#include "check.h"
#include "fixture.h"
#include "reference.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 30

static fixture f;
static const float *expected;

static void run(const dcn_plan *plan) {
    float *y = fresh_y(&f);
    dcn_forward_args args = fixture_args(&f);
    args.y = y;
    CHECK_OK(dcn_plan_forward(plan, &args));
    CHECK(same_bits(&f, y, expected));
    free(y);
}

static void *run_on_thread(void *plan) {
    run((const dcn_plan *)plan);
    return NULL;
}

static void run_everything(dcn_plan *const plans[2]) {
    for (int i = 0; i < 2; i++) {
        run(plans[i]);
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, run_on_thread, plans[i]) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    dcn_plan *fresh = NULL;
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &fresh));
    run(fresh);
    dcn_plan_destroy(fresh);
}

/* A hang ends by the alarm, and its parent sees that. */
static void fork_and_run(dcn_plan *const plans[2], int depth) {
    if (depth == 0)
        return;
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        run_everything(plans);
        fork_and_run(plans, depth - 1);
        dcn_plan_destroy(plans[1]);
        dcn_plan_destroy(plans[0]);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
    f = fixture_large();
    float *reference = reference_y(&f);
    expected = reference;
    dcn_context_config config = config_default();
    config.num_threads = 3;
    dcn_context *context = NULL;
    dcn_plan *plans[2] = {NULL, NULL};
    CHECK_OK(dcn_context_create(&config, &context));
    CHECK_OK(dcn_plan_create(context, &f.problem, &plans[0]));
    CHECK_OK(dcn_plan_create(NULL, &f.problem, &plans[1]));
    fork_and_run(plans, 1); /* before the pools have run anything */
    run_everything(plans);
    fork_and_run(plans, 2);
    fork_and_run(plans, 1);
    run_everything(plans);
    dcn_plan_destroy(plans[1]);
    dcn_plan_destroy(plans[0]);
    dcn_context_destroy(context);
    free(reference);
    fixture_free(&f);
    return 0;
}
