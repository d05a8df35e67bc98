/* A good ledger has no findings; each row bends one answer of it, as somebody
 * with the database open could, and names every finding that follows. */
#include "evidence/ledger_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/ledger_fixture.h"
#include "evidence/pass_ledger.h"
#include "evidence/whole_scan.h"

#define FINDINGS_SIZE 4096u

/* A ledger that passes everything on to a good one, bent by one edit. */
struct bent {
    struct pass_ledger pass;
    const struct edit *edit;
    int32_t (*visit)(void *context, const struct eds_stored *);
    int32_t (*visit_head)(void *context, const char *device_id, const struct eds_head *);
    void *context;
};

struct edit {
    const char *name;
    /* Each may be NULL.  record: false leaves the row out. */
    bool (*record)(struct eds_entry *entry, uint8_t hash[EDS_HASH_SIZE]);
    bool (*conflict)(struct eds_entry *entry, uint8_t hash[EDS_HASH_SIZE]);
    bool (*head)(const char *device_id, struct eds_head *head);
    int32_t (*object)(const char *object_ref, uint8_t hash[EDS_HASH_SIZE]);
    int32_t (*payload)(const char *object_ref, char *payload, size_t *size);
    const char *findings; /* lines */
};

static bool is_record(const struct eds_entry *entry, const char *device_id, uint64_t sequence)
{
    return strcmp((const char *)entry->record.device_id, device_id) == 0 &&
           entry->record.sequence == sequence;
}

static int32_t visit_bent(void *context, const struct eds_stored *stored,
                          bool (*edit)(struct eds_entry *, uint8_t *))
{
    struct bent *bent = context;
    struct eds_entry entry = *stored->entry;
    struct eds_stored copy = *stored;

    copy.entry = &entry;
    if (edit != NULL && !edit(&entry, copy.record_hash))
        return EDS_OK;
    return bent->visit(bent->context, &copy);
}

static int32_t visit_record(void *context, const struct eds_stored *stored)
{
    return visit_bent(context, stored, ((struct bent *)context)->edit->record);
}

static int32_t visit_conflict(void *context, const struct eds_stored *stored)
{
    return visit_bent(context, stored, ((struct bent *)context)->edit->conflict);
}

static int32_t bent_scan(struct eds_ledger *ledger, const char *device_id,
                         int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                         struct eds_error *err)
{
    struct bent *bent = (struct bent *)ledger;

    bent->visit = visit;
    bent->context = context;
    return bent->pass.good->ops->scan(bent->pass.good, device_id, visit_record, bent, err);
}

static int32_t bent_conflicts(struct eds_ledger *ledger,
                              int32_t (*visit)(void *context, const struct eds_stored *),
                              void *context, struct eds_error *err)
{
    struct bent *bent = (struct bent *)ledger;

    bent->visit = visit;
    bent->context = context;
    return bent->pass.good->ops->conflicts(bent->pass.good, visit_conflict, bent, err);
}

static int32_t visit_head(void *context, const char *device_id, const struct eds_head *head)
{
    struct bent *bent = context;
    struct eds_head copy = *head;

    if (bent->edit->head != NULL && !bent->edit->head(device_id, &copy))
        return EDS_OK;
    return bent->visit_head(bent->context, device_id, &copy);
}

static int32_t bent_heads(struct eds_ledger *ledger,
                          int32_t (*visit)(void *context, const char *device_id,
                                           const struct eds_head *),
                          void *context, struct eds_error *err)
{
    struct bent *bent = (struct bent *)ledger;

    bent->visit_head = visit;
    bent->context = context;
    return bent->pass.good->ops->heads(bent->pass.good, visit_head, bent, err);
}

static int32_t bent_head(struct eds_ledger *ledger, const char *device_id, struct eds_head *out,
                         struct eds_error *err)
{
    struct bent *bent = (struct bent *)ledger;
    int32_t rc = bent->pass.good->ops->head(bent->pass.good, device_id, out, err);

