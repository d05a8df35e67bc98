/* bench_codec.c - records as JSON, ours and jansson's in turns, in one run.
 *
 * Both do the same work: text to a filled record (or envelope with its payload
 * in bytes), and a record to text.  Prints the median of 31 rounds in
 * nanoseconds a record, and the ratio. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "codec/json_scan.h"
#include "edgesentry/json.h"

#define TEXTS   512u  /* different records, so that no branch is learnt by heart */
#define ROUNDS  31u   /* odd: the median is one of them */
#define REPEATS 1024u /* calls a round */

struct text {
    char *bytes;
    size_t size;
};

struct work {
    const char *name;
    bool wide; /* with AVX-512, where it is there */
    void (*ours)(const struct text *text);
    void (*other)(const struct text *text);
    const struct text *texts;
};

static struct text compact[TEXTS], pretty[TEXTS], envelopes[TEXTS];
static struct eds_entry entries[TEXTS];
static char scratch[64 * 1024];
static uint8_t payload[64 * 1024];
static uint64_t sum; /* of what was read, so that nothing is left out */

static void check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench_codec: %s\n", what);
        exit(1);
    }
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct text keep(const char *bytes, size_t size)
{
    struct text text = {malloc(size + 1), size};

    check(size > 0 && text.bytes != NULL, "no text");
    memcpy(text.bytes, bytes, size);
    text.bytes[size] = '\0';
    return text;
}

static void make_texts(void)
{
    uint64_t state = 42;

    for (unsigned i = 0; i < TEXTS; i++) {
        EdsAuditRecord *record = &entries[i].record;
        uint8_t *arrays[3] = {record->payload_hash, record->signature, record->prev_record_hash};
        const size_t sizes[3] = {32, 64, 32};
        uint8_t bytes[64];

        snprintf((char *)record->device_id, sizeof record->device_id, "lift-%02u", i % 64);
        snprintf((char *)record->object_ref, sizeof record->object_ref,
                 "s3://bucket/lift-01/inspection-%u.bin", i);
        record->sequence = i + 1;
        record->timestamp_ms = 1700000000000u + i;
        for (unsigned k = 0; k < 3; k++)
            for (size_t j = 0; j < sizes[k]; j++) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                arrays[k][j] = (uint8_t)(state >> 56);
            }
        memcpy(bytes, record->signature, sizeof bytes);
        compact[i] = keep(scratch, eds_json_entry_encode(scratch, sizeof scratch, &entries[i],
                                                         EDS_JSON_COMPACT, 0));
        pretty[i] = keep(scratch, eds_json_entry_encode(scratch, sizeof scratch, &entries[i],
                                                        EDS_JSON_PRETTY, 0));
        envelopes[i] = keep(scratch, eds_json_envelope_encode(scratch, sizeof scratch, &entries[i],
                                                              bytes, sizeof bytes));
    }
}

static void decode_ours(const struct text *text)
{
    struct eds_entry entry;

    check(eds_json_entry_decode(&entry, text->bytes, text->size, NULL) == EDS_OK, "not decoded");
    sum += entry.record.sequence + entry.record.signature[63];
}

static void array_bytes(const json_t *object, const char *name, uint8_t *out, size_t count)
{
    const json_t *array = json_object_get(object, name);

    check(json_array_size(array) == count, "jansson: another length");
    for (size_t i = 0; i < count; i++) {
        json_int_t value = json_integer_value(json_array_get(array, i));

        check(value >= 0 && value <= 255, "jansson: no byte");
        out[i] = (uint8_t)value;
    }
}

static void copy_string(const json_t *object, const char *name, uint8_t *out, size_t size)
{
    const char *string = json_string_value(json_object_get(object, name));

    check(string != NULL && strlen(string) < size, "jansson: no string");
    memcpy(out, string, strlen(string) + 1);
}

static void fill_record(const json_t *object, EdsAuditRecord *out)
{
    copy_string(object, "device_id", out->device_id, sizeof out->device_id);
    out->sequence = (uint64_t)json_integer_value(json_object_get(object, "sequence"));
    out->timestamp_ms = (uint64_t)json_integer_value(json_object_get(object, "timestamp_ms"));
    array_bytes(object, "payload_hash", out->payload_hash, 32);
    array_bytes(object, "signature", out->signature, 64);
    array_bytes(object, "prev_record_hash", out->prev_record_hash, 32);
    copy_string(object, "object_ref", out->object_ref, sizeof out->object_ref);
}

