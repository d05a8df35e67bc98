/* gap_out.c - see gap_out.h. */
#include "cli/gap_out.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/instant.h"

void eds_gap_missing_text(char *out, size_t size, const struct eds_gap *gap)
{
    uint64_t missing = eds_gap_missing(gap), first = gap->last_sequence + 1;

    if (missing == 0)
        snprintf(out, size, "sequence %" PRIu64 " does not follow %" PRIu64, gap->resume_sequence,
                 gap->last_sequence);
    else if (missing == 1)
        snprintf(out, size, "sequence %" PRIu64 " is missing", first);
    else
        snprintf(out, size, "sequences %" PRIu64 " to %" PRIu64 " are missing", first,
                 gap->resume_sequence - 1);
}

/* A device's id may hold a line break, and the text is a line. */
void eds_gap_text(char out[EDS_GAP_TEXT_SIZE], const struct eds_gap *gap)
{
    char missing[128], when[EDS_INSTANT_SIZE], id[sizeof gap->device_id] = "";

    eds_gap_missing_text(missing, sizeof missing, gap);
    eds_instant_format(when, gap->closed_ms);
    for (size_t i = 0; i < sizeof id; i++) {
        bool is_control =
            (gap->device_id[i] > 0 && gap->device_id[i] < 0x20) || gap->device_id[i] == 0x7f;

        id[i] = is_control ? '?' : gap->device_id[i];
    }
    snprintf(out, EDS_GAP_TEXT_SIZE, "device=%s: %s; closed %s by operator %s: %s", id, missing,
             when, gap->operator_name, gap->reason);
}

void eds_gap_json(struct eds_json_out *json, const struct eds_gap *gap)
{
    char when[EDS_INSTANT_SIZE];

    eds_instant_format(when, gap->closed_ms);
    eds_out_string(json, "device_id", gap->device_id);
    eds_out_u64(json, "last_sequence", gap->last_sequence);
    eds_out_hex(json, "last_record_hash", gap->last_record_hash, EDS_HASH_SIZE);
    eds_out_u64(json, "resume_sequence", gap->resume_sequence);
    eds_out_hex(json, "resume_hash", gap->resume_hash, EDS_HASH_SIZE);
    eds_out_u64(json, "closed_ms", gap->closed_ms);
    eds_out_string(json, "closed_at", when);
    eds_out_string(json, "operator", gap->operator_name);
    eds_out_string(json, "reason", gap->reason);
    eds_out_hex(json, "key_id", gap->key_id, EDS_KEY_ID_SIZE);
    eds_out_hex(json, "signature", gap->signature, EDS_SIGNATURE_SIZE);
    eds_out_u64(json, "missing_count", eds_gap_missing(gap));
}

void eds_gaps_print(const struct eds_gap_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        char text[EDS_GAP_TEXT_SIZE];

        eds_gap_text(text, &list->gaps[i]);
        printf("GAP %s\n", text);
    }
}

void eds_gaps_json(struct eds_json_out *json, const struct eds_gap_list *list)
{
    eds_out_u64(json, "gap_count", list->count);
    eds_out_array_begin(json, "gaps");
    for (size_t i = 0; i < list->count; i++) {
        eds_out_object_begin(json);
        eds_gap_json(json, &list->gaps[i]);
        eds_out_object_end(json);
    }
    eds_out_array_end(json);
}
