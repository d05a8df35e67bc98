/* test_transcripts.c - what edgesentry-rs answered, step by step, answered again
 * by the whole way in, with every ledger.
 *
 * The answers, the operation log and the ledger are equal but for the rules
 * that are ours: another record under a used sequence is a conflict and not a
 * duplicate; a reference stands for one payload; a key serves one device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/features.h"
#include "ingest/world.h"
#include "support/postgres.h"
#include "support/vectors.h"

/* Answers of ours that differ: by scenario and step. */
static const struct {
    const char *scenario, *step, *answer;
} differences[] = {
    {"duplicate", "seq 1, other content, valid signature",
     "conflicting record for device=lift-01 sequence=1: another record is already accepted"},
    {"order of checks", "duplicate + bad prev",
     "conflicting record for device=lift-01 sequence=1: another record is already accepted"},
    {"in-flight rewrite", "genuine seq 1",
     "conflicting record for device=lift-01 sequence=1: another record is already accepted"},
    {"replay of a captured payload", "genuine seq 2",
     "conflicting record for device=lift-01 sequence=2: another record is already accepted"},
    {"record moved to another device", "same signature, device_id changed",
     "unknown device: lift-02"},
    {"same object_ref twice", "seq 2 same object_ref",
     "object reference already taken for device=lift-01: same/ref"},
};
#define DIFFERENCE_COUNT (sizeof differences / sizeof differences[0])

struct replay {
    struct eds_registry *registry;
    struct eds_ledger *ledger;
    struct eds_ingest *ingest;
    const char *scenario;
    const json_t *log; /* what is expected of the operation log */
    size_t log_at;
    size_t accepted;
    unsigned differences_met; /* bits */
};

/* Our message where a rule of ours holds, NULL where the original's does. */
static const char *our_message(struct replay *replay, const char *step)
{
    for (unsigned i = 0; i < DIFFERENCE_COUNT; i++)
        if (strncmp(replay->scenario, differences[i].scenario, strlen(differences[i].scenario)) ==
                0 &&
            strcmp(step, differences[i].step) == 0) {
            replay->differences_met |= 1u << i;
            return differences[i].answer;
        }
    return NULL;
}

static void register_devices(struct replay *replay, const json_t *devices)
{
    const json_t *row;
    size_t i;

    json_array_foreach(devices, i, row)
    {
        uint8_t key[EDS_PUBLIC_KEY_SIZE];
        int32_t rc;

        assert_int_equal(vector_hex(row, "public_key_hex", key, sizeof key), sizeof key);
        rc = eds_registry_add_key(replay->registry, vector_string(row, "device_id"), key, false,
                                  NULL);
        if (i == 1 && strncmp(replay->scenario, "record moved", 12) == 0)
            assert_int_equal(rc, EDS_ERR_EXISTS); /* a key serves one device */
        else
            assert_int_equal(rc, EDS_OK);
    }
}

static void play_step(struct replay *replay, const json_t *step)
{
    const char *what = vector_string(step, "what"), *ours = our_message(replay, what);
    const char *answer = vector_string(step, "ingest_service");
    char text[EDS_ERROR_TEXT_SIZE], expected[EDS_ERROR_TEXT_SIZE];
    json_t *record = vector_parse(vector_string(step, "record_json"));
    struct parcel parcel = {0};
    uint8_t payload[256];
    enum eds_verdict verdict;

    vector_record(&parcel.entry.record, record);
    json_decref(record);
    parcel.submission.request = (struct eds_request){
        .entry = &parcel.entry,
        .payload = payload,
        .payload_size = vector_hex(step, "payload_hex", payload, sizeof payload),
        .route_identity = json_string_value(json_object_get(step, "cert_identity")),
    };
    verdict = deliver(replay->ingest, &parcel);
    eds_ingest_answer_text(text, &parcel.submission);
    if (ours != NULL) {
        snprintf(expected, sizeof expected, "ingest verification failed: %s", ours);
        answer = expected;
    }
    if (strcmp(answer, "ok") == 0) {
        assert_int_equal(verdict, EDS_VERDICT_ACCEPTED);
        assert_string_equal(text, "");
        replay->accepted++;
    } else if (strcmp(text, answer) != 0) {
        fail_msg("%s, %s: '%s' instead of '%s'", replay->scenario, what, text, answer);
    }
}

