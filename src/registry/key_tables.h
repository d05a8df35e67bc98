/* key_tables.h - tables of the keys in use, for all threads.
 *
 * With a table a signature costs a fraction (edgesentry/verifier.h); the table
 * costs 86 KiB, and making it as much time as two verifications.  So a key gets
 * one when it was asked for a few times, keys that are asked for often keep
 * theirs, and the number of tables is bounded.  Every verdict is exact, with a
 * table or without. */
#ifndef EDS_REGISTRY_KEY_TABLES_H
#define EDS_REGISTRY_KEY_TABLES_H

#include <stdbool.h>

#include "edgesentry/ed25519.h"
#include "edgesentry/verifier.h"

struct eds_key_tables;

/* The work room of eds_verify_many, aligned as it has to be; NULL without memory. */
struct eds_verifier_work *eds_verifier_work_create(void);
void eds_verifier_work_destroy(struct eds_verifier_work *work);

/* eds_key_tables_create makes room for table_max tables (rounded up to a
 * multiple of 4; memory is taken when a table is made), and prepares the
 * verifier: some milliseconds.  NULL without memory. */
struct eds_key_tables *eds_key_tables_create(size_t table_max);
void eds_key_tables_destroy(struct eds_key_tables *tables);

/* eds_key_tables_verify answers as eds_ed25519_verify. */
bool eds_key_tables_verify(struct eds_key_tables *tables,
                           const uint8_t signature[EDS_SIGNATURE_SIZE], const void *message,
                           size_t size, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_key_tables_verify_many answers count jobs as eds_verify_many does, verdicts[i]
 * for jobs[i], with the tables that there are: each job names its public_key, and
 * its table is set here.  Any mix of keys; best in hundreds at a time.
 *
 *   work   room for a batch (edgesentry/verifier.h), one for each thread
 *   jobs   are written to; afterwards each table is NULL again */
void eds_key_tables_verify_many(struct eds_key_tables *tables, struct eds_verifier_work *work,
                                struct eds_verify_job *jobs, size_t count, bool *verdicts);

/* eds_key_tables_drop forgets the table of a key that was revoked: its memory is for
 * other keys, at once or when the threads that are just using it are done.  Verdicts
 * do not change by it; who may sign is the registry's business. */
void eds_key_tables_drop(struct eds_key_tables *tables,
                         const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_key_tables_count tells how many tables there are now. */
size_t eds_key_tables_count(struct eds_key_tables *tables);

#endif
