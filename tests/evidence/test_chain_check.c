/* Whole chain files on several threads: the same verdict as on one, the first
 * fault first, and every way out frees what was got. */
#include "evidence/chain_check.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/attest.h"
#include "support/alloc.h"
#include "support/dice.h"
#include "support/vectors.h"

#define CHAIN_SIZE 600u /* records: three batches */

/* A file in memory, and the payloads of its records. */
struct chain_file {
    char *text;
    size_t size, at;
    uint64_t payload_fail_at; /* index whose payload cannot be had; UINT64_MAX: none */
    uint64_t payload_absent_at, payload_wrong_at;
    uint64_t progress_records, progress_bytes, progress_calls;
};

static uint8_t seed[EDS_SEED_SIZE], public_keys[2][EDS_PUBLIC_KEY_SIZE];
static struct eds_entry chain[CHAIN_SIZE];
static char text[CHAIN_SIZE * 1200];
static char buf[2 * EDS_JSON_ENTRY_TEXT_MAX];

static ptrdiff_t read_file(void *context, void *out, size_t size)
{
    struct chain_file *file = context;
    size_t left = file->size - file->at;

    size = size < left ? size : left;
    memcpy(out, file->text + file->at, size);
    file->at += size;
    return (ptrdiff_t)size;
}

/* The payload of a record is its index in words; that of every seventh is
 * empty. */
static size_t make_payload(char out[32], uint64_t index)
{
    return index % 7 == 6 ? 0 : (size_t)snprintf(out, 32, "payload %u", (unsigned)index);
}

static int32_t give_payload(void *context, uint64_t index, const struct eds_entry *entry,
                            void **out, size_t *out_size, struct eds_error *err)
{
    struct chain_file *file = context;

    (void)entry;
    if (index == file->payload_absent_at)
        return EDS_ERR_NOT_FOUND;
    if (index == file->payload_fail_at)
        return eds_error_set(err, EDS_ERR_IO, "no payload of %u", (unsigned)index);
    *out = malloc(32);
    if (*out == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory");
    *out_size = make_payload(*out, index);
    if (index == file->payload_wrong_at) /* one byte more */
        ((char *)*out)[(*out_size)++] = 0;
    return EDS_OK;
}

static void count_progress(void *context, uint64_t records, uint64_t bytes)
{
    struct chain_file *file = context;

    assert_true(records > file->progress_records && bytes > file->progress_bytes);
    file->progress_records = records;
    file->progress_bytes = bytes;
    file->progress_calls++;
}

static int make_chain(void **state)
{
    uint8_t hash[EDS_HASH_SIZE] = {0};

    (void)state;
    memset(seed, 7, sizeof seed);
    eds_ed25519_public_key(public_keys[1], seed);
    memset(public_keys[0], 0, EDS_PUBLIC_KEY_SIZE); /* no key at all: the second one counts */
    for (uint64_t i = 0; i < CHAIN_SIZE; i++) {
        char payload[32], reference[32];
        size_t size = make_payload(payload, i);

        snprintf(reference, sizeof reference, "mem://%u", (unsigned)i);
        assert_int_equal(eds_record_sign(&chain[i].record, "lift-01", i + 1, 1000 + i, payload,
                                         size, hash, reference, seed, NULL),
                         EDS_OK);
        assert_int_equal(eds_record_digest(hash, &chain[i].record), EDS_OK);
        eds_attest_sign(&chain[i].attestation, hash, seed);
    }
    return 0;
}

/* Writes entries as NDJSON. */
static struct chain_file write_file(const struct eds_entry *entries, size_t count)
{
    struct chain_file file = {text, 0, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 0, 0};

    for (size_t i = 0; i < count; i++) {
        size_t used = eds_json_entry_encode(text + file.size, sizeof text - file.size, &entries[i],
                                            EDS_JSON_COMPACT, 0);

        assert_true(used > 0);
        file.size += used;
        text[file.size++] = '\n';
    }
    return file;
}

struct verdict {
    int32_t rc;
    struct eds_chain_summary summary;
    struct eds_chain_finding finding;
    struct eds_error err;
};

static struct verdict check_file(struct chain_file *file, enum eds_chain_format format,
                                 enum eds_strength strength, unsigned thread_count)
{
    struct eds_chain_check check = {
        .rules = {.strength = strength,
                  .public_keys = (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])public_keys,
                  .public_key_count = 2},
        .thread_count = thread_count,
        .payload = give_payload,
        .progress = count_progress,
        .context = file,
    };
    struct eds_chain_reader reader;
    struct verdict verdict;

    memset(&verdict, 0x5a, sizeof verdict);
    file->at = 0;
    file->progress_records = file->progress_bytes = file->progress_calls = 0;
    eds_chain_reader_init(&reader, format, read_file, file, buf, sizeof buf);
    verdict.rc =
        eds_chain_check_run(&check, &reader, &verdict.summary, &verdict.finding, &verdict.err);
    if (verdict.rc != EDS_OK) {
        static const struct eds_chain_summary nothing;

        assert_memory_equal(&verdict.summary, &nothing, sizeof nothing);
        assert_int_equal(verdict.err.code, verdict.rc);
    }
    return verdict;
}

