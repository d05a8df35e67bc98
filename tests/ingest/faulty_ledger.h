/* faulty_ledger.h - a ledger that passes everything on to another one, unless
 * it is told to fail, to lose a race, or to keep the committer waiting. */
#ifndef EDS_TESTS_INGEST_FAULTY_LEDGER_H
#define EDS_TESTS_INGEST_FAULTY_LEDGER_H

#include <pthread.h>
#include <stdint.h>

#include "store/ledger.h"

enum faulty_call { FAULTY_COMMIT, FAULTY_HEAD, FAULTY_RECORD_HASH, FAULTY_OBJECT, FAULTY_CALLS };

struct faulty_fault {
    uint64_t calls;      /* so far */
    uint64_t fail_at;    /* the call with this number fails; 0: none */
    uint64_t fail_to;    /* and those up to this one */
    int32_t code;        /* with this */
    bool after_the_fact; /* a commit fails although it was made */
};

struct faulty_ledger {
    struct eds_ledger base;
    struct eds_ledger *inner;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct faulty_fault faults[FAULTY_CALLS];
    bool hold, held; /* commits wait; one does */
    uint64_t fail_each;
    unsigned slow_us;
    const char *poison; /* commits with this object_ref lose every race */
    uint64_t batch_max; /* the most appends seen in one commit */
};

void faulty_make(struct faulty_ledger *ledger, struct eds_ledger *inner);
void faulty_free(struct faulty_ledger *ledger);

/* faulty_fail lets the n-th call from now fail (1 is the next), and count - 1
 * more after it; count UINT64_MAX: for ever. */
void faulty_fail(struct faulty_ledger *ledger, enum faulty_call call, uint64_t n, uint64_t count,
                 int32_t code);

/* faulty_fail_each lets every n-th commit fail, from now on. */
void faulty_fail_each(struct faulty_ledger *ledger, uint64_t n);

/* faulty_slow lets every commit take that much longer. */
void faulty_slow(struct faulty_ledger *ledger, unsigned microseconds);

/* faulty_fail_after_the_fact lets the next commit be made and then fail. */
void faulty_fail_after_the_fact(struct faulty_ledger *ledger);

/* faulty_heal stops all failing. */
void faulty_heal(struct faulty_ledger *ledger);

/* faulty_poison lets every commit with a record of that object_ref lose its
 * race; NULL: none. */
void faulty_poison(struct faulty_ledger *ledger, const char *object_ref);

uint64_t faulty_calls(struct faulty_ledger *ledger, enum faulty_call call);
uint64_t faulty_batch_max(struct faulty_ledger *ledger);

/* faulty_hold keeps commits waiting from now on, faulty_await waits until one
 * does, faulty_release lets them go. */
void faulty_hold(struct faulty_ledger *ledger);
void faulty_await(struct faulty_ledger *ledger);
void faulty_release(struct faulty_ledger *ledger);

#endif
