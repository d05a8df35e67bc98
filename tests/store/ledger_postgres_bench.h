/* ledger_postgres_bench.h - a PostgreSQL ledger behind a proxy, and one in memory
 * that is told the same: whatever happens to the first on the way, in the end
 * both must give the same dump. */
#ifndef EDS_TESTS_STORE_LEDGER_POSTGRES_BENCH_H
#define EDS_TESTS_STORE_LEDGER_POSTGRES_BENCH_H

#include "store/ledger_batch.h"
#include "store/tcp_proxy.h"
#include "support/postgres.h"

#define POSTGRES_BENCH_DEVICES 3u

struct postgres_bench {
    struct tcp_proxy *proxy;
    struct eds_ledger *postgres, *memory;
    struct batch *batch;
    struct chain chains[POSTGRES_BENCH_DEVICES];
    unsigned commit_count;
};

/* postgres_bench_new opens both in a schema of its own, with more words for the
 * session ("-cdefault_tablespace=x"), or "". */
struct postgres_bench *postgres_bench_new(struct postgres_server *server, const char *options);
void postgres_bench_free(struct postgres_bench *bench);

/* POSTGRES_BENCH_TEST is a test whose state is a bench of its own at a server. */
#define POSTGRES_BENCH_TEST(test, server)                                                          \
    cmocka_unit_test_prestate_setup_teardown(test, postgres_bench_set_up,                          \
                                             postgres_bench_tear_down, server)
int postgres_bench_set_up(void **state);
int postgres_bench_tear_down(void **state);

/* postgres_bench_fill makes the next commit: two records of one device, one of
 * another, a fork once there is something to fork from, a payload kept
 * elsewhere, the log. */
void postgres_bench_fill(struct postgres_bench *bench);

/* postgres_bench_try commits what was filled in to PostgreSQL. */
int32_t postgres_bench_try(struct postgres_bench *bench, struct eds_error *err);

/* postgres_bench_insist commits it to both, as a server does that is told to try
 * again: what failed is sent once more, unless the heads say that it is there. */
void postgres_bench_insist(struct postgres_bench *bench);

/* postgres_bench_commit fills and commits to both; it must work at once. */
void postgres_bench_commit(struct postgres_bench *bench, const char *when);

/* postgres_bench_compare compares the dumps. */
void postgres_bench_compare(struct postgres_bench *bench);

/* postgres_bench_faults tells how often each random fault is tried:
 * EDS_TEST_FAULTS, or as many as usual. */
unsigned postgres_bench_faults(void);

#endif
