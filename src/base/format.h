/* format.h - the part of printf that our texts need, for systems with no stdio and
 * for small ones, where printf would be a quarter of the program.
 *
 * Understood are %d %i %u %x %X %o %c %s %%, with the lengths h, hh, l, ll, z, j and
 * t, the flags - and 0, a width, and for %s a precision.  Anything else stands in the
 * text as it stands in the format, and what follows it is not converted. */
#ifndef EDS_BASE_FORMAT_H
#define EDS_BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* eds_format writes at most size - 1 bytes (size is at least 1) and a NUL, and returns
 * how many bytes all of it has: as snprintf does, but a text that is too long is cut
 * at the border of a UTF-8 character. */
size_t eds_format(char *out, size_t size, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
size_t eds_format_arguments(char *out, size_t size, const char *format, va_list list)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 0)))
#endif
    ;

#endif
