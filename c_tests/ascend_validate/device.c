#include "device.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*init_function)(const char *);
typedef int (*set_function)(int32_t);
typedef int (*malloc_function)(void **, size_t, int);
typedef int (*free_function)(void *);
typedef int (*copy_function)(void *, size_t, const void *, size_t, int, void *);
typedef int (*make_function)(void **);
typedef const char *(*message_function)(void);

enum { REPEATED_INITIALISATION = 100002, HOST_TO_DEVICE = 1, DEVICE_TO_HOST = 2 };

static const char *const libraries[] = {"libascendcl.so",  "libacl_rt.so",      "libnnopbase.so",
                                        "libopapi.so", "libopapi_nn.so", "libopapi_math.so"};
static void *handles[sizeof libraries / sizeof *libraries];
static void *stream;

static void *open_library(const char *name) {
    static const char *const homes[] = {"ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"};
    static const char *const installed[] = {"/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/cann"};
    const char *places[4] = {getenv(homes[0]), getenv(homes[1]), installed[0], installed[1]};
    for (size_t i = 0; i < 4; i++) {
        char path[4096];
        if (places[i] == NULL) continue;
        snprintf(path, sizeof path, "%s/lib64/%s", places[i], name);
        void *handle = dlopen(path, RTLD_NOW);
        if (handle != NULL) return handle;
    }
    return dlopen(name, RTLD_NOW);
}

device_function device_symbol(const char *name) {
    device_function function = NULL;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries && function == NULL; i++) {
        void *const address = handles[i] == NULL ? NULL : dlsym(handles[i], name);
        /* ISO C has no conversion between the two, POSIX has them alike. */
        memcpy(&function, &address, sizeof function);
    }
    return function;
}

const char *device_message(void) {
    message_function recent = (message_function)device_symbol("aclGetRecentErrMsg");
    const char *message = recent == NULL ? NULL : recent();
    return message == NULL ? "no message" : message;
}

static device_function needed(const char *name) {
    const device_function function = device_symbol(name);
    if (function == NULL) {
        printf("FAILED: CANN has no %s\n", name);
        exit(1);
    }
    return function;
}

static void check(const char *call, int code) {
    if (code != 0) {
        printf("FAILED: %s returned %d: %s\n", call, code, device_message());
        exit(1);
    }
}

int device_open(void) {
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) handles[i] = open_library(libraries[i]);
    int code = ((init_function)needed("aclInit"))(NULL);
    if (code != 0 && code != REPEATED_INITIALISATION) {
        printf("did not run: aclInit returned %d: %s\n", code, device_message());
        return 1;
    }
    const char *device = getenv("ASCEND_DEVICE");
    check("aclrtSetDevice", ((set_function)needed("aclrtSetDevice"))(device == NULL ? 0 : atoi(device)));
    check("aclrtCreateStream", ((make_function)needed("aclrtCreateStream"))(&stream));
    return 0;
}

void device_close(void) { check("aclrtDestroyStream", ((free_function)needed("aclrtDestroyStream"))(stream)); }

void *device_stream(void) { return stream; }

void *device_new(size_t bytes) {
    void *address = NULL;
    if (bytes > 0) check("aclrtMalloc", ((malloc_function)needed("aclrtMalloc"))(&address, bytes, 0));
    return address;
}

void device_free(void *address) {
    if (address != NULL) check("aclrtFree", ((free_function)needed("aclrtFree"))(address));
}

static void copy(void *to, const void *from, size_t bytes, int kind) {
    if (bytes == 0) return;
    check("aclrtMemcpyAsync", ((copy_function)needed("aclrtMemcpyAsync"))(to, bytes, from, bytes, kind, stream));
    device_synchronise();
}

void device_upload(void *to, const void *from, size_t bytes) { copy(to, from, bytes, HOST_TO_DEVICE); }

void device_download(void *to, const void *from, size_t bytes) { copy(to, from, bytes, DEVICE_TO_HOST); }

void device_synchronise(void) {
    check("aclrtSynchronizeStream", ((free_function)needed("aclrtSynchronizeStream"))(stream));
}
