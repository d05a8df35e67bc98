/* error.c - see edgesentry/error.h. */
#include "edgesentry/error.h"

#include <stdarg.h>

#include "base/format.h"

const char *eds_error_name(int32_t code)
{
    switch (code) {
#define NAME(code)                                                                                 \
    case code:                                                                                     \
        return #code
        NAME(EDS_OK);
        NAME(EDS_ERR_NULL_PTR);
        NAME(EDS_ERR_INVALID_UTF8);
        NAME(EDS_ERR_INVALID_KEY);
        NAME(EDS_ERR_STRING_TOO_LONG);
        NAME(EDS_ERR_CHAIN_INVALID);
        NAME(EDS_ERR_PANIC);
        NAME(EDS_ERR_HASH_MISMATCH);
        NAME(EDS_ERR_BAD_SIGNATURE);
        NAME(EDS_ERR_MALFORMED);
        NAME(EDS_ERR_TOO_LARGE);
        NAME(EDS_ERR_NO_MEMORY);
        NAME(EDS_ERR_IO);
        NAME(EDS_ERR_NOT_FOUND);
        NAME(EDS_ERR_EXISTS);
        NAME(EDS_ERR_BUSY);
        NAME(EDS_ERR_HEAD_MOVED);
        NAME(EDS_ERR_UNSUPPORTED);
        NAME(EDS_ERR_TRUNCATED);
        NAME(EDS_ERR_USAGE);
        NAME(EDS_ERR_REFUSED);
#undef NAME
    default:
        return "EDS_ERR_UNKNOWN";
    }
}

/* In parentheses, because for the static analyzer the name is also a macro. */
int32_t(eds_error_set)(struct eds_error *err, int32_t code, const char *format, ...)
{
    va_list arguments;

    if (err == NULL)
        return code;
    err->code = code;
    va_start(arguments, format);
    (void)eds_format_arguments(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    return code;
}
