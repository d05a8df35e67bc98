/* json_answer.c - what the ingest endpoint says of one record. */
#include "edgesentry/json.h"

#include <string.h>

#include "codec/json_cursor.h"
#include "codec/json_writer.h"

static void take_status(struct eds_json_cursor *c, void *object)
{
    struct eds_answer *answer = object;
    char status[16];
    const char *quote;

    eds_json_space(c);
    quote = c->at;
    (void)eds_json_string_cut(c, status, sizeof status);
    answer->quarantined = strcmp(status, "quarantined") == 0;
    answer->accepted = answer->quarantined || strcmp(status, "accepted") == 0;
    if (!answer->accepted && strcmp(status, "rejected") != 0)
        eds_json_fail(c, quote, "expected \"accepted\", \"quarantined\" or \"rejected\"");
}

/* An error longer than ours can be is cut: it is for people to read. */
static void take_error(struct eds_json_cursor *c, void *object)
{
    struct eds_answer *answer = object;

    (void)eds_json_string_cut(c, answer->error, sizeof answer->error);
}

static const struct eds_json_field answer_fields[] = {
    EDS_JSON_FIELD("status", take_status),
    EDS_JSON_FIELD("error", take_error),
};

static const struct eds_json_shape answer_shape = {answer_fields, 2, 0x1, true};

int32_t eds_json_answer_decode(struct eds_answer *out, const char *text, size_t size,
                               struct eds_error *err)
{
    struct eds_json_cursor c;
    struct eds_answer answer = {.accepted = false};

    eds_json_begin(&c, text, size, "answer", true, err);
    eds_json_object(&c, &answer_shape, &answer);
    eds_json_finish(&c);
    if (c.rc == EDS_OK)
        memcpy(out, &answer, sizeof *out);
    return c.rc;
}

/* An answer that says what it is about; the answer is the first member. */
struct answer_for {
    struct eds_answer answer;
    char *device_id;
    uint64_t *sequence;
};

static void take_device_id(struct eds_json_cursor *c, void *object)
{
    (void)eds_json_string(c, ((struct answer_for *)object)->device_id, EDS_DEVICE_ID_SIZE);
}

static void take_sequence(struct eds_json_cursor *c, void *object)
{
    *((struct answer_for *)object)->sequence = eds_json_u64(c);
}

static const struct eds_json_field answer_for_fields[] = {
    EDS_JSON_FIELD("device_id", take_device_id),
    EDS_JSON_FIELD("sequence", take_sequence),
    EDS_JSON_FIELD("status", take_status),
    EDS_JSON_FIELD("error", take_error),
};

static const struct eds_json_shape answer_for_shape = {answer_for_fields, 4, 0x7, true};

int32_t eds_json_answer_decode_for(char device_id[EDS_DEVICE_ID_SIZE], uint64_t *sequence,
                                   struct eds_answer *out, const char *text, size_t size,
                                   struct eds_error *err)
{
    struct eds_json_cursor c;
    struct answer_for answer = {.device_id = device_id, .sequence = sequence};

    eds_json_begin(&c, text, size, "answer", true, err);
    eds_json_object(&c, &answer_for_shape, &answer);
    eds_json_finish(&c);
    if (c.rc == EDS_OK)
        memcpy(out, &answer.answer, sizeof *out);
    return c.rc;
}

/* true, or anything else. */
static void take_retry(struct eds_json_cursor *c, void *object)
{
    struct eds_result *result = object;
    const char *value;

    eds_json_space(c);
    value = c->at;
    eds_json_skip(c);
    result->retry = c->rc == EDS_OK && c->at - value == 4 && memcmp(value, "true", 4) == 0;
}

/* The answer is a result's first member. */
static const struct eds_json_field result_fields[] = {
    EDS_JSON_FIELD("status", take_status),
    EDS_JSON_FIELD("error", take_error),
    EDS_JSON_FIELD("retry", take_retry),
};

static const struct eds_json_shape result_shape = {result_fields, 3, 0x1, true};

struct results_walk {
    void (*take)(void *context, size_t index, const struct eds_result *result);
    void *context;
    size_t count;
};

static void take_results(struct eds_json_cursor *c, void *object)
{
    struct results_walk *walk = object;

    if (!eds_json_take(c, '[')) {
        eds_json_fail_expected(c, c->at, "an array");
        return;
    }
    if (eds_json_take(c, ']'))
        return;
    do {
        struct eds_result result = {.retry = false};

        eds_json_object(c, &result_shape, &result);
        if (c->rc == EDS_OK)
            walk->take(walk->context, walk->count++, &result);
    } while (c->rc == EDS_OK && eds_json_take(c, ','));
    if (c->rc == EDS_OK && !eds_json_take(c, ']'))
        eds_json_fail_expected(c, c->at, "',' or ']'");
}

static const struct eds_json_field results_fields[] = {
    EDS_JSON_FIELD("results", take_results),
};

static const struct eds_json_shape results_shape = {results_fields, 1, 0x1, true};

int32_t eds_json_results_decode(const char *text, size_t size,
                                void (*take)(void *context, size_t index,
                                             const struct eds_result *result),
                                void *context, struct eds_error *err)
{
    struct results_walk walk = {take, context, 0};
    struct eds_json_cursor c;

    eds_json_begin(&c, text, size, "answer", true, err);
    eds_json_object(&c, &results_shape, &walk);
    eds_json_finish(&c);
    return c.rc;
}

static void put_status(struct eds_json_writer *w, const struct eds_answer *answer)
{
    eds_writer_name(w, "status");
    if (answer->quarantined) {
        eds_writer_lossy(w, "quarantined", strlen("quarantined"));
    } else if (answer->accepted) {
        eds_writer_lossy(w, "accepted", strlen("accepted"));
    } else {
        eds_writer_lossy(w, "rejected", strlen("rejected"));
        eds_writer_name(w, "error");
        eds_writer_lossy(w, answer->error, strnlen(answer->error, sizeof answer->error));
    }
}

size_t eds_json_answer_encode(char *out, size_t out_size, const struct eds_answer *answer)
{
    struct eds_json_writer w;

    eds_writer_begin(&w, out, out_size, false, 0);
    eds_writer_open(&w, '{');
    put_status(&w, answer);
    eds_writer_close(&w, '}');
    return eds_writer_end(&w);
}

size_t eds_json_answer_encode_for(char *out, size_t out_size, const char *device_id,
                                  uint64_t sequence, const struct eds_answer *answer)
{
    struct eds_json_writer w;

    eds_writer_begin(&w, out, out_size, false, 0);
    eds_writer_open(&w, '{');
    eds_writer_name(&w, "device_id");
    eds_writer_lossy(&w, device_id, strlen(device_id));
    eds_writer_name(&w, "sequence");
    eds_writer_u64(&w, sequence);
    put_status(&w, answer);
    eds_writer_close(&w, '}');
    return eds_writer_end(&w);
}

size_t eds_json_string_encode(char *out, size_t out_size, const char *text, size_t text_size)
{
    struct eds_json_writer w;

    eds_writer_begin(&w, out, out_size, false, 0);
    eds_writer_lossy(&w, text, text_size);
    return eds_writer_end(&w);
}
