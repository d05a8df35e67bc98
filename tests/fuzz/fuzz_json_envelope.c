/* fuzz_json_envelope.c - any text, as an envelope and as an answer.
 *
 * A payload lies inside the text that it was decoded in; what is taken survives
 * being written and read again, and is JSON to jansson; an error holds nothing
 * of the payload but one wrong character. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "edgesentry/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void *copy_of(const void *bytes, size_t size)
{
    void *copy = malloc(size);

    check(copy != NULL || size == 0);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

static void check_json(const uint8_t *data, size_t size, const struct eds_envelope *envelope)
{
    json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    const char *hex = json_string_value(json_object_get(json, "raw_payload_hex"));

    if (envelope->entry.record.sequence > INT64_MAX ||
        envelope->entry.record.timestamp_ms > INT64_MAX)
        return; /* more than jansson holds */
    if (envelope->payload_absent) {
        check(json_is_null(json_object_get(json, "raw_payload_hex")));
        json_decref(json);
        return;
    }
    check(hex != NULL && strlen(hex) == 2 * envelope->payload_size);
    for (size_t i = 0; i < envelope->payload_size; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        char *end;

        check(strtoul(digits, &end, 16) == envelope->payload[i] && end == digits + 2);
    }
    json_decref(json);
}

static void check_written_again(const struct eds_envelope *envelope)
{
    size_t room = eds_json_envelope_size(envelope->payload_size);
    char *text = malloc(room);
    struct eds_envelope again;
    size_t size;

    check(text != NULL);
    size = envelope->payload_absent
               ? eds_json_envelope_encode_bare(text, room, &envelope->entry)
               : eds_json_envelope_encode(text, room, &envelope->entry, envelope->payload,
                                          envelope->payload_size);
    check(size > 0 && size < room);
    check(eds_json_envelope_decode(&again, text, size, NULL) == EDS_OK);
    check(memcmp(&again.entry.record, &envelope->entry.record, sizeof again.entry.record) == 0);
    check(memcmp(&again.entry.attestation, &envelope->entry.attestation,
                 sizeof again.entry.attestation) == 0);
    check(again.payload_absent == envelope->payload_absent);
    check(again.payload_size == envelope->payload_size);
    check(again.payload_size == 0 ||
          memcmp(again.payload, envelope->payload, again.payload_size) == 0);
    free(text);
}

static void check_envelope(const uint8_t *data, size_t size)
{
    char *text = copy_of(data, size);
    struct eds_envelope envelope;
    struct eds_error err = {EDS_OK, ""};
    int32_t rc = eds_json_envelope_decode(&envelope, text, size, &err);

    if (rc == EDS_OK) {
        uintptr_t begin = (uintptr_t)text, at = (uintptr_t)envelope.payload;

        check(envelope.payload_absent == (envelope.payload == NULL));
        check(envelope.payload_absent || (at > begin && at + envelope.payload_size < begin + size));
        check_json(data, size, &envelope);
        check_written_again(&envelope);
    } else {
        check(rc == EDS_ERR_MALFORMED || rc == EDS_ERR_TRUNCATED);
        check(err.code == rc && eds_utf8_valid(err.text, strlen(err.text)));
        check(strlen(err.text) > 10 && strlen(err.text) < 300);
        check(strpbrk(err.text, "\n\r\x1b") == NULL);
    }
    free(text);
}

static void check_answer(const uint8_t *data, size_t size)
{
    char text[6 * EDS_ERROR_TEXT_SIZE + 64];
    struct eds_answer answer, again;
    struct eds_error err = {EDS_OK, ""};
    size_t written;

    memset(&answer, 0x5a, sizeof answer);
    if (eds_json_answer_decode(&answer, (const char *)data, size, &err) != EDS_OK) {
        check(err.text[0] != '\0' && eds_utf8_valid(err.text, strlen(err.text)));
        return;
    }
    check(eds_utf8_valid(answer.error, strlen(answer.error)));
    written = eds_json_answer_encode(text, sizeof text, &answer);
    check(written > 0);
    check(eds_json_answer_decode(&again, text, written, NULL) == EDS_OK);
    check(again.accepted == answer.accepted);
    check(answer.accepted || strcmp(again.error, answer.error) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_envelope(data, size);
    check_answer(data, size);
    return 0;
}
