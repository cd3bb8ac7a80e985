/* A plan keeps what it needs of its context alive; destroying the last of them ends its threads and gives all memory
   back. */
#include "allocator.h"
#include "check.h"
#include "fixture.h"
#include "reference.h"
#include "thread_count.h"

#define ROUNDS (IS_REDUCED ? 2 : 20)

static counting_allocator memory;

int main(void) {
    fixture f = fixture_large();
    float *expected = reference_y(&f), *y = fresh_y(&f);
    dcn_forward_args args = fixture_args(&f);
    args.y = y;
    int threads = threads_of_this_process();
    int most = threads;
    for (int round = 0; round < ROUNDS; round++) {
        dcn_context_config config = config_counting(&memory);
        config.num_threads = 4;
        dcn_context *context = NULL;
        dcn_plan *first = NULL, *second = NULL;
        CHECK_OK(dcn_context_create(&config, &context));
        CHECK_OK(dcn_plan_create(context, &f.problem, &first));
        CHECK_OK(dcn_plan_create(context, &f.problem, &second));
        memset(&config, 0xff, sizeof config); /* it was read during the call only */
        dcn_context_destroy(context);
        CHECK_OK(dcn_plan_forward(first, &args));
        CHECK(same_bits(&f, y, expected));
        dcn_plan_destroy(first);
        memset(y, 0, f.y_len * sizeof *y);
        CHECK_OK(dcn_plan_forward(second, &args));
        CHECK(same_bits(&f, y, expected));
        if (threads_of_this_process() > most)
            most = threads_of_this_process();
        dcn_plan_destroy(second);
        CHECK(live_blocks(&memory) == 0);
        CHECK(threads_come_down_to(threads));
    }
    printf("%d threads at most, %d left\n", most, threads_of_this_process());
    CHECK(most > threads && most <= threads + 4);
    free(expected);
    free(y);
    fixture_free(&f);
    return 0;
}
