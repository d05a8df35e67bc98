/* What comes out of a ledger is what went in: read back in every format, and
 * byte for byte the original's file where it was one. */
#include "evidence/ledger_export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
    struct eds_ledger_export job = {ledger,   "lift-01", format, write_file,
                                    &records, &payloads, NULL,   NULL};
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
    struct eds_ledger_export job = {ledger, "lift-01", EDS_CHAIN_NDJSON, write_file, &whole, &whole,
                                    NULL,   NULL};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_original_bytes),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
