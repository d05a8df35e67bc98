/* dropped_note.c - see dropped_note.h. */
#include "evidence/dropped_note.h"

#include <string.h>

#define REFERENCE "edgesentry:note/"
#define FRONT     "{\"note\":\"payload-dropped\",\"text\":\""
#define BACK      "\"}"

bool eds_dropped_note_read(char text[EDS_DROPPED_TEXT_SIZE], const EdsAuditRecord *record,
                           const void *payload, size_t size)
{
    const char *at = payload;
    size_t text_size;

    if (strncmp((const char *)record->object_ref, REFERENCE, strlen(REFERENCE)) != 0 ||
        size < strlen(FRONT) + strlen(BACK) || memcmp(at, FRONT, strlen(FRONT)) != 0 ||
        memcmp(at + size - strlen(BACK), BACK, strlen(BACK)) != 0)
        return false;
    at += strlen(FRONT);
    text_size = size - strlen(FRONT) - strlen(BACK);
    if (text_size >= EDS_DROPPED_TEXT_SIZE)
        text_size = EDS_DROPPED_TEXT_SIZE - 1;
    for (size_t i = 0; i < text_size; i++) /* a device's words, on their way to a terminal */
        text[i] = at[i] >= ' ' && at[i] <= '~' ? at[i] : '?';
    text[text_size] = '\0';
    return true;
}
