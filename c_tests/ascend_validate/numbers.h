/* Numbers that all dtypes hold exactly, and their storage. */
#ifndef ASCEND_VALIDATE_NUMBERS_H
#define ASCEND_VALIDATE_NUMBERS_H

#include <deformconv/deformconv.h>
#include <stddef.h>

size_t number_size(dcn_dtype dtype);
/* The spacing of results around a value. */
double number_spacing(dcn_dtype dtype, double value);

/* `count` pseudo-random multiples of 1/128 from -scale to scale (from 0 where `positive`), the same for the same
   seed. */
void *numbers_new(dcn_dtype dtype, size_t count, double scale, int positive, unsigned seed);
/* The same numbers without their signs. */
void *numbers_magnitudes(dcn_dtype dtype, const void *numbers, size_t count);

double number_get(dcn_dtype dtype, const void *numbers, size_t index);

#endif
