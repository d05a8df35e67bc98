/* Gaps that were closed are no faults, and each is shown; whatever is bent about one
 * is found, and in a file of records and one of gaps no less. */
#include "evidence/ledger_gaps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/chain_check.h"
#include "evidence/gap_list.h"
#include "evidence/ledger_export.h"
#include "evidence/pass_ledger.h"
#include "store/roster.h"
#include "support/alloc.h"

#define NOW_MS UINT64_C(1795305600123)

static const uint8_t device_seed[EDS_SEED_SIZE] = {1}, alice_seed[EDS_SEED_SIZE] = {2};
static struct eds_ledger *good;
static struct eds_enrolled_key device_key, alice_key;

static void set_key(struct eds_enrolled_key *key, const uint8_t *seed)
{
    *key = (struct eds_enrolled_key){.not_after_ms = EDS_KEY_NO_END,
                                     .not_after_sequence = EDS_KEY_NO_END};
    eds_ed25519_public_key(key->public_key, seed);
}

/* The device's next records, behind a head. */
static void append(const char *device_id, unsigned count)
{
    struct eds_head head;

    assert_int_equal(good->ops->head(good, device_id, &head, NULL), EDS_OK);
    for (unsigned i = 0; i < count; i++) {
        struct eds_entry entry = {.attestation = {.present = false}};
        struct eds_append append = {.entry = &entry, .payload = "abc", .payload_size = 3};
        struct eds_operation line = {.device_id = device_id, .message = "ingest accepted"};
        struct eds_commit commit = {.appends = &append,
                                    .append_count = 1,
                                    .operations = &line,
                                    .operation_count = 1,
                                    .now_ms = NOW_MS};
        char object_ref[64];

        line.sequence = ++head.sequence;
        snprintf(object_ref, sizeof object_ref, "mem://%s/%llu", device_id,
                 (unsigned long long)head.sequence);
        assert_int_equal(eds_record_sign(&entry.record, device_id, head.sequence, 1, "abc", 3,
                                         head.record_hash, object_ref, device_seed, NULL),
                         EDS_OK);
        assert_int_equal(eds_record_digest(head.record_hash, &entry.record), EDS_OK);
        memcpy(append.record_hash, head.record_hash, EDS_HASH_SIZE);
        assert_int_equal(good->ops->commit(good, &commit, NULL), EDS_OK);
    }
}

static void close_gap(const char *device_id, uint64_t resume_sequence, uint8_t resume_byte)
{
    struct eds_gap gap = {.resume_sequence = resume_sequence,
                          .closed_ms = NOW_MS,
                          .operator_name = "alice",
                          .reason = "flash replaced"};
    struct eds_gap_closing closing = {&gap, 1, "gap closed", NOW_MS};
    struct eds_head head;

    strcpy(gap.device_id, device_id);
    assert_int_equal(good->ops->head(good, device_id, &head, NULL), EDS_OK);
    gap.last_sequence = head.sequence;
    memcpy(gap.last_record_hash, head.record_hash, EDS_HASH_SIZE);
    memset(gap.resume_hash, resume_byte, EDS_HASH_SIZE);
    assert_int_equal(eds_gap_sign(&gap, alice_seed, NULL), EDS_OK);
    assert_int_equal(good->gaps->close(good, &closing, NULL), EDS_OK);
}

/* lift-01: 1 to 3, a gap up to 9, 9 and 10, a gap to 12 that is corrected, 12; lift-02:
 * a gap before all, 5, and a gap behind it; lift-03: two gaps and no record. */
static int make_ledger(void **state)
{
    struct eds_enrolment alice = {.role = EDS_ROLE_OPERATOR, .id = "alice", .key_count = 1};
    struct eds_roster_change change = {&alice, "operator added", "test", ""};

    (void)state;
    set_key(&device_key, device_seed);
    set_key(&alice_key, alice_seed);
    alice.keys[0] = alice_key;
    assert_int_equal(eds_ledger_open(&good, "memory:", NULL), EDS_OK);
    assert_int_equal(good->roster->change(good, &change, 1, NOW_MS, NULL), EDS_OK);
    append("lift-01", 3);
    close_gap("lift-01", 9, 0x91);
    append("lift-01", 2);
    close_gap("lift-01", 12, 0x11);
    close_gap("lift-01", 12, 0);
    append("lift-01", 1);
    close_gap("lift-02", 5, 0x22);
    append("lift-02", 1);
    close_gap("lift-02", 20, 0x23);
    close_gap("lift-03", 4, 0x33);
    close_gap("lift-03", 8, 0x34);
    return 0;
}

static int close_ledger(void **state)
{
    (void)state;
    good->ops->close(good);
    return 0;
}

