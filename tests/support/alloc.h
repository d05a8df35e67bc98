/* alloc.h - allocations that fail when a test wants them to.
 *
 * Every test program is linked with --wrap for malloc, calloc and realloc, so
 * that the calls of our own code (not those inside libraries) come by here. */
#ifndef EDS_TESTS_SUPPORT_ALLOC_H
#define EDS_TESTS_SUPPORT_ALLOC_H

#include <stdint.h>

/* alloc_fail_at lets the n-th allocation from now fail, once: 1 is the next
 * one, 0 stops failing. */
void alloc_fail_at(uint64_t n);

/* alloc_count tells how many allocations there have been since the start of
 * the program or the last alloc_fail_at. */
uint64_t alloc_count(void);

#endif
