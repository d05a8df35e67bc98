/* batch_load.h - batches of 1000 records over HTTP into a server of its own. */
#ifndef EDS_BENCH_BATCH_LOAD_H
#define EDS_BENCH_BATCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#define BATCH_LOAD_SIZE 1000u /* records in a batch */

/* batch_load_rate sends batch_count batches over each of two connections (one's
 * comes in while the other's is stored) and gives durable records a second.
 *
 *   store   URL of the server's ledger; NULL: a new SQLite file
 *   cpu_us  out: the server's processor time for a record */
double batch_load_rate(const char *store, size_t batch_count, bool compact, double *cpu_us);

#endif