/* The good one, with its gaps bent by an edit; false hides a gap. */
struct bent {
    struct pass_ledger pass;
    bool (*edit)(struct eds_gap *gap);
    bool is_failing;
    size_t shown;
    char findings[2048];
};

static int32_t bent_next(struct eds_ledger *ledger, const char *device_id,
                         struct eds_gap_place *place, struct eds_gap *out, struct eds_error *err)
{
    struct bent *bent = (struct bent *)ledger;
    int32_t rc;

    do {
        rc = good->gaps->next(good, device_id, place, out, err);
    } while (rc == EDS_OK && bent->edit != NULL && !bent->edit(out));
    if (rc == EDS_OK && bent->is_failing)
        return eds_error_set(err, EDS_ERR_IO, "disk on fire");
    return rc;
}

static const struct eds_gap_ops bent_gap_ops = {.next = bent_next};

static size_t give_keys(void *context, const char *device_id, const struct eds_enrolled_key **out)
{
    (void)context;
    (void)device_id;
    *out = &device_key;
    return 1;
}

static size_t give_operator_keys(void *context, const char *name,
                                 const struct eds_enrolled_key **out)
{
    (void)context;
    *out = &alice_key;
    return strcmp(name, "alice") == 0 ? 1 : 0;
}

static void note(void *context, const struct eds_ledger_finding *finding)
{
    struct bent *bent = context;
    size_t used = strlen(bent->findings);
    char text[512];

    eds_ledger_finding_text(text, sizeof text, finding);
    snprintf(bent->findings + used, sizeof bent->findings - used, "%s\n", text);
}

static void count_gap(void *context, const struct eds_gap *gap)
{
    (void)gap;
    ((struct bent *)context)->shown++;
}

static int32_t run(struct bent *bent, struct eds_ledger_summary *summary, struct eds_error *err)
{
    struct eds_ledger_check check = {.ledger = &bent->pass.ledger,
                                     .keys = give_keys,
                                     .operator_keys = give_operator_keys,
                                     .found = note,
                                     .gap = count_gap,
                                     .context = bent};

    pass_ledger_init(&bent->pass, good);
    bent->pass.ledger.gaps = &bent_gap_ops;
    return eds_ledger_check_run(&check, summary, err);
}

static void test_good(void **state)
{
    struct eds_ledger_summary summary;
    struct bent bent = {.shown = 0};

    (void)state;
    assert_int_equal(run(&bent, &summary, NULL), EDS_OK);
    assert_string_equal(bent.findings, "");
    assert_int_equal(summary.finding_count, 0);
    assert_int_equal(summary.gap_count, 7);
    assert_int_equal(bent.shown, 7);
    assert_int_equal(summary.gap_missing_count, 5 + 1 + 0 + 4 + 14 + 3 + 4);
    assert_int_equal(summary.record_count, 7);
    assert_int_equal(summary.verified_count, 7);
}

static bool is_gap(const struct eds_gap *gap, const char *device_id, uint64_t resume_sequence)
{
    return strcmp(gap->device_id, device_id) == 0 && gap->resume_sequence == resume_sequence;
}

static bool other_reason(struct eds_gap *gap)
{
    if (is_gap(gap, "lift-01", 9))
        gap->reason[0] = 'F';
    return true;
}

static bool other_operator(struct eds_gap *gap)
{
    if (is_gap(gap, "lift-03", 8))
        strcpy(gap->operator_name, "bob");
    return true;
}

static bool no_middle(struct eds_gap *gap)
{
    return !is_gap(gap, "lift-01", 9);
}

static bool no_first(struct eds_gap *gap)
{
    return !is_gap(gap, "lift-02", 5);
}

static bool no_last(struct eds_gap *gap)
{
    return !is_gap(gap, "lift-02", 20);
}

static bool no_only(struct eds_gap *gap)
{
    return !is_gap(gap, "lift-03", 4);
}

static bool other_beginning(struct eds_gap *gap)
{
    if (is_gap(gap, "lift-01", 9)) {
        gap->last_sequence = 2;
        (void)eds_gap_sign(gap, alice_seed, NULL); /* the operator herself */
    }
    return true;
}

static bool other_end(struct eds_gap *gap)
{
    if (is_gap(gap, "lift-01", 9)) {
        gap->resume_hash[0] ^= 1;
        (void)eds_gap_sign(gap, alice_seed, NULL);
    }
    return true;
}

static bool too_far(struct eds_gap *gap)
{
    if (is_gap(gap, "lift-02", 20)) {
        gap->resume_sequence = 30;
        (void)eds_gap_sign(gap, alice_seed, NULL);
    }
    return true;
}

static bool nonsense(struct eds_gap *gap)
{
    if (is_gap(gap, "lift-03", 8))
        gap->resume_sequence = 0;
    return true;
}

