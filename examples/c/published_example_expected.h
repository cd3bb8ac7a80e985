/* Made by published_example_expected.py with torchvision 0.29.2, f64; do not edit. */
#ifndef PUBLISHED_EXAMPLE_EXPECTED_H
#define PUBLISHED_EXAMPLE_EXPECTED_H

#include <stddef.h>

/* |got - expected| <= 2^-23 * (8 + 2 * sqrt(n)) * (sum of the magnitudes of the n = 2304 terms of an element): the
 * library's error bound for f32. The bound of a sum over elements is the sum of their bounds. */
#define ERROR_BOUND (104 / 8388608.0)

static const double expected_sum = 261.17809581338895;
static const double expected_magnitudes = 381326.48769986653;
static const double expected_terms = 11184862.68473056;
static const struct expected_element {
    size_t index;
    double value, terms;
} expected_elements[] = {
    {0, 0.014758039020216064, 0.40457366659206589},
    {465454, -0.15620549294003908, 2.3111363200095387},
    {930908, 0.01526676919242783, 2.6755124141157927},
    {1396363, 0.059832275789143755, 1.786286077046054},
    {1861817, 0.092229740457471329, 2.0671959163599012},
    {2327272, 0.053603397171436321, 1.7265793650285401},
    {2792726, 0.33526833734344891, 2.8907163518572867},
    {3258181, 0.088538129622132561, 2.3685371016898644},
    {3723635, -0.0092903458755862374, 1.8696727716444852},
    {4189090, -0.14520288362460546, 1.8172638272016466},
    {4654544, 0.27919203213834587, 2.4584072314564454},
    {5119999, 0.057824985021600314, 0.55873526191615897},
};

#endif
