/* dlopen, run, dlclose in a loop, with host threads that ran the library and end only after it was closed.
   Built without the library; argv[1] is its path. */
#include "fixture.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>

#define CHECK(condition) ((condition) ? (void)0 : failed(__LINE__, #condition))
#define ROUNDS 5
#define THREADS 3

static void failed(int line, const char *what) {
    fprintf(stderr, "unload.c:%d: failed: %s\n", line, what);
    fflush(NULL);
    _Exit(1);
}

typedef struct library {
    void *handle;
    dcn_status (*context_create)(const dcn_context_config *, dcn_context **);
    void (*context_destroy)(dcn_context *);
    dcn_status (*plan_create)(const dcn_context *, const dcn_problem *, dcn_plan **);
    void (*plan_destroy)(dcn_plan *);
    dcn_status (*plan_forward)(const dcn_plan *, const dcn_forward_args *);
    size_t (*last_error_message)(char *, size_t);
} library;

/* POSIX lets a data pointer hold a function's address; ISO C wants it copied. */
static void symbol(void *handle, const char *name, void *function) {
    void *address = dlsym(handle, name);
    CHECK(address != NULL);
    memcpy(function, &address, sizeof address);
}

static library library_open(const char *path) {
    library l;
    l.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (l.handle == NULL)
        fprintf(stderr, "%s\n", dlerror());
    CHECK(l.handle != NULL);
    symbol(l.handle, "dcn_context_create", &l.context_create);
    symbol(l.handle, "dcn_context_destroy", &l.context_destroy);
    symbol(l.handle, "dcn_plan_create", &l.plan_create);
    symbol(l.handle, "dcn_plan_destroy", &l.plan_destroy);
    symbol(l.handle, "dcn_plan_forward", &l.plan_forward);
    symbol(l.handle, "dcn_last_error_message", &l.last_error_message);
    return l;
}

static fixture f;
static library current;
static sem_t ran, may_end;

static void run(const dcn_plan *plan) {
    dcn_forward_args args = fixture_args(&f);
    float *y = fresh_y(&f);
    args.y = y;
    CHECK(current.plan_forward(plan, &args) == DCN_OK);
    CHECK(!is_untouched(&f, y));
    args.struct_size = 0;
    CHECK(current.plan_forward(plan, &args) == DCN_ERROR_STRUCT_SIZE);
    CHECK(current.last_error_message(NULL, 0) > 0); /* this thread has a message now */
    free(y);
}

static void *run_then_outlive(void *plan) {
    run((const dcn_plan *)plan);
    CHECK(sem_post(&ran) == 0);
    CHECK(sem_wait(&may_end) == 0);
    return NULL;
}

static void round_trip(const char *path, pthread_t *threads) {
    current = library_open(path);
    dcn_context_config config = config_default();
    config.num_threads = 3;
    dcn_context *context = NULL;
    dcn_plan *own = NULL, *shared = NULL;
    CHECK(current.context_create(&config, &context) == DCN_OK);
    CHECK(current.plan_create(context, &f.problem, &own) == DCN_OK);
    CHECK(current.plan_create(NULL, &f.problem, &shared) == DCN_OK);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, run_then_outlive, i % 2 ? own : shared) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(sem_wait(&ran) == 0);
    run(own);
    current.plan_destroy(shared);
    current.plan_destroy(own);
    current.context_destroy(context);
    CHECK(dlclose(current.handle) == 0);
}

/* Even where nothing has run, dlclose leaves the library mapped. */
static void stays_mapped(const char *path) {
    CHECK(dlclose(library_open(path).handle) == 0);
    void *handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    CHECK(handle != NULL);
    CHECK(dlclose(handle) == 0);
}

int main(int argc, char **argv) {
    pthread_t threads[ROUNDS][THREADS];
    CHECK(argc == 2);
    CHECK(sem_init(&ran, 0, 0) == 0 && sem_init(&may_end, 0, 0) == 0);
    stays_mapped(argv[1]);
    f = fixture_large();
    for (int round = 0; round < ROUNDS; round++)
        round_trip(argv[1], threads[round]);
    for (int i = 0; i < ROUNDS * THREADS; i++)
        CHECK(sem_post(&may_end) == 0);
    for (int i = 0; i < ROUNDS * THREADS; i++)
        CHECK(pthread_join(threads[i / THREADS][i % THREADS], NULL) == 0);
    fixture_free(&f);
    return 0;
}
