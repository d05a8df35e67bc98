/* fields.c - see fields.h. */
#include "core/fields.h"

#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

int32_t eds_field_say(struct eds_error *err, int32_t code, const char *field, const char *fault)
{
    struct eds_text text;

    if (err == NULL)
        return code;
    err->code = code;
    eds_text_begin(&text, err->text, sizeof err->text);
    eds_text_string(&text, field);
    eds_text_string(&text, fault);
    return code;
}

int32_t eds_field_say_too_long(struct eds_error *err, const char *field, size_t buffer_size)
{
    return eds_field_say(err, EDS_ERR_STRING_TOO_LONG, field,
                         buffer_size == 256   ? " is longer than 255 bytes"
                         : buffer_size == 512 ? " is longer than 511 bytes"
                                              : " is longer than 1024 bytes");
}

int32_t eds_field_check(const char *string, size_t buffer_size, const char *field,
                        struct eds_error *err)
{
    const char *end = memchr(string, '\0', buffer_size);

    if (end == NULL)
        return eds_field_say_too_long(err, field, buffer_size);
    if (!eds_utf8_valid(string, (size_t)(end - string)))
        return eds_field_say(err, EDS_ERR_INVALID_UTF8, field, " is not valid UTF-8");
    return EDS_OK;
}

int32_t eds_field_check_name(const char *string, size_t buffer_size, const char *field,
                             struct eds_error *err)
{
    int32_t rc = eds_field_check(string, buffer_size, field, err);

    if (rc == EDS_OK && string[0] == '\0')
        return eds_field_say(err, EDS_ERR_USAGE, field, " must not be empty");
    return rc;
}
