/* What comes out of a ledger is what went in: read back in every format, and
 * byte for byte the original's file where it was one. */
#include "evidence/ledger_export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "evidence/ledger_fixture.h"
#include "evidence/payload_file.h"
#include "support/vectors.h"

/* A file in memory, with a disk that may be full. */
struct file {
    char *bytes;
    size_t size, read_at;
    size_t size_max; /* 0: endless */
};

static int32_t write_file(void *context, const void *bytes, size_t size, struct eds_error *err)
{
    struct file *file = context;

    if (file->size_max != 0 && file->size + size > file->size_max)
        return eds_error_set(err, EDS_ERR_IO, "disk full");
    file->bytes = realloc(file->bytes, file->size + size + 1);
    assert_non_null(file->bytes);
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
    file->bytes[file->size] = '\0';
    return EDS_OK;
}

static ptrdiff_t read_file(void *context, void *buf, size_t size)
{
    struct file *file = context;
    size_t left = file->size - file->read_at;

    size = size < left ? size : left;
    if (size > 0)
        memcpy(buf, file->bytes + file->read_at, size);
    file->read_at += size;
    return (ptrdiff_t)size;
}

static void check_read_back(struct eds_ledger *ledger, enum eds_chain_format format)
{
    struct file records = {0}, payloads = {0};
    struct eds_ledger_export job = {ledger,    "lift-01", format, write_file, &records,
                                    &payloads, NULL,      0,      NULL};
    struct eds_export_summary summary;
    struct eds_chain_reader reader;
    struct eds_payload_reader payload_reader;
    struct eds_entry entry;
    struct eds_error err;
    char buf[2 * EDS_JSON_ENTRY_TEXT_MAX];
    uint64_t sequence = 0;

    assert_int_equal(eds_ledger_export_run(&job, &summary, NULL), EDS_OK);
    assert_int_equal(summary.record_count, 3);
    assert_int_equal(summary.first_sequence, 1);
    assert_int_equal(summary.last_sequence, 3);
    eds_chain_reader_init(&reader, format, read_file, &records, buf, sizeof buf);
    eds_payload_reader_init(&payload_reader, read_file, &payloads);
    while (eds_chain_reader_next(&reader, &entry, &err) == EDS_OK) {
        uint8_t hash[EDS_HASH_SIZE];
        char expected[64];
        void *payload;
        size_t size;

        assert_int_equal(entry.record.sequence, ++sequence);
        assert_true(entry.attestation.present);
        assert_int_equal(eds_record_digest(hash, &entry.record), EDS_OK);
        if (sequence == 3)
            assert_memory_equal(hash, summary.last_record_hash, sizeof hash);
        assert_int_equal(eds_payload_reader_next(&payload_reader, &payload, &size, &err), EDS_OK);
        assert_int_equal(size, fixture_payload(expected, "lift-01", sequence));
        assert_memory_equal(payload, expected, size);
        free(payload);
    }
    assert_int_equal(sequence, 3);
    free(records.bytes);
    free(payloads.bytes);
}

static void test_formats(void **state)
{
    struct eds_ledger *ledger = fixture_open();

    (void)state;
    check_read_back(ledger, EDS_CHAIN_ARRAY);
    check_read_back(ledger, EDS_CHAIN_NDJSON);
    check_read_back(ledger, EDS_CHAIN_COMPACT);
    ledger->ops->close(ledger);
}