    if (bent->edit->head != NULL && !bent->edit->head(device_id, out))
        memset(out, 0, sizeof *out);
    return rc;
}

struct wanted {
    uint64_t sequence;
    uint8_t *out;
    bool is_there;
};

static int32_t take_hash(void *context, const struct eds_stored *stored)
{
    struct wanted *wanted = context;

    if (stored->entry->record.sequence == wanted->sequence) {
        memcpy(wanted->out, stored->record_hash, EDS_HASH_SIZE);
        wanted->is_there = true;
    }
    return EDS_OK;
}

/* A row that is bent in a scan is bent under its key too. */
static int32_t bent_record_hash(struct eds_ledger *ledger, const char *device_id, uint64_t sequence,
                                uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct bent look = *(struct bent *)ledger; /* a scan of its own */
    struct wanted wanted = {sequence, out, false};
    int32_t rc = bent_scan(&look.pass.ledger, device_id, take_hash, &wanted, err);

    return rc != EDS_OK || wanted.is_there ? rc : EDS_ERR_NOT_FOUND;
}

static int32_t bent_object(struct eds_ledger *ledger, const char *object_ref,
                           uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct bent *bent = (struct bent *)ledger;
    int32_t rc = bent->pass.good->ops->object(bent->pass.good, object_ref, out, err);

    return bent->edit->object != NULL ? bent->edit->object(object_ref, out) : rc;
}

static int32_t bent_payload(struct eds_ledger *ledger, const char *object_ref, void **out,
                            size_t *out_size, struct eds_error *err)
{
    struct bent *bent = (struct bent *)ledger;
    int32_t rc = bent->pass.good->ops->payload(bent->pass.good, object_ref, out, out_size, err);

    if (rc == EDS_OK && bent->edit->payload != NULL)
        rc = bent->edit->payload(object_ref, *out, out_size);
    if (rc != EDS_OK)
        free(*out);
    return rc;
}

static void bend(struct bent *bent, struct eds_ledger *good, const struct edit *edit)
{
    struct eds_ledger_ops *ops = &bent->pass.ops;

    pass_ledger_init(&bent->pass, good);
    bent->edit = edit;
    ops->head = bent_head;
    ops->record_hash = bent_record_hash;
    ops->object = bent_object;
    ops->payload = bent_payload;
    ops->scan = bent_scan;
    ops->scan_whole = whole_scan;
    ops->heads = bent_heads;
    ops->conflicts = bent_conflicts;
}

/* The edits. */
static bool change_time(struct eds_entry *entry, uint8_t *hash)
{
    (void)hash;
    if (is_record(entry, "lift-01", 2))
        entry->record.timestamp_ms++;
    return true;
}

static bool change_last_time(struct eds_entry *entry, uint8_t *hash)
{
    (void)hash;
    if (is_record(entry, "lift-02", 2))
        entry->record.timestamp_ms++;
    return true;
}

/* Somebody who knows the format changes the hash along. */
static bool change_last_time_and_hash(struct eds_entry *entry, uint8_t *hash)
{
    if (is_record(entry, "lift-02", 2)) {
        entry->record.timestamp_ms++;
        assert_int_equal(eds_record_digest(hash, &entry->record), EDS_OK);
    }
    return true;
}

static bool change_signature(struct eds_entry *entry, uint8_t *hash)
{
    if (is_record(entry, "lift-01", 3)) {
        entry->record.signature[5] ^= 1;
        assert_int_equal(eds_record_digest(hash, &entry->record), EDS_OK);
    }
    return true;
}

static bool change_attestation(struct eds_entry *entry, uint8_t *hash)
{
    (void)hash;
    if (is_record(entry, "lift-01", 3))
        entry->attestation.signature[5] ^= 1;
    return true;
}