static void assert_fault(const struct verdict *verdict, enum eds_chain_fault fault, uint64_t index)
{
    if (verdict->rc != EDS_ERR_CHAIN_INVALID || verdict->finding.fault != fault ||
        verdict->finding.index != index)
        fail_msg("wanted fault %d at %u: %s", fault, (unsigned)index, verdict->err.text);
}

/* The original's cases, and its words. */
static void test_peer_cases(void **state)
{
    json_t *vectors = vector_load("peer/verify_chain.json"), *vector;
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(vectors), 46);
    json_array_foreach(vectors, i, vector)
    {
        const json_t *json = vector_get(vector, "json_compact");
        const char *expected = vector_string(vector, "verify_chain");

        for (unsigned threads = 1; threads <= 4; threads += 3) {
            struct chain_file file = {
                (char *)json_string_value(json), json_string_length(json), 0, 0, 0, 0, 0, 0, 0};
            struct verdict verdict =
                check_file(&file, EDS_CHAIN_ARRAY, EDS_STRENGTH_LINKS, threads);

            if (strcmp(expected, "ok") == 0)
                assert_int_equal(verdict.rc, EDS_OK);
            else
                assert_string_equal(verdict.err.text, expected);
        }
    }
    json_decref(vectors);
}

static void test_good_chain(void **state)
{
    struct chain_file file = write_file(chain, CHAIN_SIZE);
    uint8_t hash[EDS_HASH_SIZE];

    (void)state;
    eds_record_digest(hash, &chain[CHAIN_SIZE - 1].record);
    for (int strength = EDS_STRENGTH_LINKS; strength <= EDS_STRENGTH_FULL; strength++) {
        for (unsigned threads = 0; threads <= 4; threads += 2) {
            struct verdict verdict =
                check_file(&file, EDS_CHAIN_NDJSON, (enum eds_strength)strength, threads);

            if (verdict.rc != EDS_OK)
                fail_msg("%s", verdict.err.text);
            assert_int_equal(verdict.summary.record_count, CHAIN_SIZE);
            assert_int_equal(verdict.summary.attested_count,
                             strength == EDS_STRENGTH_LINKS ? 0 : CHAIN_SIZE);
            assert_int_equal(verdict.summary.payload_count,
                             strength == EDS_STRENGTH_LINKS ? 0 : CHAIN_SIZE);
            assert_int_equal(verdict.summary.first_sequence, 1);
            assert_int_equal(verdict.summary.last_sequence, CHAIN_SIZE);
            assert_memory_equal(verdict.summary.last_record_hash, hash, sizeof hash);
            assert_string_equal(verdict.summary.device_id, "lift-01");
            assert_int_equal(verdict.finding.fault, EDS_CHAIN_GOOD);
        }
    }
}

static void test_no_records(void **state)
{
    struct chain_file file = write_file(chain, 0);

    (void)state;
    for (int strength = EDS_STRENGTH_LINKS; strength <= EDS_STRENGTH_FULL; strength++) {
        struct verdict verdict =
            check_file(&file, EDS_CHAIN_NDJSON, (enum eds_strength)strength, 4);

        assert_int_equal(verdict.rc, EDS_OK);
        assert_int_equal(verdict.summary.record_count, 0);
        assert_string_equal(verdict.summary.device_id, "");
    }
}