static void decode_jansson(const struct text *text)
{
    EdsAuditRecord record;
    json_t *object = json_loadb(text->bytes, text->size, JSON_REJECT_DUPLICATES, NULL);

    check(object != NULL, "jansson: not decoded");
    fill_record(object, &record);
    sum += record.sequence + record.signature[63];
    json_decref(object);
}

static void envelope_ours(const struct text *text)
{
    struct eds_envelope envelope;

    memcpy(scratch, text->bytes, text->size); /* it is used up: a body is fresh each time */
    check(eds_json_envelope_decode(&envelope, scratch, text->size, NULL) == EDS_OK, "not decoded");
    sum += envelope.entry.record.sequence + envelope.payload[envelope.payload_size - 1];
}

static void envelope_jansson(const struct text *text)
{
    static const char digits[] = "0123456789abcdef";
    EdsAuditRecord record;
    json_t *object = json_loadb(text->bytes, text->size, JSON_REJECT_DUPLICATES, NULL);
    const char *hex = json_string_value(json_object_get(object, "raw_payload_hex"));
    size_t size = strlen(hex) / 2;

    fill_record(json_object_get(object, "record"), &record);
    for (size_t i = 0; i < size; i++)
        payload[i] = (uint8_t)((strchr(digits, hex[2 * i]) - digits) << 4 |
                               (strchr(digits, hex[2 * i + 1]) - digits));
    sum += record.sequence + payload[size - 1];
    json_decref(object);
}

static void encode_ours(const struct text *text)
{
    const struct eds_entry *entry = &entries[text - compact];

    sum += eds_json_entry_encode(scratch, sizeof scratch, entry, EDS_JSON_COMPACT, 0);
}

static json_t *number_array(const uint8_t *bytes, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer(bytes[i]));
    return array;
}

static void encode_jansson(const struct text *text)
{
    const EdsAuditRecord *record = &entries[text - compact].record;
    json_t *object = json_pack(
        "{s:s,s:I,s:I,s:o,s:o,s:o,s:s}", "device_id", (const char *)record->device_id, "sequence",
        (json_int_t)record->sequence, "timestamp_ms", (json_int_t)record->timestamp_ms,
        "payload_hash", number_array(record->payload_hash, 32), "signature",
        number_array(record->signature, 64), "prev_record_hash",
        number_array(record->prev_record_hash, 32), "object_ref", (const char *)record->object_ref);

    sum += json_dumpb(object, scratch, sizeof scratch, JSON_COMPACT);
    json_decref(object);
}

static double round_ns(void (*call)(const struct text *text), const struct text *texts)
{
    double begin = now_ns();

    for (unsigned i = 0; i < REPEATS; i++)
        call(&texts[i % TEXTS]);
    return (now_ns() - begin) / REPEATS;
}

static void measure(const struct work *work)
{
    double ours[ROUNDS], other[ROUNDS], ratios[ROUNDS];

    eds_scan_use_wide(work->wide);
    for (unsigned i = 0; i < ROUNDS; i++) {
        ours[i] = round_ns(work->ours, work->texts);
        other[i] = round_ns(work->other, work->texts);
        ratios[i] = other[i] / ours[i];
    }
    double value = bench_median(ours, ROUNDS);

    /* The reference is told so that value, reference and ratio agree. */
    bench_report(work->name, value, "ns", "jansson", value * bench_median(ratios, ROUNDS), false);
}

int main(void)
{
    static const struct work works[] = {
        {"record_json_decode", true, decode_ours, decode_jansson, compact},
        {"record_json_decode_pretty", true, decode_ours, decode_jansson, pretty},
        {"envelope_json_decode", true, envelope_ours, envelope_jansson, envelopes},
        {"record_json_decode_plain_c", false, decode_ours, decode_jansson, compact},
        {"envelope_json_decode_plain_c", false, envelope_ours, envelope_jansson, envelopes},
        {"record_json_encode", true, encode_ours, encode_jansson, compact},
    };

    make_texts();
    bench_begin("JSON of a record (one thread, CPU time)");
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        measure(&works[i]);
    return sum == 0;
}
