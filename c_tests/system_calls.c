/* Runs between pairs of getppid, for a tracer to look at what the calling thread asks of the system in between: on the
   benchmark case `small` with one thread nothing; in the default context, on a problem too small for its pool, nothing;
   on one for a pool something, or the tracer is blind. */
#include "ready.h"

#include <unistd.h>

static void between_marks(const ready *r, int runs) {
    getppid();
    for (int run = 0; run < runs; run++)
        ready_run(r);
    getppid();
}

static void in_context(int32_t num_threads, fixture f, int runs) {
    dcn_context_config config = config_default();
    config.num_threads = num_threads;
    dcn_context *context = NULL;
    if (num_threads != 0)
        CHECK_OK(dcn_context_create(&config, &context));
    ready r = ready_new(context, f);
    between_marks(&r, runs);
    ready_free(&r);
    dcn_context_destroy(context);
}

int main(void) {
    in_context(1, fixture_new(1, 64, 32, 32, 64, 1), 100);
    in_context(0, fixture_new(1, 64, 8, 8, 64, 1), 100);
    in_context(2, fixture_large(), 1);
    return 0;
}