/* Makes one entry bad in a way that leaves the links whole. */
static enum eds_chain_fault spoil(struct eds_entry *entry, struct chain_file *file, uint64_t index,
                                  unsigned way)
{
    uint8_t hash[EDS_HASH_SIZE];

    switch (way) {
    case 0: /* the attestation is outside of the hash */
        entry->attestation.signature[way] ^= 1;
        return EDS_CHAIN_ATTESTATION;
    case 1:
        entry->attestation.present = false;
        return EDS_CHAIN_ATTESTATION_ABSENT;
    case 2:
        entry->attestation.key_id[7] ^= 1;
        return EDS_CHAIN_ATTESTATION;
    case 3:
        file->payload_absent_at = index;
        return EDS_CHAIN_PAYLOAD_ABSENT;
    case 4:
        file->payload_wrong_at = index;
        return EDS_CHAIN_PAYLOAD;
    default: /* a chain made anew over a record with a bad signature */
        entry->record.signature[9] ^= 1;
        for (uint64_t i = index; i < CHAIN_SIZE; i++, entry++) {
            eds_record_digest(hash, &entry->record);
            eds_attest_sign(&entry->attestation, hash, seed);
            if (i + 1 < CHAIN_SIZE)
                memcpy(entry[1].record.prev_record_hash, hash, sizeof hash);
        }
        return EDS_CHAIN_SIGNATURE;
    }
}

/* A fault anywhere, another one later, and the file's end or a mistake in it. */
static void test_first_fault_wins(void **state)
{
    static struct eds_entry entries[CHAIN_SIZE];
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 12; i++) {
        uint64_t index = dice_below(&dice, CHAIN_SIZE - 40), later;
        struct chain_file file = {NULL, 0, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 0, 0}, written;
        enum eds_chain_fault fault;

        memcpy(entries, chain, sizeof entries);
        later = index + 1 + dice_below(&dice, 39);
        fault = spoil(&entries[index], &file, index, i % 6);
        switch (i % 3) {
        case 0: /* found by other threads, or by this one later */
            entries[later].attestation.signature[20] ^= 1;
            break;
        case 1: /* found by the reading thread, maybe before */
            entries[later].record.timestamp_ms++;
            break;
        default:
            file.payload_fail_at = later;
        }
        written = write_file(entries, i % 2 == 0 ? CHAIN_SIZE : (size_t)later + 1);
        if (i % 2 != 0)
            written.size -= 10; /* and the file ends in the middle of that record */
        written.payload_fail_at = file.payload_fail_at;
        written.payload_absent_at = file.payload_absent_at;
        written.payload_wrong_at = file.payload_wrong_at;
        for (unsigned threads = 1; threads <= 4; threads += 3) {
            struct verdict verdict =
                check_file(&written, EDS_CHAIN_NDJSON, EDS_STRENGTH_FULL, threads);

            assert_fault(&verdict, fault, index);
        }
    }
}

/* Two faults in two batches, the later one found before or after the other. */
static void test_faults_in_two_batches(void **state)
{
    static struct eds_entry entries[CHAIN_SIZE];
    static const uint64_t places[][2] = {{3, 500}, {250, 257}, {255, 256}, {0, 599}};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        for (unsigned threads = 1; threads <= 4; threads += 3) {
            struct chain_file file;
            struct verdict verdict;

            memcpy(entries, chain, sizeof entries);
            entries[places[i][0]].attestation.signature[0] ^= 1;
            entries[places[i][1]].attestation.present = false;
            file = write_file(entries, CHAIN_SIZE);
            verdict = check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_FULL, threads);
            assert_fault(&verdict, EDS_CHAIN_ATTESTATION, places[i][0]);
        }
    }
}

static void test_links_and_start(void **state)
{
    static struct eds_entry entries[CHAIN_SIZE];
    struct chain_file file;
    struct verdict verdict;

    (void)state;
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        memcpy(entries, chain, sizeof entries);
        file = write_file(entries + 1, 10); /* the first one is missing */
        verdict = check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_SIGNATURES, threads);
        assert_fault(&verdict, EDS_CHAIN_PREVIOUS_HASH, 0);
        memset(entries[1].record.prev_record_hash, 0, EDS_HASH_SIZE);
        file = write_file(entries + 1, 1);
        verdict = check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_SIGNATURES, threads);
        assert_fault(&verdict, EDS_CHAIN_SEQUENCE, 0);
        memcpy(entries, chain, sizeof entries);
        entries[300].record.device_id[0] = 'L';
        file = write_file(entries, CHAIN_SIZE);
        verdict = check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_SIGNATURES, threads);
        assert_fault(&verdict, EDS_CHAIN_DEVICE, 300);
        verdict = check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_LINKS, threads);
        assert_fault(&verdict, EDS_CHAIN_PREVIOUS_HASH, 301);
    }
}

