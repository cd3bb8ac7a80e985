/* How far two backends may be apart: each keeps the contract's error bound, tol * the sum of the terms' magnitudes. */
#ifndef ASCEND_VALIDATE_BOUND_H
#define ASCEND_VALIDATE_BOUND_H

#include "run.h"

/* The worst difference of two results in units of what is allowed, for y (-1) or a gradient. `magnitudes` are the CPU's
   results for the tensors without their signs, which is what the sums of magnitudes are, but for grad_offset. */
double worst_difference(const shape *s, const tensors *t, int gradient, const results *got, const results *expected,
                        const results *magnitudes);

#endif