static int32_t check_operation(void *context, const struct eds_operation *operation,
                               uint64_t created_ms)
{
    struct replay *replay = context;
    const json_t *row = json_array_get(replay->log, replay->log_at);
    bool accepted = operation->decision == EDS_DECISION_ACCEPTED;
    const char *ours = NULL;

    assert_non_null(row);
    assert_true(created_ms > 0);
    assert_string_equal(operation->device_id, vector_string(row, "device_id"));
    assert_int_equal(operation->sequence, vector_u64(row, "sequence"));
    for (unsigned i = 0; i < DIFFERENCE_COUNT; i++)
        if (strcmp(operation->message, differences[i].answer) == 0)
            ours = operation->message; /* the steps have been compared one by one */
    if (ours == NULL) {
        assert_string_equal(accepted ? "Accepted" : "Rejected", vector_string(row, "decision"));
        assert_string_equal(operation->message, vector_string(row, "message"));
    } else {
        assert_false(accepted);
    }
    replay->log_at++;
    return EDS_OK;
}

static void check_ledger(struct replay *replay, const json_t *scenario)
{
    const json_t *rows = vector_get(scenario, "ledger"), *row;
    struct eds_ledger_counts counts;
    size_t i, present = 0;

    json_array_foreach(rows, i, row)
    {
        uint8_t expected[EDS_HASH_SIZE], actual[EDS_HASH_SIZE];

        vector_hex(row, "record_hash_hex", expected, sizeof expected);
        if (replay->ledger->ops->record_hash(replay->ledger, vector_string(row, "device_id"),
                                             vector_u64(row, "sequence"), actual, NULL) != EDS_OK)
            continue; /* not accepted here; counted below */
        assert_memory_equal(actual, expected, sizeof actual);
        present++;
    }
    assert_int_equal(present, replay->accepted);
    assert_int_equal(replay->ledger->ops->counts(replay->ledger, &counts, NULL), EDS_OK);
    assert_int_equal(counts.records, present);
}

static unsigned play(const char *url, const json_t *scenario)
{
    const json_t *steps = vector_get(scenario, "steps"), *step;
    struct replay replay = {.registry = eds_registry_create(),
                            .ledger = open_ledger(url),
                            .scenario = vector_string(scenario, "name"),
                            .log = vector_get(scenario, "operation_log")};
    size_t i;

    assert_non_null(replay.registry);
    register_devices(&replay, vector_get(scenario, "devices"));
    replay.ingest =
        start(&(struct eds_ingest_config){.ledger = replay.ledger, .registry = replay.registry});
    json_array_foreach(steps, i, step) play_step(&replay, step);
    eds_ingest_stop(replay.ingest);
    assert_int_equal(replay.ledger->ops->operations(replay.ledger, check_operation, &replay, NULL),
                     EDS_OK);
    assert_int_equal(replay.log_at, json_array_size(replay.log));
    check_ledger(&replay, scenario);
    replay.ledger->ops->close(replay.ledger);
    eds_registry_destroy(replay.registry);
    return replay.differences_met;
}

enum place { PLACE_MEMORY, PLACE_SQLITE, PLACE_POSTGRES };

static struct postgres_server server; /* of the last one */

static void play_all(enum place place)
{
    json_t *scenarios = vector_load("peer/ingest_transcripts.json"), *scenario;
    unsigned differences_met = 0;
    size_t i, played = 0;

    json_array_foreach(scenarios, i, scenario)
    {
        char url[POSTGRES_URL_SIZE] = "memory:";

        if (json_object_get(scenario, "steps") == NULL)
            continue; /* a second key takes the first one's place there, here it is added */
        played++;
        if (place == PLACE_SQLITE)
            temporary_url(url);
        else if (place == PLACE_POSTGRES)
            postgres_place(&server, server.port, url);
        differences_met |= play(url, scenario);
        if (place == PLACE_SQLITE)
            temporary_remove(url);
    }
    assert_int_equal(played, 18);
    assert_int_equal(differences_met, (1u << DIFFERENCE_COUNT) - 1); /* none is stale */
    json_decref(scenarios);
}

static void test_transcripts_in_memory(void **state)
{
    (void)state;
    play_all(PLACE_MEMORY);
}

static void test_transcripts_in_sqlite(void **state)
{
    (void)state;
    NEEDS_SQLITE();
    play_all(PLACE_SQLITE);
}

static void test_transcripts_in_postgres(void **state)
{
    (void)state;
#if EDS_POSTGRES
    if (!postgres_start(&server))
        skip();
    play_all(PLACE_POSTGRES);
    postgres_remove(&server);
#else
    print_message("skipped: this build has no PostgreSQL\n");
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcripts_in_memory),
        cmocka_unit_test(test_transcripts_in_sqlite),
        cmocka_unit_test(test_transcripts_in_postgres),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
