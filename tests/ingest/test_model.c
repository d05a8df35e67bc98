/* test_model.c - random events, answered by ingest and by a second, naive
 * implementation that knows how each event was made.
 *
 * The model has no hashes to compare and no signatures to check: the generator
 * tells it what is wrong with an event.  It keeps plain arrays, searches them
 * from the front, and never batches.  Answers, messages, operation log, ledger
 * and heads must be the same, whatever batches the committer makes of them,
 * over restarts and failing commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/model.h"
#include "store/gaps.h"
#include "store/roster.h"

#define STREAM_MAX  40u
#define EVENT_COUNT 20000u /* EDS_TEST_EVENTS in the environment sets another */

/* How an event was made. */
struct event {
    unsigned device;
    bool payload_wrong, route_wrong;
    bool signature_broken;
    unsigned signed_by; /* key number */
    int attested_by;    /* key number, or -1: none */
    bool attest_broken;
    bool rewritten; /* after it was attested */
    uint64_t sequence;
    bool prev_right; /* it names the model's last record */
    bool is_replay;  /* of an accepted record, byte for byte */
    bool ref_taken;  /* by another payload */
};

static bool rolls(struct model *m, unsigned one_in)
{
    return dice_below(&m->dice, one_in) == 0;
}

/* The ledger keeps records apart only of devices that its registry has quarantined. */
static void keep_enrolment(struct model *m, struct eds_enrolment *it)
{
    struct eds_roster_change change = {it, "changed", "the model", ""};
    struct eds_enrolment was;
    struct eds_error err;

    if (m->inner->roster->find(m->inner, EDS_ROLE_DEVICE, it->id, &was, &err) == EDS_OK) {
        it->revision = was.revision;
        it->quarantine_arrived = was.quarantine_arrived;
    }
    if (m->inner->roster->change(m->inner, &change, 1, 1, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

/* Tells the registry what the model's device is. */
static void enrol(struct model *m, const struct model_device *device)
{
    struct eds_enrolment it = {.state = device->state, .attest_required = device->attest_required};

    strcpy(it.id, device->id);
    for (it.key_count = 0; it.key_count + 1 < KEY_COUNT; it.key_count++) {
        const char *fault = device->key_faults[it.key_count];
        struct eds_enrolled_key *key = &it.keys[it.key_count];

        eds_ed25519_public_key(key->public_key, device->seeds[it.key_count]);
        key->not_after_ms = EDS_KEY_NO_END;
        key->not_after_sequence = device->key_ends[it.key_count];
        key->revoked = fault != NULL && strcmp(fault, "revoked") == 0;
        if (fault != NULL && strcmp(fault, "expired") == 0)
            key->not_after_ms = 1000000000000; /* in 2001 */
        if (fault != NULL && strcmp(fault, "not valid yet") == 0)
            key->not_before_ms = 30000000000000; /* in 2920 */
    }
    assert_int_equal(eds_registry_put(m->registry, &it, NULL), EDS_OK);
    keep_enrolment(m, &it);
}

static void make_devices(struct model *m)
{
    for (unsigned d = 0; d < DEVICE_COUNT; d++) {
        struct model_device *device = &m->devices[d];

        snprintf(device->id, sizeof device->id, d % 3 == 2 ? "g\"er\xc3\xa4t\n%u" : "lift-%u", d);
        device->known = d != 0;
        device->attest_required = d % 4 == 3;
        /* Changes of state are rare: with some seeds there are no others. */
        if (d == 4 || d == 7)
            device->state = d == 4 ? EDS_DEVICE_REVOKED : EDS_DEVICE_QUARANTINED;
        for (unsigned k = 0; k < KEY_COUNT; k++) {
            dice_bytes(&m->dice, device->seeds[k], EDS_SEED_SIZE);
            device->key_ends[k] = UINT64_MAX;
        }
        if (device->known)
            enrol(m, device);
    }
}

static void make_operator(struct model *m)
{
    struct eds_enrolment alice = {.role = EDS_ROLE_OPERATOR, .id = "alice", .key_count = 1};
    struct eds_roster_change change = {&alice, "added", "the model", ""};

    dice_bytes(&m->dice, alice.keys[0].public_key, EDS_PUBLIC_KEY_SIZE);
    assert_int_equal(m->inner->roster->change(m->inner, &change, 1, 1, NULL), EDS_OK);
    assert_int_equal(m->inner->roster->version(m->inner, &m->operator_revision, NULL), EDS_OK);
}

/* A record that was accepted from any device, or NULL. */
static const struct parcel *some_accepted(struct model *m)
{
    const struct model_device *device = &m->devices[dice_below(&m->dice, DEVICE_COUNT)];

    if (device->accepted_count == 0)
        return NULL;
    return &device->accepted[dice_below(&m->dice, device->accepted_count)];
}

static uint64_t roll_sequence(struct model *m, const struct model_device *device)
{
    uint64_t next = device->last_sequence + 1;

    switch (dice_below(&m->dice, 12)) {
    case 0:
        return next + 1 + dice_below(&m->dice, 3);
    case 1:
        return dice_below(&m->dice, (size_t)next + 1); /* 0, used, or next */
    case 2:
        return rolls(m, 4) ? UINT64_MAX : next;
    default:
        return next;
    }
}

/* Makes an event: mostly good, sometimes with one thing wrong, or several. */
static void roll_event(struct model *m, struct event *e, struct parcel *parcel)
{
    struct model_device *device;
    const struct parcel *other;
    uint8_t prev[EDS_HASH_SIZE];
    const char *ref = NULL;

    *e = (struct event){.device = (unsigned)dice_below(&m->dice, DEVICE_COUNT), .attested_by = -1};
    device = &m->devices[e->device];
    if (rolls(m, 10) && device->accepted_count > 0) {
        size_t which = dice_below(&m->dice, device->accepted_count);

        *parcel = device->accepted[which];
        e->is_replay = true;
        e->sequence = parcel->entry.record.sequence;
        e->signed_by = device->signers[which];
        e->attested_by = parcel->entry.attestation.present ? 0 : -1;
        return;
    }
    e->sequence = roll_sequence(m, device);
    e->prev_right = !rolls(m, 25);
    memcpy(prev, device->last_hash, sizeof prev);
    if (!e->prev_right)
        prev[dice_below(&m->dice, sizeof prev)] ^= 1;
    other = rolls(m, 25) ? some_accepted(m) : NULL;
    if (other != NULL) {
        ref = (const char *)other->entry.record.object_ref;
        e->ref_taken = true;
    }
    e->signed_by = rolls(m, 25) ? KEY_COUNT - 1 : (unsigned)dice_below(&m->dice, KEY_COUNT - 1);
    parcel_fill(parcel, device->id, e->sequence, prev, ref, device->seeds[e->signed_by]);
    if (device->attest_required || device->attested ? !rolls(m, 20) : rolls(m, 20)) {
        e->attested_by = rolls(m, 25) ? (int)dice_below(&m->dice, KEY_COUNT) : (int)e->signed_by;
        parcel_attest(parcel, device->seeds[e->attested_by]);
        e->attest_broken = rolls(m, 25);
        if (e->attest_broken)
            parcel->entry.attestation.signature[dice_below(&m->dice, 32)] ^= 4;
    }
    if (rolls(m, 30)) { /* on the way: the seven fields alone do not show it */
        parcel->entry.record.timestamp_ms++;
        e->rewritten = true;
    }
    if (rolls(m, 30)) {
        parcel->entry.record.signature[dice_below(&m->dice, 32)] ^= 2;
        e->signature_broken = true;
    }
    if (rolls(m, 30)) {
        parcel->payload[dice_below(&m->dice, PAYLOAD_SIZE)] ^= 8;
        e->payload_wrong = true;
    }
}

__attribute__((format(printf, 3, 4))) static enum eds_verdict say(char message[EDS_ERROR_TEXT_SIZE],
                                                                  enum eds_verdict verdict,
                                                                  const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, EDS_ERROR_TEXT_SIZE, format, arguments);
    va_end(arguments);
    return verdict;
}

static bool is_registered_key(int key)
{
    return key >= 0 && (unsigned)key + 1 < KEY_COUNT;
}

/* What the seven fields and the attestation are worth. */
static enum eds_verdict judge_request(const struct model_device *device, const struct event *e,
                                      char message[EDS_ERROR_TEXT_SIZE])
{
    static const char *const states[] = {"active", "quarantined", "revoked", "retired"};
    bool quarantined = device->state == EDS_DEVICE_QUARANTINED;
    const char *id = device->id;

    if (e->payload_wrong)
        return say(message, EDS_VERDICT_PAYLOAD_HASH, "payload hash mismatch");
    if (e->route_wrong)
        return say(message, EDS_VERDICT_ROUTE_IDENTITY,
                   "auth/device mismatch: cert_identity=nobody device_id=%s", id);
    if (!device->known)
        return say(message, EDS_VERDICT_UNKNOWN_DEVICE, "unknown device: %s", id);
    if (device->state != EDS_DEVICE_ACTIVE && !quarantined)
        return say(message, EDS_VERDICT_DEVICE_STATE, "device is %s: %s", states[device->state],
                   id);
    if (e->signature_broken || !is_registered_key((int)e->signed_by))
        return say(message, EDS_VERDICT_SIGNATURE, "invalid signature for device=%s", id);
    if (device->key_faults[e->signed_by] != NULL)
        return say(message, EDS_VERDICT_KEY, "key %s for device=%s",
                   device->key_faults[e->signed_by], id);
    if (e->sequence > device->key_ends[e->signed_by])
        return say(message, EDS_VERDICT_KEY, "key expired for device=%s", id);
    if (e->is_replay)
        return quarantined ? EDS_VERDICT_QUARANTINED : EDS_VERDICT_ACCEPTED;
    if (e->attested_by >= 0 &&
        (e->attest_broken || e->rewritten || (unsigned)e->attested_by != e->signed_by))
        return say(message, EDS_VERDICT_ATTESTATION, "invalid attestation for device=%s", id);
    if (quarantined)
        return say(message, EDS_VERDICT_QUARANTINED, "device is quarantined: %s", id);
    return EDS_VERDICT_ACCEPTED;
}

/* What is missing in a gap was never used. */
static bool is_used(const struct model_device *device, uint64_t sequence)
{
    for (size_t i = 0; i < device->accepted_count; i++)
        if (device->accepted[i].entry.record.sequence == sequence)
            return true;
    return false;
}

static enum eds_verdict judge(const struct model_device *device, const struct event *e,
                              const struct parcel *parcel, char message[EDS_ERROR_TEXT_SIZE])
{
    enum eds_verdict verdict = judge_request(device, e, message);
    const char *id = device->id;
    uint64_t next = device->last_sequence + 1;

    if (!eds_verdict_is_kept(verdict))
        return verdict;
    if (e->is_replay)
        return say(message, EDS_VERDICT_DUPLICATE,
                   "duplicate record for device=%s sequence=%" PRIu64, id, e->sequence);
    if (verdict == EDS_VERDICT_QUARANTINED && e->sequence != 0)
        return verdict;
    if ((device->attest_required || device->attested) && e->attested_by < 0)
        return say(message, EDS_VERDICT_ATTESTATION_ABSENT, "missing attestation for device=%s",
                   id);
    if (is_used(device, e->sequence))
        return say(message, EDS_VERDICT_CONFLICT,
                   "conflicting record for device=%s sequence=%" PRIu64
                   ": another record is already accepted",
                   id, e->sequence);
    if (e->sequence != next)
        return say(message, EDS_VERDICT_SEQUENCE,
                   "invalid sequence for device=%s: expected=%" PRIu64 " actual=%" PRIu64, id, next,
                   e->sequence);
    if (!e->prev_right)
        return say(message, EDS_VERDICT_PREVIOUS_HASH, "invalid previous hash for device=%s", id);
    if (e->ref_taken)
        return say(message, EDS_VERDICT_OBJECT_TAKEN,
                   "object reference already taken for device=%s: %s", id,
                   (const char *)parcel->entry.record.object_ref);
    message[0] = '\0';
    return EDS_VERDICT_ACCEPTED;
}

static void write_line(struct model *m, const char *line)
{
    if (m->log_count == m->log_size) {
        m->log_size = m->log_size * 2 + 1024;
        m->log = realloc(m->log, m->log_size * sizeof *m->log);
        assert_non_null(m->log);
    }
    snprintf(m->log[m->log_count++], sizeof *m->log, "%s", line);
}

/* Lets the model change as it does when its own store has said yes. */
static void apply(struct model *m, struct model_device *device, const struct event *e,
                  const struct parcel *parcel, enum eds_verdict verdict, const char *message)
{
    bool accepted = verdict == EDS_VERDICT_ACCEPTED;
    char line[EDS_ERROR_TEXT_SIZE];

    model_log_line(line,
                   accepted                             ? EDS_DECISION_ACCEPTED
                   : verdict == EDS_VERDICT_QUARANTINED ? EDS_DECISION_QUARANTINED
                                                        : EDS_DECISION_REJECTED,
                   device->id, parcel->entry.record.sequence,
                   accepted ? "ingest accepted" : message);
    write_line(m, line);
    if (verdict == EDS_VERDICT_CONFLICT)
        device->conflict_count++;
    if (verdict == EDS_VERDICT_QUARANTINED)
        device->quarantined_count++;
    if (!accepted)
        return;
    if (device->accepted_count == device->accepted_size) {
        device->accepted_size = device->accepted_size * 2 + 64;
        device->accepted =
            realloc(device->accepted, device->accepted_size * sizeof *device->accepted);
        device->signers = realloc(device->signers, device->accepted_size * sizeof *device->signers);
        assert_true(device->accepted != NULL && device->signers != NULL);
    }
    device->signers[device->accepted_count] = e->signed_by;
    device->accepted[device->accepted_count++] = *parcel;
    device->attested = device->attested || parcel->entry.attestation.present;
    device->last_sequence = parcel->entry.record.sequence;
    parcel_hash(parcel, device->last_hash);
}

/* Points a parcel's request at its own entry and payload. */
static void settle(struct parcel *parcel, const struct event *e, const char *id)
{
    parcel->submission.request = (struct eds_request){
        .entry = &parcel->entry,
        .payload = parcel->payload,
        .payload_size = PAYLOAD_SIZE,
        .route_identity = e->route_wrong ? "nobody" : (e->sequence % 2 == 0 ? id : NULL),
    };
}

static void compare(const struct parcel *parcel, enum eds_verdict verdict, const char *message)
{
    const struct eds_submission *s = &parcel->submission;

    if (s->verdict != verdict || strcmp(s->message, message) != 0)
        fail_msg("%s '%s' instead of %s '%s'", eds_verdict_name(s->verdict), s->message,
                 eds_verdict_name(verdict), message);
}

/* Up to forty events without waiting for an answer in between. */
static unsigned play_stream(struct model *m)
{
    static struct parcel parcels[STREAM_MAX];
    static char messages[STREAM_MAX][EDS_ERROR_TEXT_SIZE];
    enum eds_verdict verdicts[STREAM_MAX];
    unsigned count = 1 + (unsigned)dice_below(&m->dice, STREAM_MAX);
    struct tally tally;

    tally_make(&tally);
    for (unsigned i = 0; i < count; i++) {
        struct event e;
        struct model_device *device;

        roll_event(m, &e, &parcels[i]);
        e.route_wrong = rolls(m, 40);
        device = &m->devices[e.device];
        settle(&parcels[i], &e, device->id);
        verdicts[i] = judge(device, &e, &parcels[i], messages[i]);
        m->counts[verdicts[i]]++;
        apply(m, device, &e, &parcels[i], verdicts[i], messages[i]);
        tally_submit(&tally, m->ingest, &parcels[i]);
    }
    tally_wait(&tally);
    tally_free(&tally);
    for (unsigned i = 0; i < count; i++)
        compare(&parcels[i], verdicts[i], messages[i]);
    return count;
}

/* One event whose commit fails: rejections stand, nothing else happened. */
static void play_failure(struct model *m)
{
    static struct parcel parcel;
    char message[EDS_ERROR_TEXT_SIZE];
    struct model_device *device;
    enum eds_verdict verdict;
    struct event e;

    roll_event(m, &e, &parcel);
    device = &m->devices[e.device];
    settle(&parcel, &e, device->id);
    verdict = judge(device, &e, &parcel, message);
    faulty_fail(&m->ledger, FAULTY_COMMIT, 1, 1, EDS_ERR_IO);
    deliver(m->ingest, &parcel);
    faulty_heal(&m->ledger);
    /* That a reference is taken, the commit would have said. */
    if (eds_verdict_is_kept(verdict) || verdict == EDS_VERDICT_CONFLICT ||
        verdict == EDS_VERDICT_OBJECT_TAKEN) {
        verdict = EDS_VERDICT_STORE;
        strcpy(message, "the record could not be stored: send it again");
    } else {
        m->lines_lost++;
    }
    compare(&parcel, verdict, message);
    m->counts[verdict]++;
}

static void play_change(struct model *m)
{
    struct model_device *device = &m->devices[1 + dice_below(&m->dice, DEVICE_COUNT - 1)];

    eds_ingest_stop(m->ingest); /* the ledger is the committer's alone */
    if (rolls(m, 3)) {
        m->ingest = start(&m->config);
        return;
    }
    if (rolls(m, 2)) {
        device->state =
            rolls(m, 4) ? (enum eds_device_state)dice_below(&m->dice, 4) : EDS_DEVICE_ACTIVE;
    } else {
        static const char *const faults[] = {"revoked", "expired", "not valid yet"};
        size_t key = dice_below(&m->dice, KEY_COUNT - 1);

        device->key_faults[key] = rolls(m, 3) ? faults[dice_below(&m->dice, 3)] : NULL;
        device->key_ends[key] =
            rolls(m, 3) ? device->last_sequence + dice_below(&m->dice, 5) : UINT64_MAX;
    }
    enrol(m, device);
    m->ingest = start(&m->config);
}

/* An operator closes a gap behind a device's last record: beside the server where
 * the ledger can be opened twice, so that what it remembers of the head is out of
 * date. */
static void play_gap(struct model *m)
{
    struct model_device *device = &m->devices[1 + dice_below(&m->dice, DEVICE_COUNT - 1)];
    struct eds_ledger *ledger = m->other != NULL ? m->other : m->inner;
    struct eds_gap gap = {.last_sequence = device->last_sequence,
                          .resume_sequence = device->last_sequence + 1 + dice_below(&m->dice, 4),
                          .operator_name = "alice",
                          .reason = "lost"};
    struct eds_gap_closing closing = {&gap, m->operator_revision, "gap closed", 1};
    struct eds_error err;

    if (gap.resume_sequence < 2)
        return;
    strcpy(gap.device_id, device->id);
    memcpy(gap.last_record_hash, device->last_hash, EDS_HASH_SIZE);
    dice_bytes(&m->dice, gap.resume_hash, EDS_HASH_SIZE);
    if (m->other == NULL)
        eds_ingest_stop(m->ingest);
    if (ledger->gaps->close(ledger, &closing, &err) != EDS_OK)
        fail_msg("%s", err.text);
    if (m->other == NULL)
        m->ingest = start(&m->config);
    device->last_sequence = gap.resume_sequence - 1;
    memcpy(device->last_hash, gap.resume_hash, EDS_HASH_SIZE);
    device->gap_count++;
    m->gap_count++;
}

static void play(const char *url, unsigned event_count)
{
    static struct model model;
    struct model *m = &model;

    memset(m, 0, sizeof *m);
    dice_seed(&m->dice);
    m->registry = eds_registry_create();
    m->inner = open_ledger(url);
    m->other = strcmp(url, "memory:") != 0 ? open_ledger(url) : NULL;
    faulty_make(&m->ledger, m->inner);
    make_devices(m);
    make_operator(m);
    m->config = (struct eds_ingest_config){.ledger = &m->ledger.base,
                                           .registry = m->registry,
                                           .heads_max = 8, /* fewer than devices */
                                           .batch_max = 16,
                                           .rejections_logged_per_second = UINT32_MAX};
    m->ingest = start(&m->config);
    for (unsigned played = 0; played < event_count;) {
        played += play_stream(m);
        if (rolls(m, 10))
            play_failure(m);
        if (rolls(m, 20))
            play_change(m);
        if (rolls(m, 6))
            play_gap(m);
    }
    eds_ingest_stop(m->ingest);
    model_check(m);
    print_message("%-20s %zu\n", "gaps closed", m->gap_count);
    assert_true(event_count < EVENT_COUNT || m->gap_count > 0);
    for (unsigned i = 0; i <= EDS_VERDICT_STORE; i++) {
        bool is_elsewhere = i == EDS_VERDICT_RATE_LIMITED || i == EDS_VERDICT_PAYLOAD_ABSENT ||
                            i == EDS_VERDICT_TOO_LARGE;

        print_message("%-20s %zu\n", eds_verdict_name((enum eds_verdict)i), m->counts[i]);
        assert_true(is_elsewhere || event_count < EVENT_COUNT || m->counts[i] > 0);
    }
    for (unsigned d = 0; d < DEVICE_COUNT; d++) {
        free(m->devices[d].accepted);
        free(m->devices[d].signers);
    }
    free(m->log);
    faulty_free(&m->ledger);
    m->inner->ops->close(m->inner);
    if (m->other != NULL)
        m->other->ops->close(m->other);
    eds_registry_destroy(m->registry);
}

static void test_in_memory(void **state)
{
    const char *events = getenv("EDS_TEST_EVENTS");

    (void)state;
    play("memory:", events != NULL ? (unsigned)strtoul(events, NULL, 10) : EVENT_COUNT);
}

static void test_in_sqlite(void **state)
{
    char url[128];

    NEEDS_SQLITE();
    (void)state;
    temporary_url(url);
    play(url, 1000);
    temporary_remove(url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),
        cmocka_unit_test(test_in_sqlite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
