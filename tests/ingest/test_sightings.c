/* test_sightings.c - what devices say of themselves comes into the registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ingest/sightings.h"
#include "ingest/world.h"
#include "store/roster.h"

struct stage {
    struct eds_ledger *ledger;
    struct eds_sightings *sightings;
};

static int set_stage(void **state)
{
    static struct stage stage;
    struct eds_enrolment it = {.key_count = 1};
    struct eds_roster_change change = {&it, "device added", "alice", ""};

    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    stage.ledger = open_ledger("memory:");
    stage.sightings = eds_sightings_create();
    assert_non_null(stage.sightings);
    strcpy(it.id, "lift-a");
    it.keys[0].not_after_ms = it.keys[0].not_after_sequence = EDS_KEY_NO_END;
    assert_int_equal(stage.ledger->roster->change(stage.ledger, &change, 1, 1, NULL), EDS_OK);
    *state = &stage;
    return 0;
}

static int end_stage(void **state)
{
    struct stage *stage = *state;

    eds_sightings_destroy(stage->sightings);
    stage->ledger->ops->close(stage->ledger);
    return 0;
}

static void say(struct stage *stage, const char *device_id, uint64_t sequence,
                const char *reference, const char *payload)
{
    EdsAuditRecord record = {.sequence = sequence};

    strcpy((char *)record.device_id, device_id);
    strcpy((char *)record.object_ref, reference);
    eds_sightings_take(stage->sightings, &record, payload, strlen(payload));
}

static void say_version(struct stage *stage, const char *device_id, uint64_t sequence,
                        const char *version)
{
    char payload[256];

    snprintf(payload, sizeof payload, "{\"note\":\"firmware\",\"text\":\"%s\"}", version);
    say(stage, device_id, sequence, "edgesentry:note/lift-a/1", payload);
}

static void expect_firmware(struct stage *stage, const char *version, uint64_t changes)
{
    struct eds_ledger_counts counts;
    struct eds_enrolment it;

    eds_sightings_write(stage->sightings, stage->ledger);
    assert_int_equal(
        stage->ledger->roster->find(stage->ledger, EDS_ROLE_DEVICE, "lift-a", &it, NULL), EDS_OK);
    assert_string_equal(it.firmware, version);
    assert_int_equal(stage->ledger->ops->counts(stage->ledger, &counts, NULL), EDS_OK);
    assert_int_equal(counts.changed, 1 + changes);
}

/* The last word counts, and the same word again changes nothing. */
static void test_versions(void **state)
{
    struct stage *stage = *state;

    say_version(stage, "lift-a", 3, "2.4.0");
    say_version(stage, "lift-a", 4, "2.4.1");
    say_version(stage, "lift-a", 2, "2.3.0");
    expect_firmware(stage, "2.4.1", 1);
    say_version(stage, "lift-a", 9, "2.4.1");
    expect_firmware(stage, "2.4.1", 1);
    say_version(stage, "lift-a", 10, "");
    expect_firmware(stage, "", 2);
}

static void test_passed_over(void **state)
{
    struct stage *stage = *state;
    char longest[EDS_ENROLMENT_LABEL_SIZE], longer[EDS_ENROLMENT_LABEL_SIZE + 1];

    say(stage, "lift-a", 1, "s3://b/1", "{\"note\":\"firmware\",\"text\":\"2\"}");
    say(stage, "lift-a", 1, "edgesentry:note/lift-a/1", "{\"note\":\"clock\",\"text\":\"2\"}");
    say(stage, "lift-a", 1, "edgesentry:note/lift-a/1", "{\"note\":\"firmware\",\"text\":\"2\"");
    say(stage, "lift-a", 1, "edgesentry:note/lift-a/1", "");
    say_version(stage, "lift-a", 1, "2\\n3");
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    say_version(stage, "lift-a", 1, longer);
    say_version(stage, "nobody", 1, "2");
    expect_firmware(stage, "", 0);
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    say_version(stage, "lift-a", 1, longest);
    expect_firmware(stage, longest, 1);
}

static void test_full(void **state)
{
    struct stage *stage = *state;

    for (unsigned i = 0; i < EDS_SIGHTINGS_MAX; i++) {
        char id[16];

        snprintf(id, sizeof id, "crane-%u", i);
        say_version(stage, id, 1, "1");
    }
    say_version(stage, "lift-a", 1, "1"); /* no room */
    expect_firmware(stage, "", 0);
    say_version(stage, "lift-a", 2, "2"); /* and now there is */
    expect_firmware(stage, "2", 1);
}

/* A store that fails, and somebody who is faster, now and then. */
static const struct eds_roster_ops *usual;
static int32_t answers[4];
static size_t answered;

static int32_t failing_change(struct eds_ledger *ledger, const struct eds_roster_change *changes,
                              size_t count, uint64_t now_ms, struct eds_error *err)
{
    int32_t rc = answers[answered++];

    return rc != EDS_OK ? eds_error_set(err, rc, "disk full")
                        : usual->change(ledger, changes, count, now_ms, err);
}

static void test_store_fails(void **state)
{
    struct stage *stage = *state;
    struct eds_roster_ops failing;

    usual = stage->ledger->roster;
    failing = *usual;
    failing.change = failing_change;
    stage->ledger->roster = &failing;
    memcpy(answers, (int32_t[]){EDS_ERR_IO, EDS_ERR_HEAD_MOVED, EDS_OK, EDS_ERR_USAGE},
           sizeof answers);
    say_version(stage, "lift-a", 1, "1");
    expect_firmware(stage, "", 0);
    assert_int_equal(answered, 1); /* it waits */
    expect_firmware(stage, "1", 1);
    assert_int_equal(answered, 3);
    say_version(stage, "lift-a", 2, "2");
    expect_firmware(stage, "1", 1); /* what the store will never take is dropped */
    expect_firmware(stage, "1", 1);
    assert_int_equal(answered, 4);
    stage->ledger->roster = usual;
}

#define STAGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_stage, end_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_versions),
        STAGE_TEST(test_passed_over),
        STAGE_TEST(test_full),
        STAGE_TEST(test_store_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
