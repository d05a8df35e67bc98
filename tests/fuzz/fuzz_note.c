/* fuzz_note.c - any text as a note.
 *
 * What is read is UTF-8 without NUL, and is read as the very same again once it is
 * written anew; a note that ends early is only ever truncated. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "codec/json_note.h"
#include "edgesentry/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_again(const struct eds_note *note)
{
    static char text[6 * (EDS_NOTE_TEXT_SIZE + EDS_NOTE_KIND_SIZE) + 64];
    struct eds_note again;
    size_t used = 0;

    memcpy(text, "{\"note\":", 8);
    used = 8;
    used += eds_json_string_encode(text + used, sizeof text - used, note->kind, strlen(note->kind));
    memcpy(text + used, ",\"text\":", 8);
    used += 8;
    used += eds_json_string_encode(text + used, sizeof text - used, note->text, strlen(note->text));
    memcpy(text + used, "}", 2);
    check(eds_json_note_decode(&again, text, used + 1, NULL) == EDS_OK);
    check(memcmp(note, &again, sizeof again) == 0);
    for (size_t i = 0; i <= used; i += 7)
        check(eds_json_note_decode(&again, text, i, NULL) == EDS_ERR_TRUNCATED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eds_error err;
    struct eds_note note;

    if (eds_json_note_decode(&note, (const char *)data, size, &err) == EDS_OK) {
        check(eds_utf8_valid(note.kind, strlen(note.kind)));
        check(eds_utf8_valid(note.text, strlen(note.text)));
        check_again(&note);
    } else {
        check(err.text[0] != '\0');
    }
    return 0;
}
