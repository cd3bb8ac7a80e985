/* CANN's own operator, for comparison. */
#ifndef ASCEND_VALIDATE_CANN_H
#define ASCEND_VALIDATE_CANN_H

#include "shape.h"

/* Runs aclnnDeformableConv2d into `y` on the host; NULL, or why it did not run. */
const char *cann_forward(const shape *s, const tensors *t, int repeats, void *y, double *milliseconds);

#endif