static bool drop_attestation(struct eds_entry *entry, uint8_t *hash)
{
    (void)hash;
    if (is_record(entry, "lift-01", 2))
        entry->attestation.present = false;
    return true;
}

static bool drop_first(struct eds_entry *entry, uint8_t *hash)
{
    (void)hash;
    return !is_record(entry, "lift-01", 1);
}

static bool drop_middle(struct eds_entry *entry, uint8_t *hash)
{
    (void)hash;
    return !is_record(entry, "lift-01", 2);
}

static bool drop_last(struct eds_entry *entry, uint8_t *hash)
{
    (void)hash;
    return !is_record(entry, "lift-01", 3);
}

static bool drop_device(struct eds_entry *entry, uint8_t *hash)
{
    (void)hash;
    return strcmp((const char *)entry->record.device_id, "lift-02") != 0;
}

static bool change_stored_hash(struct eds_entry *entry, uint8_t *hash)
{
    if (is_record(entry, "lift-01", 1))
        hash[0] ^= 1;
    return true;
}

static bool change_fork(struct eds_entry *entry, uint8_t *hash)
{
    (void)hash;
    entry->record.timestamp_ms++;
    return true;
}

/* The fork becomes the record that was accepted. */
static bool copy_accepted(struct eds_entry *entry, uint8_t *hash)
{
    entry->record.timestamp_ms = 1000;
    assert_int_equal(eds_record_digest(hash, &entry->record), EDS_OK);
    return true;
}

static bool is_lift_1(const char *text)
{
    return strstr(text, "lift-01") != NULL;
}

static bool change_head_hash(const char *device_id, struct eds_head *head)
{
    head->record_hash[0] ^= is_lift_1(device_id);
    return true;
}

static bool set_head_back(const char *device_id, struct eds_head *head)
{
    struct eds_ledger *ledger = fixture_open();

    if (is_lift_1(device_id)) {
        head->sequence = 2;
        assert_int_equal(ledger->ops->record_hash(ledger, device_id, 2, head->record_hash, NULL),
                         EDS_OK);
    }
    ledger->ops->close(ledger);
    return true;
}

static bool set_head_ahead(const char *device_id, struct eds_head *head)
{
    head->sequence += is_lift_1(device_id);
    return true;
}

static bool drop_head(const char *device_id, struct eds_head *head)
{
    (void)head;
    return !is_lift_1(device_id);
}

static bool clear_attested(const char *device_id, struct eds_head *head)
{
    (void)device_id;
    head->attested = false;
    return true;
}

static int32_t change_object(const char *object_ref, uint8_t *hash)
{
    hash[0] ^= strcmp(object_ref, "mem://lift-01/2") == 0;
    return EDS_OK;
}

static int32_t drop_object(const char *object_ref, uint8_t *hash)
{
    (void)hash;
    return strcmp(object_ref, "mem://lift-01/2") == 0 ? EDS_ERR_NOT_FOUND : EDS_OK;
}

static int32_t fail_object(const char *object_ref, uint8_t *hash)
{
    (void)hash;
    return strcmp(object_ref, "mem://lift-01/2") == 0 ? EDS_ERR_IO : EDS_OK;
}

static int32_t change_payload(const char *object_ref, char *payload, size_t *size)
{
    (void)size;
    payload[0] = (char)(payload[0] ^ (strcmp(object_ref, "mem://lift-02/1") == 0));
    return EDS_OK;
}

static int32_t cut_payload(const char *object_ref, char *payload, size_t *size)
{
    (void)payload;
    *size -= strcmp(object_ref, "mem://lift-02/1") == 0;
    return EDS_OK;
}

static int32_t drop_payload(const char *object_ref, char *payload, size_t *size)
{
    (void)payload;
    (void)size;
    return strcmp(object_ref, "mem://lift-02/1") == 0 ? EDS_ERR_NOT_FOUND : EDS_OK;
}

