/* json_question.c - see json_question.h. */
#include "codec/json_question.h"

#include <string.h>

#include "codec/json_cursor.h"
#include "codec/json_writer.h"

#define WORD_SIZE 8u

static const char *const words[] = {"ask", "none", "never"}; /* as enum eds_question_word */

static void take_word(struct eds_json_cursor *c, void *object)
{
    char text[WORD_SIZE] = "";
    const char *from = c->at;
    size_t i = 0;

    (void)eds_json_string(c, text, sizeof text);
    while (i < sizeof words / sizeof words[0] && strcmp(text, words[i]) != 0)
        i++;
    if (c->rc == EDS_OK && i == sizeof words / sizeof words[0])
        eds_json_fail(c, from, "expected ask, none or never");
    ((struct eds_question *)object)->word = (enum eds_question_word)i;
}

static void take_device_id(struct eds_json_cursor *c, void *object)
{
    const char *from = c->at;

    if (eds_json_string(c, ((struct eds_question *)object)->device_id, EDS_DEVICE_ID_SIZE) == 0 &&
        c->rc == EDS_OK)
        eds_json_fail(c, from, "is empty");
}

static void take_nonce(struct eds_json_cursor *c, void *object)
{
    eds_json_lower_hex(c, ((struct eds_question *)object)->nonce, EDS_NONCE_SIZE);
}

static const struct eds_json_field fields[] = {
    EDS_JSON_FIELD("commands", take_word),
    EDS_JSON_FIELD("device_id", take_device_id),
    EDS_JSON_FIELD("nonce", take_nonce),
};

static const struct eds_json_shape shape = {fields, 3, 7, false};

bool eds_json_is_question(const char *text, size_t size)
{
    static const char front[] = "{\"commands\":";

    return size >= sizeof front - 1 && memcmp(text, front, sizeof front - 1) == 0;
}

int32_t eds_json_question_decode(struct eds_question *out, const char *text, size_t size,
                                 struct eds_error *err)
{
    struct eds_json_cursor c;
    struct eds_question taken;

    memset(&taken, 0, sizeof taken);
    eds_json_begin(&c, text, size, "question", true, err);
    eds_json_space(&c);
    eds_json_object(&c, &shape, &taken);
    eds_json_finish(&c);
    if (c.rc == EDS_OK)
        *out = taken;
    return c.rc;
}

size_t eds_json_question_encode(char *out, size_t out_size, const struct eds_question *question)
{
    struct eds_json_writer w;

    eds_writer_begin(&w, out, out_size, false, 0);
    eds_writer_open(&w, '{');
    eds_writer_text_field(&w, "commands", words[question->word], WORD_SIZE);
    eds_writer_text_field(&w, "device_id", question->device_id, sizeof question->device_id);
    eds_writer_hex_field(&w, "nonce", question->nonce, EDS_NONCE_SIZE);
    eds_writer_close(&w, '}');
    return eds_writer_end(&w);
}
