/* The y of a fixture computed by the calling thread alone: what every other way of running must give, bit for bit. */
#ifndef REFERENCE_H
#define REFERENCE_H

#include "check.h"
#include "fixture.h"

static inline float *reference_y(const fixture *f) {
    dcn_context_config config = config_default();
    config.num_threads = 1;
    dcn_context *context = NULL;
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_context_create(&config, &context));
    CHECK_OK(dcn_plan_create(context, &f->problem, &plan));
    dcn_forward_args args = fixture_args(f);
    float *y = fresh_y(f);
    args.y = y;
    CHECK_OK(dcn_plan_forward(plan, &args));
    CHECK(!is_untouched(f, y));
    dcn_plan_destroy(plan);
    dcn_context_destroy(context);
    return y;
}

#endif