static void test_errors(void **state)
{
    struct chain_file file = write_file(chain, CHAIN_SIZE);

    (void)state;
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        struct verdict verdict;

        file.payload_fail_at = 555;
        verdict = check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_FULL, threads);
        assert_int_equal(verdict.rc, EDS_ERR_IO);
        assert_string_equal(verdict.err.text, "no payload of 555");
        verdict = check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_LINKS, threads);
        assert_int_equal(verdict.rc, EDS_OK); /* it is not asked for any */
        file.payload_fail_at = UINT64_MAX;
        file.size -= 10;
        for (int strength = EDS_STRENGTH_LINKS; strength <= EDS_STRENGTH_FULL; strength++) {
            verdict = check_file(&file, EDS_CHAIN_NDJSON, (enum eds_strength)strength, threads);
            assert_int_equal(verdict.rc, EDS_ERR_TRUNCATED);
            assert_non_null(strstr(verdict.err.text, "records[599].attest.signature: "));
        }
        file.size += 10;
    }
}

/* Whatever allocation fails, the check says so or does without, and leaks
 * nothing. */
static void test_no_memory(void **state)
{
    struct chain_file file = write_file(chain, 300);
    struct verdict verdict;
    uint64_t all;
    unsigned failed = 0;

    (void)state;
    alloc_fail_at(0);
    (void)check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_FULL, 3);
    all = alloc_count();
    assert_true(all > 300); /* one a payload, and what the check needs */
    for (uint64_t n = 1; n <= all; n += n < 20 || n > all - 20 ? 1 : 17) {
        alloc_fail_at(n);
        verdict = check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_FULL, 3);
        alloc_fail_at(0);
        assert_true(verdict.rc == EDS_OK || verdict.rc == EDS_ERR_NO_MEMORY);
        failed += verdict.rc != EDS_OK;
    }
    assert_true(failed >= 20);
}

#ifdef __GLIBC__
static void *run_nothing(void *context)
{
    return context;
}

/* Where no thread can be had, the reading one does it all. */
static void test_no_threads(void **state)
{
    struct chain_file file = write_file(chain, CHAIN_SIZE);
    pthread_attr_t old, huge;
    pthread_t thread;
    struct verdict verdict;

    (void)state;
    assert_int_equal(pthread_getattr_default_np(&old), 0);
    assert_int_equal(pthread_attr_init(&huge), 0);
    assert_int_equal(pthread_attr_setstacksize(&huge, (size_t)1 << 47), 0);
    assert_int_equal(pthread_setattr_default_np(&huge), 0);
    assert_int_not_equal(pthread_create(&thread, NULL, run_nothing, NULL), 0); /* really none */
    verdict = check_file(&file, EDS_CHAIN_NDJSON, EDS_STRENGTH_FULL, 8);
    assert_int_equal(pthread_setattr_default_np(&old), 0);
    pthread_attr_destroy(&huge);
    pthread_attr_destroy(&old);
    assert_int_equal(verdict.rc, EDS_OK);
    assert_int_equal(verdict.summary.payload_count, CHAIN_SIZE);
}
#endif

#define LARGE_COUNT 60u
#define LARGE_SIZE  700000u /* bytes: two of them are more than a batch holds */