#define RECORD(edit) #edit, .record = edit
#define HEAD(edit)   #edit, .head = edit

static const struct edit edits[] = {
    {"none", .findings = ""},
    {RECORD(change_time), .findings =
                              "device=lift-01 sequence=2: the stored hash is not the record's\n"
                              "device=lift-01 sequence=2: invalid attestation at index 1\n"
                              "device=lift-01 sequence=3: invalid previous hash at index 2\n"},
    {RECORD(change_last_time),
     .findings = "device=lift-02 sequence=2: the stored hash is not the record's\n"},
    {RECORD(change_last_time_and_hash), /* the head still knows */
     .findings = "device=lift-02 sequence=2: the chain's head does not agree with the records\n"},
    {RECORD(change_signature),
     .findings = "device=lift-01 sequence=3: invalid signature at index 2\n"
                 "device=lift-01 sequence=3: the chain's head does not agree with the records\n"},
    {RECORD(change_attestation),
     .findings = "device=lift-01 sequence=3: invalid attestation at index 2\n"},
    {RECORD(drop_attestation),
     .findings = "device=lift-01 sequence=2: no attestation at index 1\n"},
    {RECORD(drop_first),
     .findings =
         "device=lift-01 sequence=2: invalid previous hash at index 0\n"
         "device=lift-01 sequence=1: the operation log says that it was accepted, and it is "
         "not there\n"},
    {RECORD(drop_middle),
     .findings =
         "device=lift-01 sequence=3: invalid previous hash at index 1\n"
         "device=lift-01 sequence=2: the operation log says that it was accepted, and it is "
         "not there\n"},
    {RECORD(drop_last),
     .findings =
         "device=lift-01 sequence=3: the chain's head names this record, "
         "and it is not there\n"
         "device=lift-01 sequence=3: the operation log says that it was accepted, and it is "
         "not there\n"},
    {RECORD(drop_device),
     .findings =
         "device=lift-02 sequence=2: the chain's head names this record, and it is not "
         "there\n"
         "device=lift-02 sequence=1: the fork kept is no other record than the accepted "
         "one\n"
         "device=lift-02 sequence=1: the operation log says that it was accepted, and it is "
         "not there\n"
         "device=lift-02 sequence=2: the operation log says that it was accepted, and it is "
         "not there\n"},
    {RECORD(change_stored_hash),
     .findings = "device=lift-01 sequence=1: the stored hash is not the record's\n"},
    {HEAD(change_head_hash),
     .findings = "device=lift-01 sequence=3: the chain's head does not agree with the records\n"},
    {HEAD(set_head_back),
     .findings = "device=lift-01 sequence=3: the chain's head does not agree with the records\n"},
    {HEAD(set_head_ahead), .findings = "device=lift-01 sequence=4: the chain's head names this "
                                       "record, and it is not there\n"},
    {HEAD(drop_head),
     .findings = "device=lift-01 sequence=3: the chain's head does not agree with the records\n"},
    {HEAD(clear_attested),
     .findings = "device=lift-01 sequence=3: the chain's head does not agree with the records\n"},
    {"change_object", .object = change_object,
     .findings = "device=lift-01 sequence=2: its reference stands for another payload\n"},
    {"drop_object", .object = drop_object,
     .findings = "device=lift-01 sequence=2: its reference stands for nothing\n"},
    {"change_payload", .payload = change_payload,
     .findings = "device=lift-02 sequence=1: the payload kept here has another hash\n"},
    {"cut_payload", .payload = cut_payload,
     .findings = "device=lift-02 sequence=1: the payload kept here has another hash\n"},
    {"drop_payload", .payload = drop_payload, .findings = ""}, /* kept elsewhere: counted */
    {"change_fork", .conflict = change_fork,
     .findings = "device=lift-02 sequence=1: the stored hash is not the record's\n"},
    {"copy_accepted", .conflict = copy_accepted,
     .findings = "device=lift-02 sequence=1: the fork kept is no other record than the accepted "
                 "one\n"},
};

