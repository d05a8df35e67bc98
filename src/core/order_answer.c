/* order_answer.c - the reference by which a record is the answer to an order; see
 * edgesentry/command.h. */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "edgesentry/command.h"

#define PREFIX  "edgesentry:command/"
#define DONE    "/done/"
#define REFUSED "/refused/"

void eds_order_answer_write(char out[EDS_OBJECT_REF_SIZE], const struct eds_order_answer *answer,
                            const char *device_id, uint64_t sequence)
{
    struct eds_text text;

    eds_text_begin(&text, out, EDS_OBJECT_REF_SIZE);
    eds_text_string(&text, PREFIX);
    eds_text_string(&text, device_id);
    eds_text_char(&text, '/');
    eds_text_u64(&text, answer->counter);
    eds_text_string(&text, answer->done ? DONE : REFUSED);
    eds_text_u64(&text, sequence);
    assert(!text.full); /* 19 + 255 + 1 + 20 + 9 + 20 bytes at most */
}

/* The number at *at, in its one spelling; 0 for anything else. */
static uint64_t take_number(const char **at)
{
    uint64_t number = 0;

    if (**at == '0')
        return 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        unsigned digit = (unsigned)(**at - '0');

        if (number > (UINT64_MAX - digit) / 10)
            return 0;
        number = 10 * number + digit;
    }
    return number;
}

static bool take_text(const char **at, const char *text)
{
    size_t size = strlen(text);

    if (strncmp(*at, text, size) != 0)
        return false;
    *at += size;
    return true;
}

bool eds_order_answer_read(struct eds_order_answer *out, const EdsAuditRecord *record)
{
    const char *at = (const char *)record->object_ref;
    struct eds_order_answer answer;

    /* A reference without its NUL is no answer, and none is as long as the buffer. */
    if (!take_text(&at, PREFIX) ||
        memchr(at, '\0', sizeof record->object_ref - sizeof PREFIX) == NULL ||
        memchr(record->device_id, '\0', sizeof record->device_id) == NULL ||
        !take_text(&at, (const char *)record->device_id) || !take_text(&at, "/"))
        return false;
    answer.counter = take_number(&at);
    answer.done = take_text(&at, DONE);
    if (answer.counter == 0 || (!answer.done && !take_text(&at, REFUSED)) ||
        take_number(&at) != record->sequence || *at != '\0')
        return false;
    *out = answer;
    return true;
}