#define UNSIGNED "the gap before it is signed by no key of its operator\n"
#define NO_PLACE "the gap before it does not begin where the chain ends\n"
#define HEAD     "the chain's head does not agree with the records\n"
#define NO_HEAD  "the chain's head names this record, and it is not there\n"

static const struct {
    const char *name;
    bool (*edit)(struct eds_gap *gap);
    const char *findings;
} edits[] = {
    {"other reason", other_reason, "device=lift-01 sequence=9: " UNSIGNED},
    {"other operator", other_operator, "device=lift-03 sequence=8: " UNSIGNED},
    {"no middle", no_middle, "device=lift-01 sequence=9: invalid previous hash at index 3\n"},
    {"no first", no_first, "device=lift-02 sequence=5: invalid previous hash at index 0\n"},
    {"no last", no_last, "device=lift-02 sequence=19: " NO_HEAD},
    {"no only", no_only, "device=lift-03 sequence=8: " NO_PLACE},
    {"other beginning", other_beginning,
     "device=lift-01 sequence=9: " NO_PLACE
     "device=lift-01 sequence=9: invalid previous hash at index 3\n"},
    {"other end", other_end, "device=lift-01 sequence=9: invalid previous hash at index 3\n"},
    {"too far", too_far,
     "device=lift-02 sequence=29: " HEAD "device=lift-02 sequence=19: " NO_HEAD},
    {"nonsense", nonsense,
     "device=lift-03 sequence=7: " NO_HEAD "device=lift-03 sequence=0: " UNSIGNED
     "device=lift-03 sequence=18446744073709551615: " HEAD},
};

static void test_edits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct bent bent = {.edit = edits[i].edit};
        struct eds_ledger_summary summary;

        assert_int_equal(run(&bent, &summary, NULL), EDS_OK);
        if (strcmp(bent.findings, edits[i].findings) != 0)
            fail_msg("%s:\n%s", edits[i].name, bent.findings);
        assert_true(summary.finding_count > 0);
    }
}

/* A key counts in its time, also where it was revoked since. */
static void test_key_window(void **state)
{
    struct eds_ledger_summary summary;
    struct bent late = {.shown = 0}, early = {.shown = 0};

    (void)state;
    alice_key.revoked = true;
    alice_key.not_after_ms = NOW_MS + 1;
    assert_int_equal(run(&late, &summary, NULL), EDS_OK);
    assert_int_equal(summary.finding_count, 0);
    alice_key.not_after_ms = NOW_MS - EDS_KEY_GRACE_MS;
    assert_int_equal(run(&early, &summary, NULL), EDS_OK);
    assert_int_equal(summary.finding_count, 7);
    assert_non_null(strstr(early.findings, "signed by a key of its operator that was not valid"));
    set_key(&alice_key, alice_seed);
}

static void test_store_failure(void **state)
{
    struct eds_ledger_summary summary;
    struct bent bent = {.is_failing = true};
    struct eds_error err;

    (void)state;
    assert_int_equal(run(&bent, &summary, &err), EDS_ERR_IO);
    assert_string_equal(err.text, "disk on fire");
}

/* Files: what export writes, as text in memory. */
struct file {
    char bytes[16384];
    size_t size, at;
};

static int32_t write_file(void *context, const void *bytes, size_t size, struct eds_error *err)
{
    struct file *file = context;

    (void)err;
    assert_true(file->size + size < sizeof file->bytes);
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
    return EDS_OK;
}

static ptrdiff_t read_file(void *context, void *buf, size_t size)
{
    struct file *file = context;

    if (size > file->size - file->at)
        size = file->size - file->at;
    memcpy(buf, file->bytes + file->at, size);
    file->at += size;
    return (ptrdiff_t)size;
}

