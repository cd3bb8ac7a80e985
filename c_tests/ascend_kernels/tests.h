#ifndef DCN_TESTS_H
#define DCN_TESTS_H

#include <cstdint>

// Each prints what it found and returns 0 if all is well.
int test_operator(uint64_t first_seed, uint64_t count);
int test_cases();
int test_kernels();
int test_addresses();
int test_emulator();
int test_mutants();

#endif