static struct eds_enrolled_key given_key;

/* The right keys. */
static size_t give_keys(void *context, const char *device_id, const struct eds_enrolled_key **out)
{
    (void)context;
    eds_ed25519_public_key(given_key.public_key,
                           is_lift_1(device_id) ? fixture_seed_1 : fixture_seed_2);
    given_key.not_after_ms = given_key.not_after_sequence = EDS_KEY_NO_END;
    *out = &given_key;
    return 1;
}

/* Only lift-01's, and it is given for both. */
static size_t give_wrong_key(void *context, const char *device_id,
                             const struct eds_enrolled_key **out)
{
    (void)device_id;
    return give_keys(context, "lift-01", out);
}

static void found(void *context, const struct eds_ledger_finding *finding)
{
    char *findings = context;
    char text[512];

    eds_ledger_finding_text(text, sizeof text, finding);
    assert_true(strlen(findings) + strlen(text) + 2 < FINDINGS_SIZE);
    strcat(findings, text);
    strcat(findings, "\n");
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void test_edits(void **state)
{
    struct eds_ledger *good = fixture_open();

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        char findings[FINDINGS_SIZE] = "";
        struct bent bent;
        struct eds_ledger_check check = {
            .ledger = &bent.pass.ledger, .keys = give_keys, .found = found, .context = findings};
        struct eds_ledger_summary summary;

        bend(&bent, good, &edits[i]);
        assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), EDS_OK);
        if (strcmp(findings, edits[i].findings) != 0)
            print_error("%s\n", edits[i].name);
        assert_string_equal(findings, edits[i].findings);
        assert_int_equal(summary.finding_count, count_lines(findings));
    }
    good->ops->close(good);
}

static void test_counts(void **state)
{
    struct eds_ledger *good = fixture_open();
    struct eds_ledger_check check = {.ledger = good, .keys = give_keys};
    struct eds_ledger_summary summary;

    (void)state;
    assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), EDS_OK);
    assert_int_equal(summary.record_count, FIXTURE_RECORD_COUNT);
    assert_int_equal(summary.device_count, 2);
    assert_int_equal(summary.verified_count, 5);
    assert_int_equal(summary.attested_count, 3);
    assert_int_equal(summary.payload_count, 5);
    assert_int_equal(summary.payload_absent_count, 0);
    assert_int_equal(summary.conflict_count, 1);
    assert_int_equal(summary.finding_count, 0);
    check.keys = NULL; /* what cannot be checked is not counted as checked */
    assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), EDS_OK);
    assert_int_equal(summary.verified_count, 0);
    assert_int_equal(summary.finding_count, 0);
    check.keys = give_wrong_key;
    assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), EDS_OK);
    assert_int_equal(summary.finding_count, 2);
    good->ops->close(good);
}

/* A store that fails ends the walk with its error, not with a verdict. */
static void test_store_failure(void **state)
{
    static const struct edit failing = {"fail_object", .object = fail_object};
    struct eds_ledger *good = fixture_open();
    struct bent bent;
    struct eds_ledger_check check = {.ledger = &bent.pass.ledger};
    struct eds_ledger_summary summary;

    (void)state;
    bend(&bent, good, &failing);
    assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), EDS_ERR_IO);
    good->ops->close(good);
}

static void test_empty(void **state)
{
    struct eds_ledger *ledger = NULL;
    struct eds_ledger_check check = {0};
    struct eds_ledger_summary summary;

    (void)state;
    assert_int_equal(eds_ledger_open(&ledger, "memory:", NULL), EDS_OK);
    check.ledger = ledger;
    assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), EDS_OK);
    assert_int_equal(summary.record_count, 0);
    assert_int_equal(summary.finding_count, 0);
    ledger->ops->close(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_store_failure),
        cmocka_unit_test(test_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