/* Gives large payloads and looks how much memory there is in use. */
static int32_t give_large_payload(void *context, uint64_t index, const struct eds_entry *entry,
                                  void **out, size_t *out_size, struct eds_error *err)
{
    size_t *most = context;

    (void)index;
    (void)entry;
    *out = calloc(1, LARGE_SIZE);
    if (*out == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory");
    *out_size = LARGE_SIZE;
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();

    if (info.hblkhd + info.uordblks > *most)
        *most = info.hblkhd + info.uordblks;
#endif
    return EDS_OK;
}

static void test_large_payloads(void **state)
{
    static struct eds_entry entries[LARGE_COUNT];
    size_t most = 0;
    uint8_t hash[EDS_HASH_SIZE] = {0}, *payload = calloc(1, LARGE_SIZE);
    struct eds_chain_check check = {
        .rules = {.strength = EDS_STRENGTH_FULL,
                  .public_keys = (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])public_keys,
                  .public_key_count = 2},
        .thread_count = 3,
        .payload = give_large_payload,
        .context = &most,
    };

    (void)state;
    assert_non_null(payload);
    for (uint64_t i = 0; i < LARGE_COUNT; i++) {
        assert_int_equal(eds_record_sign(&entries[i].record, "lift-01", i + 1, 0, payload,
                                         LARGE_SIZE, hash, "r", seed, NULL),
                         EDS_OK);
        assert_int_equal(eds_record_digest(hash, &entries[i].record), EDS_OK);
        eds_attest_sign(&entries[i].attestation, hash, seed);
    }
    free(payload);
    for (unsigned round = 0; round < 2; round++) {
        struct chain_file file = write_file(entries, LARGE_COUNT);
        struct eds_chain_reader reader;
        struct verdict verdict;

        eds_chain_reader_init(&reader, EDS_CHAIN_NDJSON, read_file, &file, buf, sizeof buf);
        verdict.rc =
            eds_chain_check_run(&check, &reader, &verdict.summary, &verdict.finding, &verdict.err);
        if (round == 0)
            assert_int_equal(verdict.rc, EDS_OK);
        else
            assert_fault(&verdict, EDS_CHAIN_ATTESTATION, 40);
        entries[40].attestation.signature[0] ^= 1;
    }
    assert_true(most < 30u * LARGE_SIZE); /* seven batches of two, and what else there is */
}

/* A chain that is made while it is read. */
struct endless {
    struct eds_entry entry;
    uint8_t bytes[EDS_COMPACT_SIZE_MAX];
    size_t size, at;
    uint64_t left;
    uint64_t calls, records;
};

static ptrdiff_t read_endless(void *context, void *out, size_t size)
{
    struct endless *endless = context;
    uint8_t hash[EDS_HASH_SIZE] = {0};
    size_t used = 0;

    while (used < size) {
        size_t part = endless->size - endless->at;

        if (part == 0) {
            EdsAuditRecord *record = &endless->entry.record;

            if (endless->left == 0)
                break;
            endless->left--;
            if (record->sequence > 0)
                assert_int_equal(eds_record_digest(hash, record), EDS_OK);
            memcpy(record->prev_record_hash, hash, sizeof hash);
            record->sequence++;
            assert_int_equal(eds_compact_encode(endless->bytes, &endless->size, &endless->entry),
                             EDS_OK);
            endless->at = 0;
            continue;
        }
        part = part < size - used ? part : size - used;
        memcpy((char *)out + used, endless->bytes + endless->at, part);
        endless->at += part;
        used += part;
    }
    return (ptrdiff_t)used;
}

static void count_endless(void *context, uint64_t records, uint64_t bytes)
{
    struct endless *endless = context;

    assert_true(records > endless->records && bytes >= records * 100);
    endless->records = records;
    endless->calls++;
}

static void test_long_chain(void **state)
{
    static struct endless endless;
    struct eds_chain_check check = {
        .rules = {.strength = EDS_STRENGTH_LINKS}, .progress = count_endless, .context = &endless};
    struct eds_chain_summary summary;
    struct eds_chain_finding finding;
    struct eds_chain_reader reader;
    struct eds_error err;

    (void)state;
    memset(&endless, 0, sizeof endless);
    endless.left = 100000;
    strcpy((char *)endless.entry.record.device_id, "lift-01");
    eds_chain_reader_init(&reader, EDS_CHAIN_COMPACT, read_endless, &endless, buf, sizeof buf);
    if (eds_chain_check_run(&check, &reader, &summary, &finding, &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(summary.record_count, 100000);
    assert_int_equal(summary.last_sequence, 100000);
    assert_true(endless.calls >= 90 && endless.records > 98000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_cases),
        cmocka_unit_test(test_good_chain),
        cmocka_unit_test(test_no_records),
        cmocka_unit_test(test_first_fault_wins),
        cmocka_unit_test(test_faults_in_two_batches),
        cmocka_unit_test(test_links_and_start),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_large_payloads),
#ifdef __GLIBC__
        cmocka_unit_test(test_no_threads),
#endif
        cmocka_unit_test(test_long_chain),
    };

    return cmocka_run_group_tests(tests, make_chain, NULL);
}
