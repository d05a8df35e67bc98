/* writer.c - see writer.h. */
#include "fleet/writer.h"

#include <string.h>

#include "base/text.h"
#include "base/utf8.h"
#include "edgesentry/json.h"
#include "store/instant.h"

const char *eds_fleet_head(enum eds_fleet_format format)
{
    if (format == EDS_FLEET_CSV)
        return "device_id,public_key,site,cohort,firmware,attest,state,not_before,not_after,"
               "not_after_sequence,revoked\n";
    return format == EDS_FLEET_JSON ? "[" : "";
}

const char *eds_fleet_tail(enum eds_fleet_format format, uint64_t count)
{
    if (format != EDS_FLEET_JSON)
        return "";
    return count > 0 ? "\n]\n" : "]\n";
}

/* In quotes where it would be read as something else without. */
static void put_cell(struct eds_text *text, const char *cell)
{
    if (strpbrk(cell, ",;\t\"\r\n") == NULL) {
        eds_text_string(text, cell);
        return;
    }
    eds_text_char(text, '"');
    for (; *cell != '\0'; cell++) {
        if (*cell == '"')
            eds_text_char(text, '"');
        eds_text_char(text, *cell);
    }
    eds_text_char(text, '"');
}

static void put_instant(struct eds_text *text, uint64_t ms, uint64_t none)
{
    char when[EDS_INSTANT_SIZE];

    if (ms == none)
        return;
    eds_instant_format(when, ms);
    eds_text_string(text, when);
}

static void put_row(struct eds_text *text, const struct eds_enrolment *it,
                    const struct eds_enrolled_key *key)
{
    const char *labels[] = {it->site, it->cohort, it->firmware};

    put_cell(text, it->id);
    eds_text_char(text, ',');
    eds_text_hex(text, key->public_key, EDS_PUBLIC_KEY_SIZE);
    for (size_t i = 0; i < 3; i++) {
        eds_text_char(text, ',');
        put_cell(text, labels[i]);
    }
    eds_text_string(text, it->attest_required ? ",required," : ",optional,");
    eds_text_string(text, eds_device_state_name(it->state));
    eds_text_char(text, ',');
    put_instant(text, key->not_before_ms, 0);
    eds_text_char(text, ',');
    put_instant(text, key->not_after_ms, EDS_KEY_NO_END);
    eds_text_char(text, ',');
    if (key->not_after_sequence != EDS_KEY_NO_END)
        eds_text_u64(text, key->not_after_sequence);
    eds_text_string(text, key->revoked ? ",true\n" : ",false\n");
}

static void put_string(struct eds_text *text, const char *name, const char *value)
{
    char quoted[6 * EDS_DEVICE_ID_SIZE + 3];
    size_t size = eds_json_string_encode(quoted, sizeof quoted, value, strlen(value));

    eds_text_string(text, name);
    eds_text_bytes(text, quoted, size);
}

static void put_named_instant(struct eds_text *text, const char *name, uint64_t ms, uint64_t none)
{
    if (ms == none)
        return;
    eds_text_string(text, name);
    put_instant(text, ms, none);
    eds_text_char(text, '"');
}

static void put_key(struct eds_text *text, const struct eds_enrolled_key *key)
{
    eds_text_string(text, "{\"public_key\":\"");
    eds_text_hex(text, key->public_key, EDS_PUBLIC_KEY_SIZE);
    eds_text_char(text, '"');
    put_named_instant(text, ",\"not_before\":\"", key->not_before_ms, 0);
    put_named_instant(text, ",\"not_after\":\"", key->not_after_ms, EDS_KEY_NO_END);
    if (key->not_after_sequence != EDS_KEY_NO_END) {
        eds_text_string(text, ",\"not_after_sequence\":");
        eds_text_u64(text, key->not_after_sequence);
    }
    if (key->revoked)
        eds_text_string(text, ",\"revoked\":true");
    eds_text_char(text, '}');
}

static void put_object(struct eds_text *text, const struct eds_enrolment *it)
{
    put_string(text, "{\"device_id\":", it->id);
    eds_text_string(text, ",\"state\":\"");
    eds_text_string(text, eds_device_state_name(it->state));
    eds_text_string(text, "\",\"attest\":\"");
    eds_text_string(text, it->attest_required ? "required\"" : "optional\"");
    put_string(text, ",\"site\":", it->site);
    put_string(text, ",\"cohort\":", it->cohort);
    put_string(text, ",\"firmware\":", it->firmware);
    eds_text_string(text, ",\"keys\":[");
    for (uint32_t i = 0; i < it->key_count; i++) {
        if (i > 0)
            eds_text_char(text, ',');
        put_key(text, &it->keys[i]);
    }
    eds_text_string(text, "]}");
}

static bool is_text(const char *text)
{
    return eds_utf8_valid(text, strlen(text));
}

size_t eds_fleet_write(char out[EDS_FLEET_WRITE_MAX], enum eds_fleet_format format, uint64_t index,
                       const struct eds_enrolment *it)
{
    struct eds_text text;

    if (!is_text(it->id) || !is_text(it->site) || !is_text(it->cohort) || !is_text(it->firmware))
        return 0;
    eds_text_begin(&text, out, EDS_FLEET_WRITE_MAX);
    if (format == EDS_FLEET_CSV) {
        for (uint32_t i = 0; i < it->key_count; i++)
            put_row(&text, it, &it->keys[i]);
        return eds_text_end(&text);
    }
    if (format == EDS_FLEET_JSON)
        eds_text_string(&text, index > 0 ? ",\n" : "\n");
    put_object(&text, it);
    if (format == EDS_FLEET_NDJSON)
        eds_text_char(&text, '\n');
    return eds_text_end(&text);
}
