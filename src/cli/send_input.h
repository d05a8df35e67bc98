/* send_input.h - what eds audit send reads: envelopes, one at a time, from
 * lines of JSON or from a file of records and one of payloads. */
#ifndef EDS_CLI_SEND_INPUT_H
#define EDS_CLI_SEND_INPUT_H

#include <stdio.h>

#include "cli/args.h"
#include "cli/chain_input.h"
#include "evidence/payload_file.h"

#define EDS_ENVELOPE_TEXT_MAX (4u * 1024u * 1024u) /* bytes; servers take 2 MiB */

/* One record on its way. */
struct eds_parcel {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint64_t sequence;
    char *body; /* the envelope's JSON; malloc */
    size_t body_size;
    /* What has to be brought before: NULL where the envelope has all of it. */
    void *payload; /* malloc */
    size_t payload_size;
    EdsAuditRecord record; /* only with a payload */
};

/* eds_parcel_free frees what it holds. */
void eds_parcel_free(struct eds_parcel *parcel);

struct eds_send_input {
    uint64_t inline_max; /* bytes of a payload that goes with its record */
    /* Lines: */
    FILE *lines; /* NULL: records and payloads */
    const char *name;
    uint64_t line;
    /* Records and payloads: */
    struct eds_chain_input records;
    struct eds_payload_reader payloads;
    int payloads_fd;
};

/* eds_send_input_open opens what args name (inline_max among it); eds_send_input_close also after a
 * failure.  Must not move in between. */
int32_t eds_send_input_open(struct eds_send_input *input, const struct eds_args *args,
                            struct eds_error *err);
void eds_send_input_close(struct eds_send_input *input);

/* eds_send_input_next gives the next record, which the caller frees.
 * EDS_ERR_NOT_FOUND at the end, else an error that names line or index. */
int32_t eds_send_input_next(struct eds_send_input *input, struct eds_parcel *out,
                            struct eds_error *err);

#endif
