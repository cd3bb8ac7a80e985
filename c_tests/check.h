/* CHECK and CHECK_STATUS: print what was wrong, where, and end the program. */
#ifndef CHECK_H
#define CHECK_H

#include <deformconv/deformconv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))
#define CHECK_STATUS(expected, call) check_status(__FILE__, __LINE__, #call, (expected), (call))
#define CHECK_OK(call) CHECK_STATUS(DCN_OK, call)

/* How much is done of what is done many times over, as in tests/common/effort.rs. */
#ifndef DCN_TEST_PERCENT
#define DCN_TEST_PERCENT 100
#endif
#define IS_REDUCED (DCN_TEST_PERCENT < 100)

/* The process ends at once: exit handlers could wait for a thread that holds a lock of the failed test. */
static inline void check_failed(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    fflush(NULL);
    _Exit(1);
}

static inline void check_status(const char *file, int line, const char *call, dcn_status expected, dcn_status got) {
    char message[512];
    if (got == expected)
        return;
    dcn_last_error_message(message, sizeof message);
    fprintf(stderr, "%s:%d: %s\n  gave %d (%s), expected %d (%s)\n  last message: %s\n", file, line, call, (int)got,
            dcn_status_string(got), (int)expected, dcn_status_string(expected), message);
    fflush(NULL);
    _Exit(1);
}

/* Whether the last message of this thread contains `text`. */
static inline int message_has(const char *text) {
    char message[2560];
    dcn_last_error_message(message, sizeof message);
    if (strstr(message, text) != NULL)
        return 1;
    fprintf(stderr, "the message does not contain \"%s\": %s\n", text, message);
    return 0;
}

#endif
