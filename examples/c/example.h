/* What every example needs: a check of each status, and descriptors of contiguous f32 tensors. */
#ifndef DEFORMCONV_EXAMPLE_H
#define DEFORMCONV_EXAMPLE_H

#include <deformconv/deformconv.h>
#include <stdio.h>
#include <stdlib.h>

/* The message of the last call that failed on this thread. */
static const char *error_message(void)
{
    static char text[512];
    dcn_last_error_message(text, sizeof text);
    return text;
}

/* Ends the program where a call failed. */
static void check(dcn_status status, const char *call)
{
    if (status != DCN_OK) {
        fprintf(stderr, "%s: %s: %s\n", call, dcn_status_string(status), error_message());
        exit(1);
    }
}

/* Memory, or the end of the program. */
static void *memory(size_t bytes)
{
    void *block = malloc(bytes);
    if (block == NULL && bytes > 0) {
        fprintf(stderr, "no memory for %zu bytes\n", bytes);
        exit(1);
    }
    return block;
}

static dcn_tensor_desc f32_tensor(int64_t a, int64_t b, int64_t c, int64_t d)
{
    dcn_tensor_desc t = {.dtype = DCN_F32, .rank = 4, .layout = DCN_LAYOUT_CONTIGUOUS, .dims = {a, b, c, d}};
    return t;
}

#endif
