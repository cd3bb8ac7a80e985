#include "bound.h"

#include <math.h>
#include <stdlib.h>

#include "numbers.h"

/* Terms of an element, counted from above: every sample has four corners in the image; a pixel is a corner of at most
   sixteen times as many samples as on average. */
static double terms(const shape *s, int gradient) {
    const double taps = (double)(s->kernel * s->kernel), outputs = (double)(s->o / s->groups);
    const double positions = (double)(s->n * shape_output(s, s->h) * shape_output(s, s->w));
    switch (gradient) {
        case GRAD_X: return 64 * taps * outputs;
        case GRAD_OFFSET:
        case GRAD_MASK: return 4 * outputs * (double)(s->c / s->deformable_groups);
        case GRAD_WEIGHT: return 4 * positions;
        case GRAD_BIAS: return positions;
        default: return 4 * taps * (double)(s->c / s->groups) + 1;
    }
}

/* For each element of grad_offset twice the sum of |weight * grad_y * mask|, as no pixel is larger than 1 and its
   derivative has two of them with weights that add up to 1. */
static double *offset_magnitudes(const shape *s, const tensors *t) {
    const size_t taps = (size_t)(s->kernel * s->kernel), plane = (size_t)(shape_output(s, s->h) * shape_output(s, s->w));
    const size_t c = (size_t)s->c, o = (size_t)s->o, d_count = (size_t)s->deformable_groups;
    const size_t inputs = c / (size_t)s->groups, outputs = o / (size_t)s->groups, per_group = c / d_count;
    /* |weight| summed over the channels of a deformable group: [O][D][K]. */
    double *sums = calloc(o * d_count * taps, sizeof *sums);
    for (size_t i = 0; i < o * inputs * taps; i++) {
        const size_t row = i / (inputs * taps), channel = row / outputs * inputs + i / taps % inputs;
        sums[(row * d_count + channel / per_group) * taps + i % taps] += fabs(number_get(s->dtype, t->data[WEIGHT], i));
    }
    double *magnitudes = calloc(t->count[OFFSET], sizeof *magnitudes);
    for (size_t i = 0; i < t->count[OFFSET]; i++) {
        const size_t position = i % plane, sample = i / plane / 2, tap = sample % taps, d = sample / taps % d_count;
        const size_t image = sample / taps / d_count;
        double sum = 0;
        for (size_t row = 0; row < o; row++) {
            sum += sums[(row * d_count + d) * taps + tap] *
                   fabs(number_get(s->dtype, t->data[GRAD_Y], (image * o + row) * plane + position));
        }
        const double mask = t->count[MASK] == 0 ? 1 : fabs(number_get(s->dtype, t->data[MASK], sample * plane + position));
        magnitudes[i] = 2 * mask * sum;
    }
    free(sums);
    return magnitudes;
}

double worst_difference(const shape *s, const tensors *t, int gradient, const results *got, const results *expected,
                        const results *magnitudes) {
    const size_t count = gradient < 0            ? shape_count_y(s)
                         : gradient == GRAD_BIAS ? (size_t)s->o
                                                 : t->count[gradient_like(gradient)];
    const void *a = gradient < 0 ? got->y : got->gradients[gradient];
    const void *b = gradient < 0 ? expected->y : expected->gradients[gradient];
    const void *magnitude = gradient < 0 ? magnitudes->y : magnitudes->gradients[gradient];
    double *own = gradient == GRAD_OFFSET ? offset_magnitudes(s, t) : NULL;
    const double tolerance = 2 * ldexp(1, -23) * (8 + 2 * sqrt(terms(s, gradient)));
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        const double x = number_get(s->dtype, a, i), y = number_get(s->dtype, b, i);
        double allowed = tolerance * (own != NULL ? own[i] : number_get(s->dtype, magnitude, i));
        /* Both were rounded once. */
        if (s->dtype != DCN_F32) allowed += number_spacing(s->dtype, fabs(x) > fabs(y) ? x : y);
        const double difference = fabs(x - y);
        /* Nothing of this is NaN but by a fault. */
        const double ratio = difference == 0 ? 0 : isnan(difference) ? INFINITY : difference / allowed;
        if (ratio > worst) worst = ratio;
    }
    free(own);
    return worst;
}