/* The original's demo goes in record by record and comes out as its file. */
static void test_original_bytes(void **state)
{
    json_t *chain = vector_load("peer/demo_chain.json");
    json_t *transcripts = vector_load("peer/cli_transcripts.json");
    const json_t *list = json_is_array(chain) ? chain : json_object_get(chain, "records");
    const char *wanted = NULL;
    struct eds_ledger *ledger = NULL;
    struct file records = {0};
    struct eds_ledger_export job = {
        .device_id = "lift-01", .write = write_file, .records = &records};
    struct eds_export_summary summary;
    size_t index;
    json_t *item;

    (void)state;
    json_array_foreach(transcripts, index, item)
    {
        if (strcmp(vector_string(item, "name"), "demo default") == 0)
            wanted = vector_string(vector_get(item, "files_out"), "lift_inspection_records.json");
    }
    assert_non_null(wanted);
    assert_int_equal(eds_ledger_open(&ledger, "memory:", NULL), EDS_OK);
    json_array_foreach((json_t *)list, index, item)
    {
        struct eds_entry entry = {0};
        struct eds_append append = {.entry = &entry};
        struct eds_commit commit = {.appends = &append, .append_count = 1, .now_ms = 1};
        json_t *record = vector_parse(vector_string(item, "json_compact"));

        vector_record(&entry.record, record);
        json_decref(record);
        assert_int_equal(eds_record_digest(append.record_hash, &entry.record), EDS_OK);
        assert_int_equal(ledger->ops->commit(ledger, &commit, NULL), EDS_OK);
    }
    job.ledger = ledger;
    assert_int_equal(eds_ledger_export_run(&job, &summary, NULL), EDS_OK);
    assert_string_equal(records.bytes, wanted);
    ledger->ops->close(ledger);
    free(records.bytes);
    json_decref(chain);
    json_decref(transcripts);
}

static void test_absent(void **state)
{
    struct eds_ledger *ledger = fixture_open();
    struct file records = {0};
    struct eds_ledger_export job = {
        .ledger = ledger, .device_id = "lift-03", .write = write_file, .records = &records};
    struct eds_export_summary summary;
    struct eds_error err;

    (void)state;
    assert_int_equal(eds_ledger_export_run(&job, &summary, &err), EDS_ERR_NOT_FOUND);
    assert_string_equal(err.text, "no record of device lift-03 is in this ledger");
    assert_int_equal(records.size, 0);
    ledger->ops->close(ledger);
}

/* A full disk is an error wherever it fills up. */
static void test_failures(void **state)
{
    struct eds_ledger *ledger = fixture_open();
    struct file whole = {0};
    struct eds_ledger_export job = {
        ledger, "lift-01", EDS_CHAIN_NDJSON, write_file, &whole, &whole, NULL, 0, NULL};
    struct eds_export_summary summary;
    struct eds_error err;

    (void)state;
    assert_int_equal(eds_ledger_export_run(&job, &summary, &err), EDS_OK);
    for (size_t size_max = 1; size_max < whole.size; size_max += 7) {
        struct file file = {.size_max = size_max};

        job.records = job.payloads = &file;
        assert_int_equal(eds_ledger_export_run(&job, &summary, &err), EDS_ERR_IO);
        free(file.bytes);
    }
    free(whole.bytes);
    ledger->ops->close(ledger);
}

#define MANY_COUNT 500u     /* several pieces */
#define LARGE_SIZE 1100000u /* bytes: more than a piece wants */

static char large[LARGE_SIZE];

/* Every seventh payload is kept elsewhere, two are large. */
static const void *payload_of(char text[32], uint64_t sequence, size_t *size)
{
    if (sequence % 200 == 60) {
        *size = sizeof large;
        return large;
    }
    *size = (size_t)snprintf(text, 32, "event %llu", (unsigned long long)sequence);
    return text;
}

static int32_t get_seventh(struct eds_objects *objects, const struct eds_object_name *name,
                           void **out, size_t *out_size, struct eds_error *err)
{
    uint64_t sequence = strtoull(name->object_ref, NULL, 10);
    char text[32];
    const void *payload = payload_of(text, sequence, out_size);

    (void)objects;
    (void)err;
    assert_int_equal(sequence % 7, 0);
    *out = malloc(*out_size);
    assert_non_null(*out);
    memcpy(*out, payload, *out_size);
    return EDS_OK;
}

static void make_entry(struct eds_entry *entry, uint64_t sequence)
{
    memset(entry, 0, sizeof *entry);
    strcpy((char *)entry->record.device_id, "lift-09");
    snprintf((char *)entry->record.object_ref, sizeof entry->record.object_ref, "%llu",
             (unsigned long long)sequence);
    entry->record.sequence = sequence;
    memset(entry->record.signature, (int)sequence, EDS_SIGNATURE_SIZE);
    memset(entry->record.payload_hash, (int)(sequence >> 8), EDS_HASH_SIZE);
    if (sequence > 1)
        memset(entry->record.prev_record_hash, (int)(sequence - 1), EDS_HASH_SIZE);
}

