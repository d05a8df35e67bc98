/* verifier_batch.h - jobs are gathered, decided together, and settled. */
#ifndef EDS_CORE_VERIFIER_BATCH_H
#define EDS_CORE_VERIFIER_BATCH_H

#include "core/verifier_impl.h"

#if EDS_VERIFIER_TABLES

/* eds_batch_take puts a job that has a table into the batch.  False if the
 * signature is bad at first sight: S not below L, or R of small order. */
bool eds_batch_take(struct eds_batch *batch, const struct eds_verify_job *job);

/* eds_batch_decide gives every job of the batch its verdict: good or bad.  Room
 * as in struct eds_verifier_arithmetic. */
void eds_batch_decide(struct eds_batch *batch, const struct eds_verifier_arithmetic *arithmetic,
                      void *room);

/* The two halves of it: eds_batch_try leaves jobs that the level can't decide
 * EDS_BATCH_ODD, and eds_batch_settle asks libsodium about those. */
void eds_batch_try(struct eds_batch *batch, const struct eds_verifier_arithmetic *arithmetic,
                   void *room);
void eds_batch_settle(struct eds_batch *batch);

#endif
#endif
