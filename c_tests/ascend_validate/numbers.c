#include "numbers.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t number_size(dcn_dtype dtype) { return dtype == DCN_F32 ? 4 : 2; }

double number_spacing(dcn_dtype dtype, double value) {
    const int digits = dtype == DCN_F32 ? 24 : dtype == DCN_F16 ? 11 : 8, least = dtype == DCN_F16 ? -24 : -149;
    int exponent;
    frexp(value, &exponent);
    return ldexp(1, exponent - digits > least ? exponent - digits : least);
}

/* Of few enough digits to be exact in every dtype, and no subnormal. */
static void put(dcn_dtype dtype, void *numbers, size_t index, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xff, mantissa = bits & 0x7fffff;
    uint16_t half = (uint16_t)(bits >> 16);
    if (dtype == DCN_F16) half = (uint16_t)(exponent == 0 ? sign : sign | (exponent - 112) << 10 | mantissa >> 13);
    if (dtype == DCN_F32) ((float *)numbers)[index] = value;
    else ((uint16_t *)numbers)[index] = half;
}

double number_get(dcn_dtype dtype, const void *numbers, size_t index) {
    if (dtype == DCN_F32) return ((const float *)numbers)[index];
    const uint32_t half = ((const uint16_t *)numbers)[index];
    if (dtype == DCN_BF16) {
        const uint32_t bits = half << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    const int exponent = half >> 10 & 31;
    const double mantissa = half & 1023, sign = half & 0x8000 ? -1 : 1;
    if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
    return sign * (exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25));
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes > 0 ? bytes : 1);
    if (memory == NULL) {
        puts("FAILED: out of host memory");
        exit(1);
    }
    return memory;
}

void *numbers_new(dcn_dtype dtype, size_t count, double scale, int positive, unsigned seed) {
    void *numbers = allocate(count * number_size(dtype));
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        const int steps = (int)(state >> 16) % 129;
        const int negative = !positive && (state >> 8 & 1);
        put(dtype, numbers, i, (float)((negative ? -steps : steps) / 128.0 * scale));
    }
    return numbers;
}

void *numbers_magnitudes(dcn_dtype dtype, const void *numbers, size_t count) {
    void *magnitudes = allocate(count * number_size(dtype));
    for (size_t i = 0; i < count; i++) put(dtype, magnitudes, i, (float)fabs(number_get(dtype, numbers, i)));
    return magnitudes;
}
