/* Runs, an instruction at a time: with the caller's workspace and packed weights, a run on the calling thread takes no
   lock, allocates nothing and asks nothing of the system, in the C library neither. On x86-64 taking a lock needs an
   atomic exchange of some kind, so the processor's trap flag and a look at each instruction show it. */
#define _GNU_SOURCE /* REG_RIP */
#include "ready.h"

#ifdef __x86_64__

#include <pthread.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#define TRAP_FLAG 0x100

static volatile sig_atomic_t stepping, watching;
static struct counts {
    size_t instructions, atomics, system_calls, allocations;
} counts;

/* lock, and xchg with memory, which needs no prefix for it. */
static int is_atomic(const unsigned char *at) {
    static const unsigned char prefixes[] = {0x66, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0xf2, 0xf3};
    while (memchr(prefixes, *at, sizeof prefixes) != NULL)
        at++;
    if (*at == 0xf0)
        return 1;
    if ((*at & 0xf0) == 0x40) /* REX */
        at++;
    return (*at & 0xfe) == 0x86 && at[1] < 0xc0;
}

static int is_system_call(const unsigned char *at) {
    return (at[0] == 0x0f && (at[1] == 0x05 || at[1] == 0x34)) || at[0] == 0xcd;
}

static int is_allocation(uintptr_t at) {
    return at == (uintptr_t)malloc || at == (uintptr_t)calloc || at == (uintptr_t)realloc ||
           at == (uintptr_t)posix_memalign || at == (uintptr_t)aligned_alloc || at == (uintptr_t)free;
}

static void on_trap(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)signal, (void)info;
    if (stepping)
        registers[REG_EFL] |= TRAP_FLAG;
    else
        registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    if (watching) {
        uintptr_t at = (uintptr_t)registers[REG_RIP];
        counts.instructions++;
        counts.atomics += (size_t)is_atomic((const unsigned char *)at);
        counts.system_calls += (size_t)is_system_call((const unsigned char *)at);
        counts.allocations += (size_t)is_allocation(at);
    }
}

/* What `body` executes on this thread. */
static struct counts counts_of(void (*body)(const ready *), const ready *r) {
    memset(&counts, 0, sizeof counts);
    stepping = 1;
    CHECK(raise(SIGTRAP) == 0);
    watching = 1;
    body(r);
    watching = stepping = 0;
    CHECK(counts.instructions > 0);
    return counts;
}

static void *sleep_for_ever(void *unused) {
    for (;;)
        pause();
    return unused;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void lock(const ready *r) {
    (void)r;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
}

static void call_the_system(const ready *r) {
    (void)r;
    getppid();
}

static void run_without_workspace(const ready *r) {
    dcn_forward_args args = r->forward;
    args.workspace = NULL;
    args.workspace_size = 0;
    CHECK_OK(dcn_plan_forward(r->plan, &args));
}

static void runs(const dcn_context *context, fixture f) {
    ready r = ready_new(context, f);
    ready_run(&r); /* the dynamic linker takes locks when it binds a function at its first call */
    struct counts found = counts_of(ready_run, &r);
    printf("%zu instructions: %zu atomic, %zu system calls, %zu allocations\n", found.instructions, found.atomics,
           found.system_calls, found.allocations);
    CHECK(found.instructions > 10000);
    CHECK(found.atomics == 0);
    CHECK(found.system_calls == 0);
    CHECK(found.allocations == 0);
    CHECK(counts_of(run_without_workspace, &r).allocations > 0);
    ready_free(&r);
}

int main(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    /* While there is but one thread, the C library spares itself the atomic instruction. */
    pthread_t other;
    CHECK(pthread_create(&other, NULL, sleep_for_ever, NULL) == 0);
    CHECK(counts_of(lock, NULL).atomics > 0);
    CHECK(counts_of(call_the_system, NULL).system_calls > 0);

    dcn_context_config config = config_default();
    config.num_threads = 1;
    dcn_context *one_thread = NULL;
    CHECK_OK(dcn_context_create(&config, &one_thread));
    runs(one_thread, fixture_new(1, 2, 2, 2, 3, 1));
    runs(NULL, fixture_new(1, 2, 2, 2, 3, 1));
    dcn_context_destroy(one_thread);
    return 0;
}

#else

int main(void) {
    printf("did not run: no_lock.c: it knows the instructions of x86-64 only\n");
    return 0;
}

#endif
