/* Nothing is printed unless DCN_VERBOSE or a logger asks for it; a line a call, in comma-separated fields. */
#include "check.h"
#include "fixture.h"

#include <fcntl.h>
#include <unistd.h>

#define MAX_LINES 64

typedef struct lines {
    int n;
    int levels[MAX_LINES];
    char texts[MAX_LINES][512];
} lines;

static fixture f;

static void collect(void *ctx, int32_t level, const char *text) {
    lines *l = (lines *)ctx;
    CHECK(l->n < MAX_LINES);
    CHECK(strchr(text, '\n') == NULL);
    l->levels[l->n] = level;
    snprintf(l->texts[l->n], sizeof l->texts[0], "%s", text);
    l->n++;
}

static int count(const lines *l, int level, const char *prefix, const char *in_text) {
    int n = 0;
    for (int i = 0; i < l->n; i++) {
        if (l->levels[i] != level)
            continue;
        CHECK(strncmp(l->texts[i], prefix, strlen(prefix)) == 0);
        n += strstr(l->texts[i], in_text) != NULL;
    }
    return n;
}

/* One plan, one good run, one refused run, one refused problem. */
static void work(dcn_context *context) {
    dcn_plan *plan = NULL;
    CHECK_OK(dcn_plan_create(context, &f.problem, &plan));
    dcn_forward_args args = fixture_args(&f);
    CHECK_OK(dcn_plan_forward(plan, &args));
    args.x = NULL;
    CHECK_STATUS(DCN_ERROR_NULL_POINTER, dcn_plan_forward(plan, &args));
    dcn_plan_destroy(plan);
    dcn_problem p = f.problem;
    p.weight.dims[1]++;
    CHECK_STATUS(DCN_ERROR_INVALID_SHAPE, dcn_plan_create(context, &p, &plan));
}

static lines logged(const char *verbose) {
    static lines l;
    memset(&l, 0, sizeof l);
    if (verbose == NULL)
        CHECK(unsetenv("DCN_VERBOSE") == 0);
    else
        CHECK(setenv("DCN_VERBOSE", verbose, 1) == 0);
    dcn_context_config config = config_default();
    config.logger.ctx = &l;
    config.logger.log = collect;
    dcn_context *context = NULL;
    CHECK_OK(dcn_context_create(&config, &context));
    work(context);
    dcn_context_destroy(context);
    return l;
}

/* What a context without a logger writes to standard error. */
static size_t printed(const char *verbose, char *text, size_t len) {
    if (verbose == NULL)
        CHECK(unsetenv("DCN_VERBOSE") == 0);
    else
        CHECK(setenv("DCN_VERBOSE", verbose, 1) == 0);
    FILE *file = tmpfile();
    CHECK(file != NULL);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    CHECK(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    dcn_context *context = NULL;
    dcn_status status = dcn_context_create(NULL, &context);
    if (status == DCN_OK)
        work(context);
    dcn_context_destroy(context);
    fflush(stderr);
    CHECK(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    CHECK_STATUS(DCN_OK, status);
    rewind(file);
    size_t n = fread(text, 1, len - 1, file);
    text[n] = 0;
    fclose(file);
    return n;
}

/* A line that cannot be written is lost; the run is none the worse. */
static void nobody_reads(void) {
    CHECK(setenv("DCN_VERBOSE", "all", 1) == 0);
    int full = open("/dev/full", O_WRONLY), saved = dup(STDERR_FILENO);
    CHECK(full >= 0 && saved >= 0 && dup2(full, STDERR_FILENO) >= 0);
    dcn_context *context = NULL;
    CHECK_OK(dcn_context_create(NULL, &context));
    dcn_forward_args args = fixture_args(&f);
    dcn_status status = dcn_modulated_deform_conv2d(context, &f.problem, &args);
    dcn_context_destroy(context);
    CHECK(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(full);
    CHECK_STATUS(DCN_OK, status);
}

int main(void) {
    f = fixture_small();
    lines all = logged(NULL);
    for (int i = 0; i < all.n; i++)
        printf("%d %s\n", all.levels[i], all.texts[i]);
    CHECK(count(&all, DCN_LOG_ERROR, "deformconv,error,", "x is NULL") == 1);
    CHECK(count(&all, DCN_LOG_CHECK, "deformconv,check,", "weight") == 1);
    CHECK(count(&all, DCN_LOG_DISPATCH, "deformconv,dispatch,", "") >= 1);
    CHECK(count(&all, DCN_LOG_PROFILE, "deformconv,profile,", "forward") == 1);

    lines profile = logged("profile");
    CHECK(profile.n == 1 && count(&profile, DCN_LOG_PROFILE, "deformconv,profile,", "forward") == 1);
    lines two = logged("error,dispatch");
    CHECK(count(&two, DCN_LOG_ERROR, "deformconv,error,", "") == 1);
    CHECK(count(&two, DCN_LOG_DISPATCH, "deformconv,dispatch,", "") >= 1);
    CHECK(count(&two, DCN_LOG_PROFILE, "", "") == 0 && count(&two, DCN_LOG_CHECK, "", "") == 0);
    CHECK(logged("").n == 0);
    lines misspelt = logged("errors");
    CHECK(misspelt.n == 1 && count(&misspelt, DCN_LOG_ERROR, "deformconv,error,context,", "\"errors\"") == 1);

    char text[8192];
    CHECK(printed(NULL, text, sizeof text) == 0);
    CHECK(printed("0", text, sizeof text) == 0);
    CHECK(printed("profile", text, sizeof text) > 0);
    CHECK(strncmp(text, "deformconv,profile,", 19) == 0 && strchr(text, '\n') == text + strlen(text) - 1);
    printed("all", text, sizeof text);
    CHECK(strstr(text, "deformconv,error,") && strstr(text, "deformconv,dispatch,") && strstr(text, "deformconv,profile,"));
    nobody_reads();
    fixture_free(&f);
    return 0;
}
