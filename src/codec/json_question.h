/* json_question.h - a device's question for commands where there are messages and no
 * requests (MQTT), and the answer that there is none.
 *
 *   {"commands": "ask", "device_id": "lift-01", "nonce": "<32 digits>"}
 *
 * Read as strictly as records are (edgesentry/json.h); hex in lower case.  The answer to a
 * question is a signed order, or the question's own with another word. */
#ifndef EDS_CODEC_JSON_QUESTION_H
#define EDS_CODEC_JSON_QUESTION_H

#include "edgesentry/command.h"
#include "edgesentry/json.h"

/* Bytes that hold any question's JSON and a NUL, compact. */
#define EDS_JSON_QUESTION_SIZE_MAX 2048u

enum eds_question_word {
    EDS_QUESTION_ASK,  /* "ask": is there a command? */
    EDS_QUESTION_NONE, /* "none": not now; one that comes later is sent */
    EDS_QUESTION_NEVER /* "never": there are none at this server */
};

struct eds_question {
    enum eds_question_word word;
    char device_id[EDS_DEVICE_ID_SIZE];
    uint8_t nonce[EDS_NONCE_SIZE];
};

/* eds_json_is_question tells whether a text can only be meant as one: its first name says
 * so, which is no record's. */
bool eds_json_is_question(const char *text, size_t size);

/* eds_json_question_encode writes one; out, out_size and the result as for
 * eds_json_entry_encode. */
size_t eds_json_question_encode(char *out, size_t out_size, const struct eds_question *question);

/* eds_json_question_decode reads one.  EDS_OK, EDS_ERR_MALFORMED, EDS_ERR_TRUNCATED; out is
 * untouched then. */
int32_t eds_json_question_decode(struct eds_question *out, const char *text, size_t size,
                                 struct eds_error *err);

#endif
