/* roster_sample.c - see roster_sample.h. */
#include "store/roster_sample.h"
#include "support/enrolment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#define NOW_MS UINT64_C(1795305600123)

struct eds_enrolled_key *sample_key(struct eds_enrolment *it, uint32_t key)
{
    struct eds_enrolled_key *at = &it->keys[it->key_count++];

    memset(at, 0, sizeof *at);
    memset(at->public_key, 0x5a, sizeof at->public_key);
    memcpy(at->public_key, &key, sizeof key);
    at->not_after_ms = EDS_KEY_NO_END;
    at->not_after_sequence = EDS_KEY_NO_END;
    return at;
}

struct eds_enrolment sample_device(const char *id, uint32_t key)
{
    struct eds_enrolment it = {.role = EDS_ROLE_DEVICE};

    assert_true(strlen(id) < sizeof it.id);
    strcpy(it.id, id);
    sample_key(&it, key);
    return it;
}

int32_t sample_put(struct eds_ledger *ledger, const struct eds_enrolment *it, const char *message)
{
    struct eds_roster_change change = {it, message, "alice", "a test"};
    struct eds_error err = {0};
    int32_t rc = ledger->roster->change(ledger, &change, 1, NOW_MS, &err);

    assert_int_equal(err.code, rc);
    return rc;
}

void sample_must_put(struct eds_ledger *ledger, struct eds_enrolment *it, const char *message)
{
    struct eds_roster_change change = {it, message, "alice", "a test"};
    struct eds_enrolment found;
    struct eds_error err;

    if (ledger->roster->change(ledger, &change, 1, NOW_MS, &err) != EDS_OK)
        fail_msg("%s", err.text);
    if (ledger->roster->find(ledger, it->role, it->id, &found, &err) != EDS_OK)
        fail_msg("%s", err.text);
    enrolment_same(&found, it);
    assert_int_equal(found.revision, sample_version(ledger));
    *it = found;
}

static int32_t next_batch(struct eds_roster_source *base, const struct eds_roster_change **changes,
                          size_t *count, struct eds_error *err)
{
    struct sample_source *source = (struct sample_source *)base;
    size_t left = source->count - source->done;

    if (++source->batch == source->fail_at)
        return eds_error_set(err, SAMPLE_FAILED, "it was to fail");
    *changes = source->changes + source->done;
    *count = left < source->batch_size ? left : source->batch_size;
    source->done += *count;
    return EDS_OK;
}

struct sample_source sample_source(const struct eds_roster_change *changes, size_t count,
                                   size_t batch_size, size_t fail_at)
{
    return (struct sample_source){.source = {next_batch},
                                  .changes = changes,
                                  .count = count,
                                  .batch_size = batch_size,
                                  .fail_at = fail_at};
}

uint64_t sample_version(struct eds_ledger *ledger)
{
    uint64_t version = UINT64_MAX;
    struct eds_error err;

    if (ledger->roster->version(ledger, &version, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return version;
}
