// Tests of the Ascend kernels on the emulator. usage: ascend_kernels operator FIRST COUNT | cases | kernels | addresses
// | emulator | mutants
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests.h"

int main(int count, char **arguments) {
    const char *test = count > 1 ? arguments[1] : "";
    if (!std::strcmp(test, "operator") && count == 4)
        return test_operator(std::strtoull(arguments[2], nullptr, 10), std::strtoull(arguments[3], nullptr, 10));
    if (!std::strcmp(test, "cases")) return test_cases();
    if (!std::strcmp(test, "kernels")) return test_kernels();
    if (!std::strcmp(test, "addresses")) return test_addresses();
    if (!std::strcmp(test, "emulator")) return test_emulator();
    if (!std::strcmp(test, "mutants")) return test_mutants();
    std::fprintf(stderr, "usage: ascend_kernels operator FIRST COUNT | cases | kernels | addresses | emulator | mutants\n");
    return 2;
}
