/* An allocator that counts, checks what it is given back, and fails when told to. */
#ifndef ALLOCATOR_H
#define ALLOCATOR_H

#include "check.h"

#include <pthread.h>
#include <stdint.h>

#define MAX_BLOCKS 4096

typedef struct block {
    void *ptr, *base;
    size_t size, align;
} block;

typedef struct counting_allocator {
    pthread_mutex_t lock;
    size_t allocs, frees;
    size_t fail_at; /* number of the call that fails, counted from 1; 0 = none */
    block live[MAX_BLOCKS];
} counting_allocator;

static inline size_t live_blocks(const counting_allocator *a) { return a->allocs - a->frees; }

/* Blocks are aligned as asked and no better, so that a wrong assumption shows. */
static inline void *counting_alloc(void *ctx, size_t size, size_t align) {
    counting_allocator *a = (counting_allocator *)ctx;
    CHECK(size > 0);
    CHECK(align > 0 && (align & (align - 1)) == 0);
    pthread_mutex_lock(&a->lock);
    void *result = NULL;
    if (a->fail_at == 0 || --a->fail_at != 0) {
        size_t slot = 0;
        while (slot < MAX_BLOCKS && a->live[slot].ptr != NULL)
            slot++;
        CHECK(slot < MAX_BLOCKS);
        char *base = (char *)malloc(size + 3 * align);
        CHECK(base != NULL);
        uintptr_t address = ((uintptr_t)base + 2 * align) & ~(uintptr_t)(2 * align - 1);
        result = (void *)(address + align);
        if (address - (uintptr_t)base >= align)
            result = (void *)(address - align);
        block taken = {result, base, size, align};
        a->live[slot] = taken;
        a->allocs++;
    }
    pthread_mutex_unlock(&a->lock);
    return result;
}

static inline void counting_free(void *ctx, void *ptr, size_t size, size_t align) {
    counting_allocator *a = (counting_allocator *)ctx;
    CHECK(ptr != NULL);
    pthread_mutex_lock(&a->lock);
    size_t slot = 0;
    while (slot < MAX_BLOCKS && a->live[slot].ptr != ptr)
        slot++;
    CHECK(slot < MAX_BLOCKS);
    CHECK(a->live[slot].size == size);
    CHECK(a->live[slot].align == align);
    free(a->live[slot].base);
    a->live[slot].ptr = NULL;
    a->frees++;
    pthread_mutex_unlock(&a->lock);
}

static inline dcn_context_config config_counting(counting_allocator *a) {
    dcn_context_config config;
    memset(&config, 0, sizeof config);
    memset(a, 0, sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    config.struct_size = sizeof config;
    config.allocator.ctx = a;
    config.allocator.alloc = counting_alloc;
    config.allocator.free = counting_free;
    return config;
}

#endif
