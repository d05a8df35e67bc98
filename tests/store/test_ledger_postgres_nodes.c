/* test_ledger_postgres_nodes.c - several servers on one PostgreSQL: whoever is
 * first has it, the others decide again, and everything is stored once.
 *
 * Each node is a thread with a ledger of its own.  The n-th record of a device
 * is the same one on every node, as it is when devices send to any of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_batch.h"
#include "support/dice.h"
#include "support/postgres.h"

#define NOW_MS       1795305600123u
#define NODE_COUNT   3u
#define DEVICE_COUNT 5u
#define COMMIT_COUNT 150u /* by each node */

static struct postgres_server server;

struct node {
    pthread_t thread;
    const char *url;
    struct dice dice;
    uint64_t appended, operations, moved; /* moved: lost races */
    struct eds_error err;                 /* of what should not have failed */
    int32_t rc;
};

/* Plans up to three devices' next records, as the ledger has them now. */
static int32_t plan(struct node *node, struct eds_ledger *ledger, struct batch *batch)
{
    size_t first = dice_below(&node->dice, DEVICE_COUNT);
    size_t step = 1 + dice_below(&node->dice, DEVICE_COUNT - 1); /* 5 is prime: no device twice */

    batch_clear(batch);
    for (size_t i = 0; i < 3; i++) {
        size_t record_count = 1 + dice_below(&node->dice, 3);
        struct chain chain;
        struct eds_head head;
        char id[16];

        snprintf(id, sizeof id, "lift-%zu", (first + i * step) % DEVICE_COUNT);
        chain = chain_of(id);
        node->rc = ledger->ops->head(ledger, id, &head, &node->err);
        if (node->rc != EDS_OK)
            return node->rc;
        chain.sequence = head.sequence;
        memcpy(chain.record_hash, head.record_hash, EDS_HASH_SIZE);
        while (record_count-- > 0)
            batch_append(batch, &chain);
        batch_operation(batch, EDS_DECISION_ACCEPTED, /* the batch's copy: it is committed later */
                        (const char *)batch_last_append(batch)->entry->record.device_id, i,
                        "accepted");
    }
    return EDS_OK;
}

static void *run_node(void *context)
{
    struct node *node = context;
    struct batch *batch = batch_new(NOW_MS);
    struct eds_ledger *ledger = NULL;

    node->rc = eds_ledger_open(&ledger, node->url, &node->err);
    for (unsigned i = 0; node->rc == EDS_OK && i < COMMIT_COUNT; i++) {
        node->rc = plan(node, ledger, batch);
        if (node->rc == EDS_OK)
            node->rc = ledger->ops->commit(ledger, &batch->commit, &node->err);
        if (node->rc == EDS_OK) {
            node->appended += batch->commit.append_count;
            node->operations += batch->commit.operation_count;
        } else if (node->rc == EDS_ERR_HEAD_MOVED) {
            node->moved++;
            node->rc = EDS_OK;
        }
    }
    if (ledger != NULL)
        ledger->ops->close(ledger);
    batch_free(batch);
    return NULL;
}

/* Each device's records follow each other. */
static int32_t follow(void *context, const struct eds_stored *stored)
{
    struct chain *chain = context;
    const EdsAuditRecord *record = &stored->entry->record;

    if (strcmp(chain->device_id, (const char *)record->device_id) != 0)
        *chain = chain_of((const char *)record->device_id);
    assert_int_equal(record->sequence, chain->sequence + 1);
    assert_memory_equal(record->prev_record_hash, chain->record_hash, EDS_HASH_SIZE);
    chain->sequence = record->sequence;
    memcpy(chain->record_hash, stored->record_hash, EDS_HASH_SIZE);
    return EDS_OK;
}

static void test_three_nodes(void **state)
{
    struct node nodes[NODE_COUNT] = {0};
    struct chain chain = chain_of("nobody");
    struct eds_ledger_counts counts;
    struct eds_ledger *ledger = NULL;
    uint64_t appended = 0, operations = 0, moved = 0;
    char url[POSTGRES_URL_SIZE];

    (void)state;
    postgres_place(&server, server.port, url);
    for (unsigned i = 0; i < NODE_COUNT; i++) { /* all of them find no tables */
        nodes[i].url = url;
        dice_seed(&nodes[i].dice);
        nodes[i].dice.state += i;
        assert_int_equal(pthread_create(&nodes[i].thread, NULL, run_node, &nodes[i]), 0);
    }
    for (unsigned i = 0; i < NODE_COUNT; i++)
        pthread_join(nodes[i].thread, NULL);
    for (unsigned i = 0; i < NODE_COUNT; i++) {
        if (nodes[i].rc != EDS_OK)
            fail_msg("node %u: %s", i, nodes[i].err.text);
        appended += nodes[i].appended;
        operations += nodes[i].operations;
        moved += nodes[i].moved;
    }
    assert_int_equal(eds_ledger_open(&ledger, url, NULL), EDS_OK);
    assert_int_equal(ledger->ops->counts(ledger, &counts, NULL), EDS_OK);
    assert_int_equal(counts.records, appended);
    assert_int_equal(counts.operations, operations);
    assert_int_equal(counts.objects, appended);
    assert_int_equal(counts.devices, DEVICE_COUNT);
    assert_int_equal(ledger->ops->scan(ledger, NULL, follow, &chain, NULL), EDS_OK);
    ledger->ops->close(ledger);
    print_message("%llu records stored, %llu races lost\n", (unsigned long long)appended,
                  (unsigned long long)moved);
    assert_true(moved > 0); /* else nothing was tried */

    /* Nor did nodes wait for each other crosswise, which costs a second, but over devices
     * that are new, as each of the five is once; else this divides by zero. */
    postgres_sql(&server, "SELECT 1 / CASE WHEN deadlocks <= 5 THEN 1 ELSE 0 END"
                          " FROM pg_stat_database WHERE datname = 'postgres'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_nodes),
    };
    int failed;

    if (!postgres_start(&server))
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_remove(&server);
    return failed;
}
