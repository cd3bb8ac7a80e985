/* A thread that cannot start is DCN_ERROR_OUT_OF_MEMORY; those that did start end, and the next attempt works. */
#include "check.h"
#include "fixture.h"
#include "thread_count.h"

#include <sys/resource.h>

#define MEGABYTE ((size_t)1 << 20)

static size_t address_space(void) {
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    CHECK(statm != NULL && fscanf(statm, "%lu", &pages) == 1);
    fclose(statm);
    return pages * 4096;
}

int main(void) {
    struct rlimit before, limit;
    CHECK(getrlimit(RLIMIT_AS, &before) == 0);
    limit = before;
    limit.rlim_cur = address_space() + 96 * MEGABYTE;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    dcn_context_config config = config_default();
    config.num_threads = 2000;
    dcn_context *context = (dcn_context *)(void *)&config;
    dcn_status status = dcn_context_create(&config, &context);
    CHECK(setrlimit(RLIMIT_AS, &before) == 0);
    CHECK_STATUS(DCN_ERROR_OUT_OF_MEMORY, status);
    CHECK(message_has("thread"));
    CHECK(context == NULL);
    CHECK(threads_of_this_process() == 1);

    config.num_threads = 3;
    fixture f = fixture_large();
    dcn_forward_args args = fixture_args(&f);
    CHECK_OK(dcn_context_create(&config, &context));
    CHECK_OK(dcn_modulated_deform_conv2d(context, &f.problem, &args));
    dcn_context_destroy(context);
    CHECK(threads_of_this_process() == 1);
    fixture_free(&f);
    return 0;
}
