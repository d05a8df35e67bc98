/* test_peer_flush.c - the original's flushes, replayed into real ingest: the
 * same reports, the same words, and none of its losses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "device/maker.h"
#include "ingest/faulty_ledger.h"
#include "ingest/world.h"
#include "support/vectors.h"

struct ingest_sender {
    struct eds_sender sender; /* first */
    struct eds_ingest *ingest;
};

/* What an HTTP client makes of the answers, without the HTTP. */
static void send_to_ingest(struct eds_sender *sender, const struct eds_buffer_item *item,
                           struct eds_reply *out)
{
    struct eds_submission submission = {.request = {.entry = &item->entry,
                                                    .payload = item->payload,
                                                    .payload_size = item->payload_size}};

    switch (eds_ingest_submit_wait(((struct ingest_sender *)sender)->ingest, &submission)) {
    case EDS_VERDICT_ACCEPTED:
        out->outcome = EDS_OUTCOME_ACCEPTED;
        break;
    case EDS_VERDICT_DUPLICATE:
        out->outcome = EDS_OUTCOME_DUPLICATE;
        break;
    case EDS_VERDICT_STORE:
    case EDS_VERDICT_OVERLOADED:
        out->outcome = EDS_OUTCOME_AWAY;
        break;
    default:
        out->outcome = EDS_OUTCOME_REJECTED;
    }
    eds_ingest_answer_text(out->text, &submission);
}

struct replay {
    struct eds_registry *registry;
    struct eds_ledger *inner;
    struct faulty_ledger ledger;
    struct ingest_sender sender;
    struct eds_buffer *buffer;
    struct maker maker;
};

static void begin(struct replay *replay)
{
    uint8_t key[EDS_PUBLIC_KEY_SIZE];
    struct eds_ingest_config config;

    maker_init(&replay->maker, "lift-01");
    eds_ed25519_public_key(key, replay->maker.seed);
    replay->registry = eds_registry_create();
    assert_int_equal(eds_registry_add_key(replay->registry, "lift-01", key, false, NULL), EDS_OK);
    replay->inner = open_ledger("memory:");
    faulty_make(&replay->ledger, replay->inner);
    config =
        (struct eds_ingest_config){.ledger = &replay->ledger.base, .registry = replay->registry};
    replay->sender = (struct ingest_sender){.sender = {send_to_ingest}, .ingest = start(&config)};
    assert_int_equal(eds_buffer_open(&replay->buffer, "memory:", NULL, NULL), EDS_OK);
}

static void end(struct replay *replay)
{
    eds_buffer_close(replay->buffer);
    eds_ingest_stop(replay->sender.ingest);
    faulty_free(&replay->ledger);
    replay->inner->ops->close(replay->inner);
    eds_registry_destroy(replay->registry);
}

/* Fills the buffer as the case's name says. */
static void fill(struct replay *replay, const char *name, uint64_t count)
{
    static struct made made[3];
    size_t order[3] = {0, 1, 2};

    assert_true(count <= 3);
    for (size_t i = 0; i < 3; i++)
        maker_next(&replay->maker, 20, &made[i]);
    if (strcmp(name, "bad payload in the middle stops") == 0)
        made[1].payload[0] ^= 1;
    if (strcmp(name, "gap stops") == 0)
        order[1] = 2;
    if (strcmp(name, "wrong order") == 0) {
        order[0] = 1;
        order[1] = 0;
    }
    for (size_t i = 0; i < count; i++) {
        const struct made *one = &made[order[i]];

        assert_int_equal(eds_buffer_push(replay->buffer, &one->entry, one->payload, 20,
                                         EDS_PRIORITY_NORMAL, NULL),
                         EDS_OK);
    }
    if (strcmp(name, "first already delivered") == 0) {
        struct eds_buffer_item first = {
            .entry = made[0].entry, .payload = made[0].payload, .payload_size = 20};
        struct eds_reply reply;

        replay->sender.sender.send(&replay->sender.sender, &first, &reply);
        assert_int_equal(reply.outcome, EDS_OUTCOME_ACCEPTED);
    }
}

static uint64_t ledger_size(struct replay *replay)
{
    struct eds_ledger_counts counts;

    assert_int_equal(replay->inner->ops->counts(replay->inner, &counts, NULL), EDS_OK);
    return counts.records;
}

static void test_flushes(void **state)
{
    json_t *cases = vector_load("peer/offline_buffer.json");
    size_t i;
    json_t *one;

    (void)state;
    assert_int_equal(json_array_size(cases), 6);
    json_array_foreach(cases, i, one)
    {
        const json_t *flush = vector_get(one, "flush");
        const char *error = json_string_value(json_object_get(flush, "error"));
        struct replay replay;
        struct eds_flush_report report;
        struct eds_error err;
        int32_t rc;

        begin(&replay);
        fill(&replay, vector_string(one, "name"), vector_u64(one, "buffered"));
        rc = eds_buffer_flush(replay.buffer, &replay.sender.sender, EDS_REFUSAL_STOPS, &report,
                              &err);
        if (error != NULL) {
            assert_int_equal(rc, EDS_ERR_REFUSED);
            assert_int_equal(strncmp(error, "ingest service error: ", 22), 0);
            assert_string_equal(err.text, error + 22);
        } else {
            assert_int_equal(rc, EDS_OK);
            assert_int_equal(report.accepted, vector_u64(flush, "accepted"));
            assert_int_equal(report.remaining, vector_u64(flush, "remaining"));
            assert_int_equal(report.duplicates, vector_u64(one, "already_ingested"));
        }
        assert_int_equal(eds_buffer_len(replay.buffer), vector_u64(one, "len_after"));
        assert_int_equal(ledger_size(&replay), vector_u64(one, "ledger_len"));
        end(&replay);
    }
    json_decref(cases);
}

/* The original's server moves on although its store failed; its buffer then
 * takes the "duplicate" for a delivery, and the record is gone: 0 in the
 * ledger.  Here it is there. */
static void test_store_fails_once(void **state)
{
    json_t *cases = vector_load("peer/storage_failure.json");
    const json_t *one = json_array_get(cases, 3);
    struct replay replay;
    struct eds_flush_report report;
    struct eds_error err;

    (void)state;
    assert_int_equal(vector_u64(one, "ledger_appends_ok"), 0);
    begin(&replay);
    fill(&replay, "", 1);
    faulty_fail(&replay.ledger, FAULTY_COMMIT, 1, 1, EDS_ERR_IO);
    assert_int_equal(
        eds_buffer_flush(replay.buffer, &replay.sender.sender, EDS_REFUSAL_STOPS, &report, &err),
        EDS_ERR_BUSY);
    assert_int_equal(report.remaining, vector_u64(one, "len_after_flush1"));
    assert_int_equal(
        eds_buffer_flush(replay.buffer, &replay.sender.sender, EDS_REFUSAL_STOPS, &report, &err),
        EDS_OK);
    assert_int_equal(report.accepted, 1);
    assert_int_equal(report.duplicates, 0);
    assert_int_equal(report.remaining, vector_u64(one, "len_after_flush2"));
    assert_int_equal(ledger_size(&replay), 1);
    end(&replay);
    json_decref(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flushes),
        cmocka_unit_test(test_store_fails_once),
    };

    return cmocka_run_group_tests_name("flushes of edgesentry-rs", tests, NULL, NULL);
}
