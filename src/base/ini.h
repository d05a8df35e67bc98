/* ini.h - the lines of a configuration file.
 *
 *   # a comment, as is a line that begins with ;
 *   key = value
 *   [section]
 *   other-key = any value = with # and ; in it
 *
 * Names are letters a to z, digits and dashes.  Blanks around a name or a value do
 * not count; nothing else is taken away, and there are no other rules: no
 * quotes, no escapes, no lines that go on.  Text is UTF-8 without control
 * characters.  No memory, no OS. */
#ifndef EDS_BASE_INI_H
#define EDS_BASE_INI_H

#include <stddef.h>

enum eds_ini_kind {
    EDS_INI_END,
    EDS_INI_ITEM,
    EDS_INI_SECTION, /* one begins; it may have no items */

    /* What is wrong with the line; nothing follows. */
    EDS_INI_NO_EQUALS, /* neither a section, nor a key and its value */
    EDS_INI_BAD_NAME,  /* a key or section with another character, or without any */
    EDS_INI_NO_VALUE,
    EDS_INI_BAD_TEXT, /* a control character, or no UTF-8 */
};

/* Parts of the text; not terminated. */
struct eds_ini_slice {
    const char *bytes;
    size_t size;
};

struct eds_ini {
    const char *text;
    size_t size, at;
    unsigned line;                /* of what was last read: 1, 2, ... */
    struct eds_ini_slice section; /* of the line; empty before the first */
    struct eds_ini_slice key, value;
};

/* eds_ini_begin starts to read a text, which stays where it is. */
void eds_ini_begin(struct eds_ini *ini, const char *text, size_t size);

/* eds_ini_next goes on to the next key or section, or to the end, or to what is wrong. */
enum eds_ini_kind eds_ini_next(struct eds_ini *ini);

/* eds_ini_fault says in words what is wrong. */
const char *eds_ini_fault(enum eds_ini_kind kind);

#endif