static struct eds_ledger *open_many(void)
{
    struct eds_ledger *ledger = NULL;

    assert_int_equal(eds_ledger_open(&ledger, "memory:", NULL), EDS_OK);
    for (uint64_t sequence = 1; sequence <= MANY_COUNT; sequence++) {
        struct eds_entry entry;
        char text[32];
        struct eds_append append = {.entry = &entry};
        struct eds_commit commit = {.appends = &append, .append_count = 1, .now_ms = 1};

        make_entry(&entry, sequence);
        memset(append.record_hash, (int)sequence, EDS_HASH_SIZE);
        append.payload = payload_of(text, sequence, &append.payload_size);
        if (sequence % 7 == 0)
            append.payload = NULL;
        assert_int_equal(ledger->ops->commit(ledger, &commit, NULL), EDS_OK);
    }
    return ledger;
}

/* The two files as somebody would write them by hand. */
static void write_by_hand(struct file *records, struct file *payloads)
{
    char *digits = malloc(2 * sizeof large + 1), json[EDS_JSON_ENTRY_SIZE_MAX];

    assert_non_null(digits);
    for (uint64_t sequence = 1; sequence <= MANY_COUNT; sequence++) {
        struct eds_entry entry;
        char text[32];
        size_t size;
        const void *payload = payload_of(text, sequence, &size);

        make_entry(&entry, sequence);
        write_file(records, sequence == 1 ? "[\n  " : ",\n  ", 4, NULL);
        write_file(records, json,
                   eds_json_entry_encode(json, sizeof json, &entry, EDS_JSON_PRETTY, 2), NULL);
        write_file(payloads, sequence == 1 ? "[\n  \"" : ",\n  \"", 5, NULL);
        eds_hex_encode(digits, payload, size);
        write_file(payloads, digits, 2 * size, NULL);
        write_file(payloads, "\"", 1, NULL);
    }
    write_file(records, "\n]", 2, NULL);
    write_file(payloads, "\n]", 2, NULL);
    free(digits);
}

/* However many threads make the text, and wherever the payloads are. */
static void test_many(void **state)
{
    static const struct eds_objects_ops ops = {.name = "seventh", .get = get_seventh};
    struct eds_objects objects = {.ops = &ops};
    struct eds_ledger *ledger = open_many();
    struct file expected_records = {0}, expected_payloads = {0};

    (void)state;
    write_by_hand(&expected_records, &expected_payloads);
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct file records = {0}, payloads = {0};
        struct eds_ledger_export job = {.ledger = ledger,
                                        .device_id = "lift-09",
                                        .write = write_file,
                                        .records = &records,
                                        .payloads = &payloads,
                                        .objects = &objects,
                                        .thread_count = threads};
        struct eds_export_summary summary;
        struct eds_error err;

        assert_int_equal(eds_ledger_export_run(&job, &summary, NULL), EDS_OK);
        assert_int_equal(summary.record_count, MANY_COUNT);
        assert_int_equal(records.size, expected_records.size);
        assert_int_equal(memcmp(records.bytes, expected_records.bytes, records.size), 0);
        assert_int_equal(payloads.size, expected_payloads.size);
        assert_int_equal(memcmp(payloads.bytes, expected_payloads.bytes, payloads.size), 0);
        job.objects = NULL;
        assert_int_equal(eds_ledger_export_run(&job, &summary, &err), EDS_ERR_NOT_FOUND);
        assert_string_equal(err.text, "the payload of sequence 7 is not kept in this ledger");
        assert_int_equal(summary.record_count, 6);
        free(records.bytes);
        free(payloads.bytes);
    }
    free(expected_records.bytes);
    free(expected_payloads.bytes);
    ledger->ops->close(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats), cmocka_unit_test(test_original_bytes),
        cmocka_unit_test(test_absent),  cmocka_unit_test(test_failures),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
