/* log.h - one line on standard error per event, as logfmt or JSON.
 *
 *   ts=2026-11-22T00:07:55.123Z level=warn event=record_rejected device_id=lift-01 ...
 *
 * Values are escaped, so that no byte from outside can forge a line.  Payload
 * bytes and keys never go here.  Any thread; a line is written with one write. */
#ifndef EDS_BASE_LOG_H
#define EDS_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum eds_log_level { EDS_LOG_DEBUG, EDS_LOG_INFO, EDS_LOG_WARN, EDS_LOG_ERROR };
enum eds_log_format { EDS_LOG_LOGFMT, EDS_LOG_JSON };

/* One field of a line: a name and either a string or a number. */
struct eds_log_field {
    const char *name;   /* NULL: no field after all */
    const char *string; /* NULL: number holds the value */
    uint64_t number;
};

#define EDS_LOG_STRING(name, value) ((struct eds_log_field){name, value, 0})
/* A string that may be NULL: then the line has no such field. */
#define EDS_LOG_IF(name, value)     ((struct eds_log_field){(value) ? (name) : NULL, value, 0})
#define EDS_LOG_NUMBER(name, value) ((struct eds_log_field){name, NULL, value})
/* A number that is in the line only if there is one. */
#define EDS_LOG_NUMBER_IF(there, name, value)                                                      \
    ((struct eds_log_field){(there) ? (name) : NULL, NULL, (there) ? (value) : 0})

/* eds_log_configure sets what is written from now on; info and logfmt at the
 * start. */
void eds_log_configure(enum eds_log_level least, enum eds_log_format format);

/* eds_log_wants says whether lines of a level are written: what costs more than a
 * few instructions to gather is gathered only then. */
bool eds_log_wants(enum eds_log_level level);

/* eds_log writes one line: event is a word of [a-z_], fields follow. */
void eds_log(enum eds_log_level level, const char *event, const struct eds_log_field *fields,
             unsigned field_count);

#define EDS_LOG(level, event, ...)                                                                 \
    eds_log(level, event, (const struct eds_log_field[]){__VA_ARGS__},                             \
            sizeof((const struct eds_log_field[]){__VA_ARGS__}) / sizeof(struct eds_log_field))

#endif