static void export_device(const char *device_id, struct file *records, struct eds_gap_list *gaps,
                          uint64_t gap_count)
{
    static struct file file;
    struct eds_ledger_export job = {.ledger = good,
                                    .device_id = device_id,
                                    .format = EDS_CHAIN_COMPACT,
                                    .write = write_file,
                                    .records = records,
                                    .gaps = &file};
    struct eds_export_summary summary;
    struct eds_error err;

    file.size = records->size = 0;
    if (eds_ledger_export_run(&job, &summary, &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(summary.gap_count, gap_count);
    if (eds_gap_list_read(gaps, file.bytes, file.size, &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(gaps->count, gap_count);
}

static int32_t check_chain(struct file *records, const struct eds_gap *gaps, size_t gap_count,
                           enum eds_strength strength, struct eds_chain_summary *summary,
                           struct eds_error *err)
{
    static char buf[2 * EDS_JSON_ENTRY_TEXT_MAX];
    struct eds_chain_check check = {.rules = {.strength = strength,
                                              .public_keys = &device_key.public_key,
                                              .public_key_count = 1},
                                    .gaps = gaps,
                                    .gap_count = gap_count};
    struct eds_chain_finding finding;
    struct eds_chain_reader reader;

    records->at = 0;
    eds_chain_reader_init(&reader, EDS_CHAIN_COMPACT, read_file, records, buf, sizeof buf);
    return eds_chain_check_run(&check, &reader, summary, &finding, err);
}

static void expect_fault(struct file *records, const struct eds_gap *gaps, size_t gap_count,
                         const char *words)
{
    struct eds_chain_summary summary;
    struct eds_error err = {.code = EDS_OK};

    assert_int_equal(check_chain(records, gaps, gap_count, EDS_STRENGTH_SIGNATURES, &summary, &err),
                     EDS_ERR_CHAIN_INVALID);
    assert_string_equal(err.text, words);
    assert_int_equal(summary.record_count, 0);
}

static void test_files(void **state)
{
    static struct file records;
    struct eds_gap_list list = {.gaps = NULL};
    struct eds_gap swapped[3], again[4], *gaps;
    struct eds_chain_summary summary;

    (void)state;
    export_device("lift-01", &records, &list, 3);
    gaps = list.gaps;
    for (enum eds_strength strength = EDS_STRENGTH_LINKS; strength <= EDS_STRENGTH_SIGNATURES;
         strength++) {
        assert_int_equal(check_chain(&records, gaps, 3, strength, &summary, NULL), EDS_OK);
        assert_int_equal(summary.record_count, 6);
        assert_int_equal(summary.last_sequence, 12);
    }
    expect_fault(&records, NULL, 0, "invalid previous hash at index 3");
    expect_fault(&records, gaps, 1, "invalid previous hash at index 5");
    expect_fault(&records, gaps, 2, "invalid previous hash at index 5");
    expect_fault(&records, gaps + 1, 2, "invalid previous hash at index 3");
    memcpy(swapped, gaps, sizeof swapped);
    swapped[1] = gaps[2];
    swapped[2] = gaps[1];
    expect_fault(&records, swapped, 3, "invalid previous hash at index 5");
    memcpy(again, gaps, 3 * sizeof again[0]);
    again[3] = gaps[2];
    expect_fault(&records, again, 4, "gap record without a place in the chain at index 3");
    strcpy(again[0].device_id, "lift-09");
    expect_fault(&records, again, 3, "invalid previous hash at index 3");
    eds_gap_list_free(&list);
}

/* Before the first record and behind the last one. */
static void test_files_at_the_ends(void **state)
{
    static struct file records;
    struct eds_gap_list list = {.gaps = NULL};
    struct eds_chain_summary summary;
    struct eds_gap other[2];

    (void)state;
    export_device("lift-02", &records, &list, 2);
    assert_int_equal(check_chain(&records, list.gaps, 2, EDS_STRENGTH_SIGNATURES, &summary, NULL),
                     EDS_OK);
    assert_int_equal(summary.record_count, 1);
    assert_int_equal(summary.first_sequence, 5);
    assert_int_equal(summary.last_sequence, 5);
    expect_fault(&records, list.gaps + 1, 1, "invalid previous hash at index 0");
    assert_int_equal(check_chain(&records, list.gaps, 1, EDS_STRENGTH_SIGNATURES, &summary, NULL),
                     EDS_OK);
    memcpy(other, list.gaps, sizeof other);
    strcpy(other[1].device_id, "lift-01");
    expect_fault(&records, other, 2, "gap record without a place in the chain at index 1");
    eds_gap_list_free(&list);
}

static void test_list_without_memory(void **state)
{
    struct eds_gap_list list = {.gaps = NULL};
    struct eds_error err;
    struct eds_gap gap;
    struct eds_gap_place place = {.id = 0};

    (void)state;
    assert_int_equal(good->gaps->next(good, NULL, &place, &gap, &err), EDS_OK);
    alloc_fail_at(1);
    assert_int_equal(eds_gap_list_add(&list, &gap, &err), EDS_ERR_NO_MEMORY);
    alloc_fail_at(0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(eds_gap_list_add(&list, &gap, &err), EDS_OK);
    alloc_fail_at(1);
    assert_int_equal(eds_gap_list_add(&list, &gap, &err), EDS_ERR_NO_MEMORY);
    alloc_fail_at(0);
    assert_int_equal(list.count, 8);
    assert_memory_equal(&list.gaps[7], &gap, sizeof gap);
    eds_gap_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_key_window),
        cmocka_unit_test(test_store_failure),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_files_at_the_ends),
        cmocka_unit_test(test_list_without_memory),
    };

    return cmocka_run_group_tests(tests, make_ledger, close_ledger);
}
