/* ledger_postgres_time.h - a moment as PostgreSQL keeps it: microseconds since
 * the year 2000, up to the year 294276.
 *
 * What lies beyond is stored as 'infinity' with the milliseconds in a column
 * of their own, which is NULL for every time that a clock has ever shown. */
#ifndef EDS_STORE_LEDGER_POSTGRES_TIME_H
#define EDS_STORE_LEDGER_POSTGRES_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define POSTGRES_TIME_INFINITY UINT64_C(0x7fffffffffffffff)
#define POSTGRES_EPOCH_MS      UINT64_C(946684800000)     /* 2000-01-01 */
#define POSTGRES_TIME_MS_END   UINT64_C(9224318016000000) /* 294277-01-01 */

static inline bool eds_postgres_time_fits(uint64_t unix_ms)
{
    return unix_ms < POSTGRES_TIME_MS_END;
}

/* The 64 bits of the TIMESTAMPTZ; before 2000 they are a negative number's. */
static inline uint64_t eds_postgres_time(uint64_t unix_ms)
{
    if (!eds_postgres_time_fits(unix_ms))
        return POSTGRES_TIME_INFINITY;
    return (unix_ms - POSTGRES_EPOCH_MS) * 1000;
}

/* False for a time before 1970 and for both infinities; a part of a millisecond
 * is dropped. */
static inline bool eds_postgres_time_parse(uint64_t *unix_ms, uint64_t time)
{
    uint64_t since_1970 = time + POSTGRES_EPOCH_MS * 1000; /* modulo 2^64, as stored */

    if (time == POSTGRES_TIME_INFINITY || since_1970 >= POSTGRES_TIME_MS_END * 1000)
        return false;
    *unix_ms = since_1970 / 1000;
    return true;
}

#endif
