/* dcn_status_string is total; dcn_last_error_message is per thread and cut at a character. */
#include "check.h"

#include <pthread.h>
#include <stdint.h>

static void status_strings(void) {
    static const char *const names[] = {"DCN_OK",
                                        "DCN_ERROR_NULL_POINTER",
                                        "DCN_ERROR_INVALID_ARGUMENT",
                                        "DCN_ERROR_INVALID_SHAPE",
                                        "DCN_ERROR_INVALID_STRIDE",
                                        "DCN_ERROR_OVERLAP",
                                        "DCN_ERROR_MISALIGNED",
                                        "DCN_ERROR_UNSUPPORTED",
                                        "DCN_ERROR_OUT_OF_MEMORY",
                                        "DCN_ERROR_WORKSPACE_TOO_SMALL",
                                        "DCN_ERROR_STRUCT_SIZE",
                                        "DCN_ERROR_BACKEND_UNAVAILABLE",
                                        "DCN_ERROR_BACKEND",
                                        "DCN_ERROR_EXECUTOR",
                                        "DCN_ERROR_INTERNAL"};
    CHECK(sizeof names / sizeof *names == DCN_ERROR_INTERNAL + 1);
    for (int32_t s = 0; s <= DCN_ERROR_INTERNAL; s++)
        CHECK(strcmp(dcn_status_string(s), names[s]) == 0);
    for (int64_t s = INT32_MIN; s <= INT32_MAX; s += s > -1000 && s < 1000 ? 1 : 99991) {
        const char *text = dcn_status_string((dcn_status)s);
        CHECK(text != NULL && text[0] != 0);
        CHECK((s >= 0 && s <= DCN_ERROR_INTERNAL) || strcmp(text, "unknown dcn_status") == 0);
    }
    CHECK(strcmp(dcn_status_string(INT32_MAX), "unknown dcn_status") == 0);
}

static void is_empty(void) {
    char buffer[8];
    memset(buffer, 'x', sizeof buffer);
    CHECK(dcn_last_error_message(buffer, sizeof buffer) == 0);
    CHECK(buffer[0] == 0 && buffer[1] == 'x');
}

static void *other_thread(void *unused) {
    is_empty();
    dcn_plan *plan = NULL;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_create(NULL, NULL, &plan));
    CHECK(message_has("problem is NULL"));
    return unused;
}

/* Makes the library quote `text` in its message. */
static void fail_with(const char *text) {
    dcn_context_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.max_isa = text;
    dcn_context *context = NULL;
    CHECK_STATUS(DCN_ERROR_INVALID_ARGUMENT, dcn_context_create(&config, &context));
}

static int is_continuation(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

static void cut_at_characters(void) {
    char full[4096], buffer[4096];
    size_t length = dcn_last_error_message(full, sizeof full);
    CHECK(length > 0 && length < sizeof full && strlen(full) == length);
    CHECK(dcn_last_error_message(NULL, 0) == length);
    CHECK(dcn_last_error_message(NULL, 100) == length);
    for (size_t room = 0; room <= length + 3; room++) {
        memset(buffer, 'x', sizeof buffer);
        CHECK(dcn_last_error_message(buffer, room) == length);
        size_t kept = room == 0 ? 0 : strlen(buffer);
        CHECK(room == 0 || kept < room);
        CHECK(memcmp(buffer, full, kept) == 0);
        CHECK(!is_continuation(full[kept]));
        CHECK(kept == length || kept + 4 >= room);
        for (size_t i = room; i < room + 8; i++)
            CHECK(buffer[i] == 'x');
    }
}

int main(void) {
    status_strings();
    is_empty();

    fail_with("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 end"); /* characters of two, three and four bytes */
    CHECK(message_has("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 end"));
    cut_at_characters();

    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(message_has("\xf0\x9f\x98\x80"));

    dcn_context *context = NULL;
    CHECK_OK(dcn_context_create(NULL, &context));
    dcn_context_destroy(context);
    CHECK(message_has("\xf0\x9f\x98\x80")); /* a success leaves the message */

    fail_with("\xff\xfe not UTF-8");
    cut_at_characters();
    static char long_text[9000 + 1];
    for (size_t i = 0; i < 9000; i += 3)
        memcpy(long_text + i, "\xe2\x82\xac", 3);
    fail_with(long_text);
    cut_at_characters();
    return 0;
}
