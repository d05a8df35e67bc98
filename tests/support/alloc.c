/* alloc.c - see alloc.h. */
#include "support/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static atomic_uint_least64_t counted, failing;

void alloc_fail_at(uint64_t n)
{
    atomic_store(&failing, n);
    atomic_store(&counted, 0);
}

uint64_t alloc_count(void)
{
    return atomic_load(&counted);
}

static bool fails(void)
{
    return atomic_fetch_add(&counted, 1) + 1 == atomic_load(&failing);
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}
