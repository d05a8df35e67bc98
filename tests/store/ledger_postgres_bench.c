/* ledger_postgres_bench.c - see ledger_postgres_bench.h. */
#include "store/ledger_postgres_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/ledger_dump.h"

#define NOW_MS       1795305600123u
#define INSIST_TRIES 3000u /* each waits at least 20 ms */

unsigned postgres_bench_faults(void)
{
    const char *text = getenv("EDS_TEST_FAULTS");

    return text != NULL ? (unsigned)atoi(text) : 12;
}

static struct eds_ledger *open_ledger(const char *url)
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err;

    if (eds_ledger_open(&ledger, url, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return ledger;
}

struct postgres_bench *postgres_bench_new(struct postgres_server *server, const char *options)
{
    struct postgres_bench *bench = calloc(1, sizeof *bench);
    char url[POSTGRES_URL_SIZE + 64], place[POSTGRES_URL_SIZE];
    int port;

    assert_non_null(bench);
    bench->proxy = tcp_proxy_start(server->port, &port);
    postgres_place(server, port, place);
    snprintf(url, sizeof url, "%s%s%s", place, options[0] != '\0' ? "%20" : "", options);
    bench->postgres = open_ledger(url);
    bench->memory = open_ledger("memory:");
    bench->batch = batch_new(NOW_MS);
    for (unsigned i = 0; i < POSTGRES_BENCH_DEVICES; i++) {
        char id[16];

        snprintf(id, sizeof id, "lift-%02u", i);
        bench->chains[i] = chain_of(id);
    }
    return bench;
}

void postgres_bench_free(struct postgres_bench *bench)
{
    bench->postgres->ops->close(bench->postgres);
    bench->memory->ops->close(bench->memory);
    tcp_proxy_stop(bench->proxy);
    batch_free(bench->batch);
    free(bench);
}

int postgres_bench_set_up(void **state)
{
    *state = postgres_bench_new(*state, "");
    return 0;
}

int postgres_bench_tear_down(void **state)
{
    postgres_bench_free(*state);
    return 0;
}

void postgres_bench_fill(struct postgres_bench *bench)
{
    unsigned n = bench->commit_count++;
    struct chain *chain = &bench->chains[n % POSTGRES_BENCH_DEVICES];
    struct chain *other = &bench->chains[(n + 1) % POSTGRES_BENCH_DEVICES];

    batch_clear(bench->batch);
    bench->batch->commit.now_ms = NOW_MS + n;
    batch_append(bench->batch, chain);
    batch_append(bench->batch, other);
    batch_last_append(bench->batch)->payload = NULL;
    batch_attest(batch_append(bench->batch, chain));
    batch_conflict(bench->batch, chain->device_id, 1, n + 1);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, chain->device_id, n, "accepted");
    batch_operation(bench->batch, EDS_DECISION_REJECTED, other->device_id, n, "a reason");
}

int32_t postgres_bench_try(struct postgres_bench *bench, struct eds_error *err)
{
    return bench->postgres->ops->commit(bench->postgres, &bench->batch->commit, err);
}

static void commit_to_memory(struct postgres_bench *bench)
{
    struct eds_error err;

    if (bench->memory->ops->commit(bench->memory, &bench->batch->commit, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

/* One more try; a commit that was made without word of it is known by its head. */
static int32_t try_again(struct postgres_bench *bench, struct eds_error *err)
{
    const EdsAuditRecord *first = &bench->batch->appends[0].entry->record;
    struct eds_head head;
    int32_t rc = postgres_bench_try(bench, err);

    if (rc != EDS_ERR_HEAD_MOVED)
        return rc;
    rc = bench->postgres->ops->head(bench->postgres, (const char *)first->device_id, &head, err);
    assert_true(rc != EDS_OK || head.sequence > first->sequence);
    return rc;
}

/* A server that was killed is away for as long as its recovery takes. */
void postgres_bench_insist(struct postgres_bench *bench)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    struct eds_error err = {0};
    int32_t rc = try_again(bench, &err);

    for (unsigned i = 0; rc == EDS_ERR_IO && i < INSIST_TRIES; i++) {
        nanosleep(&pause, NULL);
        rc = try_again(bench, &err);
    }
    if (rc != EDS_OK)
        fail_msg("%s", err.text);
    commit_to_memory(bench);
}

void postgres_bench_commit(struct postgres_bench *bench, const char *when)
{
    struct eds_error err;

    postgres_bench_fill(bench);
    if (postgres_bench_try(bench, &err) != EDS_OK)
        fail_msg("%s: %s", when, err.text);
    commit_to_memory(bench);
}

void postgres_bench_compare(struct postgres_bench *bench)
{
    struct eds_error err;
    char *actual = ledger_dump(bench->postgres, &err);
    char *expected = ledger_dump(bench->memory, NULL);

    if (actual == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(actual, expected);
    free(actual);
    free(expected);
}
