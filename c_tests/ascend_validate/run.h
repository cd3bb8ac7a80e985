/* Runs of a shape through deformconv, on the CPU and on the device. */
#ifndef ASCEND_VALIDATE_RUN_H
#define ASCEND_VALIDATE_RUN_H

#include "shape.h"

/* What a shape's passes give; NULL where the shape does not have it. */
typedef struct results {
    void *y, *gradients[GRADIENTS];
} results;

results run_cpu(const shape *s, const tensors *t);
/* `milliseconds`: of a forward and of a backward run, once the device is warm. */
results run_ascend(const shape *s, const tensors *t, int repeats, double milliseconds[2]);
void results_free(results *r);

/* Milliseconds since some moment. */
double now(void);

#endif
