/* error.h - the one list of errors, and the sentence that goes with one.
 *
 * Functions return EDS_OK (0) or one of these negative codes; codes down to -8
 * are those of edgesentry_bridge.h and never change.  Where a caller wants
 * more than a code he passes a struct eds_error, and gets what happened, to
 * what, and where. */
#ifndef EDGESENTRY_ERROR_H
#define EDGESENTRY_ERROR_H

#include <stdint.h>

#include "edgesentry_bridge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EDS_ERR_MALFORMED   (-9)  /* bytes from outside break their format */
#define EDS_ERR_TOO_LARGE   (-10) /* a stated limit is exceeded */
#define EDS_ERR_NO_MEMORY   (-11) /* an allocation failed; nothing was changed */
#define EDS_ERR_IO          (-12) /* a read, write, fsync or network call failed */
#define EDS_ERR_NOT_FOUND   (-13) /* there is no such thing; often no fault */
#define EDS_ERR_EXISTS      (-14) /* it is there already, with other content */
#define EDS_ERR_BUSY        (-15) /* try again later: locked, or a full queue */
#define EDS_ERR_HEAD_MOVED  (-16) /* someone else appended first: decide again */
#define EDS_ERR_UNSUPPORTED (-17) /* this build or version cannot do that */
#define EDS_ERR_TRUNCATED   (-18) /* well-formed so far, but it ends too early */
#define EDS_ERR_USAGE       (-19) /* the caller's own arguments are wrong */
#define EDS_ERR_REFUSED     (-20) /* the other side looked at it and said no */

#define EDS_ERROR_TEXT_SIZE 640u /* bytes, NUL included; longer texts are cut */

/* What happened.  text is UTF-8 without a final newline, never empty after a
 * failure, and never holds payload bytes or key material. */
struct eds_error {
    int32_t code;
    char text[EDS_ERROR_TEXT_SIZE];
};

/* eds_error_name names a code ("EDS_ERR_IO"); never NULL, static. */
const char *eds_error_name(int32_t code);

/* eds_error_set fills *err (err may be NULL) and returns code, so that a
 * failing function ends with `return eds_error_set(err, EDS_ERR_IO, ...)`.
 * Format as printf; text past the buffer is cut at a character's border. */
int32_t eds_error_set(struct eds_error *err, int32_t code, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
#if defined(__clang_analyzer__) /* which does not know that the code comes back */
#define eds_error_set(err, code, ...)                                                              \
    __extension__({                                                                                \
        eds_error_set(err, code, __VA_ARGS__);                                                     \
        (code);                                                                                    \
    })
#endif

#ifdef __cplusplus
}
#endif

#endif
