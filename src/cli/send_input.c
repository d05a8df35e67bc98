/* send_input.c - see send_input.h. */
#include "cli/send_input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "edgesentry/json.h"

int32_t eds_send_input_open(struct eds_send_input *input, const struct eds_args *args,
                            struct eds_error *err)
{
    const char *records = eds_args_text(args, "records-file");
    int32_t rc;

    memset(input, 0, sizeof *input);
    input->records.fd = input->payloads_fd = -1;
    input->inline_max = eds_args_u64(args, "upload-above");
    if (records == NULL) {
        input->name = eds_args_text(args, "envelopes");
        input->lines = eds_is_standard_stream(input->name) ? stdin : fopen(input->name, "rb");
        return input->lines != NULL ? EDS_OK : eds_os_error(err, errno, input->name);
    }
    rc = eds_chain_input_open(&input->records, records,
                              eds_chain_format_parse(eds_args_text(args, "format")), err);
    if (rc == EDS_OK)
        rc = eds_file_open(&input->payloads_fd, eds_args_text(args, "payloads-file"), err);
    if (rc == EDS_OK)
        eds_payload_reader_init(&input->payloads, eds_file_read_some, &input->payloads_fd);
    return rc;
}

void eds_send_input_close(struct eds_send_input *input)
{
    if (input->lines != NULL && input->lines != stdin)
        fclose(input->lines);
    if (input->records.fd >= 0)
        eds_chain_input_close(&input->records);
    if (input->payloads_fd >= 0)
        eds_file_close(input->payloads_fd);
}

static void take_name(struct eds_parcel *out, const EdsAuditRecord *record)
{
    memcpy(out->device_id, record->device_id, sizeof out->device_id);
    out->sequence = record->sequence;
}

/* Reads a line of any length up to EDS_ENVELOPE_TEXT_MAX, without its end.
 * *out is the caller's to free, also on failure. */
static int32_t read_line(struct eds_send_input *input, char **out, size_t *out_size,
                         struct eds_error *err)
{
    size_t room = 0;
    int c;

    *out_size = 0;
    input->line++;
    while ((c = getc_unlocked(input->lines)) != EOF && c != '\n') {
        if (*out_size == EDS_ENVELOPE_TEXT_MAX)
            return eds_error_set(err, EDS_ERR_TOO_LARGE, "%s: line %" PRIu64 " has over %u bytes",
                                 input->name, input->line, EDS_ENVELOPE_TEXT_MAX);
        if (*out_size == room) {
            char *longer = realloc(*out, room = room > 0 ? 2 * room : 4096);

            if (longer == NULL)
                return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
            *out = longer;
        }
        (*out)[(*out_size)++] = (char)c;
    }
    if (ferror(input->lines))
        return eds_os_error(err, errno, input->name);
    return c == EOF && *out_size == 0 ? EDS_ERR_NOT_FOUND : EDS_OK;
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

void eds_parcel_free(struct eds_parcel *parcel)
{
    free(parcel->body);
    free(parcel->payload);
    parcel->body = NULL;
    parcel->payload = NULL;
}

/* Writes the envelope of a record whose payload goes before it. */
static int32_t write_bare(struct eds_parcel *out, const struct eds_entry *entry,
                          struct eds_error *err)
{
    free(out->body);
    out->body_size = EDS_JSON_ENTRY_SIZE_MAX + 64;
    out->body = malloc(out->body_size);
    if (out->body == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    out->body_size = eds_json_envelope_encode_bare(out->body, out->body_size, entry);
    out->record = entry->record;
    return EDS_OK;
}

/* Takes a large payload out of the envelope that it came in. */
static int32_t part(struct eds_parcel *out, const struct eds_envelope *envelope,
                    struct eds_error *err)
{
    out->payload = malloc(envelope->payload_size);
    if (out->payload == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    memcpy(out->payload, envelope->payload, envelope->payload_size);
    out->payload_size = envelope->payload_size;
    return write_bare(out, &envelope->entry, err);
}

/* Whose record is in this line?  The decoder uses its text up, so it gets a
 * copy. */
static int32_t look_into(const struct eds_send_input *input, struct eds_parcel *out,
                         struct eds_error *err)
{
    struct eds_envelope envelope;
    struct eds_error why;
    char *copy = malloc(out->body_size + 1);
    int32_t rc;

    if (copy == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    memcpy(copy, out->body, out->body_size);
    rc = eds_json_envelope_decode(&envelope, copy, out->body_size, &why);
    if (rc == EDS_OK) {
        take_name(out, &envelope.entry.record);
        if (envelope.payload_size > input->inline_max)
            rc = part(out, &envelope, err);
    } else {
        eds_error_set(err, rc, "%s: line %" PRIu64 ": %s", input->name, input->line, why.text);
    }
    free(copy);
    return rc;
}

static int32_t next_line(struct eds_send_input *input, struct eds_parcel *out,
                         struct eds_error *err)
{
    int32_t rc;

    do {
        free(out->body);
        out->body = NULL;
        rc = read_line(input, &out->body, &out->body_size, err);
    } while (rc == EDS_OK && is_blank(out->body, out->body_size));
    return rc == EDS_OK ? look_into(input, out, err) : rc;
}

/* The ends must come together: a payload too many belongs to no record. */
static int32_t check_end(struct eds_send_input *input, struct eds_error *err)
{
    void *payload = NULL;
    size_t size;
    int32_t rc = eds_payload_reader_next(&input->payloads, &payload, &size, err);

    free(payload);
    if (rc != EDS_OK)
        return rc;
    return eds_error_set(err, EDS_ERR_MALFORMED,
                         "there are more payloads than records, which are %" PRIu64,
                         input->records.reader.count);
}

static int32_t next_record(struct eds_send_input *input, struct eds_parcel *out,
                           struct eds_error *err)
{
    struct eds_entry entry;
    void *payload = NULL;
    size_t payload_size;
    int32_t rc = eds_chain_reader_next(&input->records.reader, &entry, err);

    if (rc == EDS_ERR_NOT_FOUND)
        return check_end(input, err);
    if (rc == EDS_OK)
        rc = eds_payload_reader_next(&input->payloads, &payload, &payload_size, err);
    if (rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "there is no payload for the record at %" PRIu64,
                             input->records.reader.count - 1);
    if (rc != EDS_OK)
        return rc;
    take_name(out, &entry.record);
    if (payload_size > input->inline_max) {
        out->payload = payload;
        out->payload_size = payload_size;
        return write_bare(out, &entry, err);
    }
    out->body_size = eds_json_envelope_size(payload_size);
    out->body = malloc(out->body_size);
    if (out->body != NULL)
        out->body_size =
            eds_json_envelope_encode(out->body, out->body_size, &entry, payload, payload_size);
    free(payload);
    return out->body != NULL ? EDS_OK : eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
}

int32_t eds_send_input_next(struct eds_send_input *input, struct eds_parcel *out,
                            struct eds_error *err)
{
    int32_t rc;

    memset(out, 0, sizeof *out);
    rc = input->lines != NULL ? next_line(input, out, err) : next_record(input, out, err);
    if (rc != EDS_OK)
        eds_parcel_free(out);
    return rc;
}
