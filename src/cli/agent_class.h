/* agent_class.h - how urgent what an agent records is. */
#ifndef EDS_CLI_AGENT_CLASS_H
#define EDS_CLI_AGENT_CLASS_H

#include "cli/args.h"
#include "edgesentry/buffer_store.h"

extern const char *const eds_agent_classes[];      /* as enum eds_priority: "low" ... "alarm" */
extern const char *const eds_agent_line_classes[]; /* the same, and "line" */

/* eds_agent_class_of is the class of that name; false if there is none. */
bool eds_agent_class_of(enum eds_priority *out, const char *name, size_t name_size);

/* eds_agent_class_take takes a line's class from its front, "alarm door forced" for
 * instance, and leaves the payload behind the space.  EDS_OK, EDS_ERR_MALFORMED. */
int32_t eds_agent_class_take(enum eds_priority *out, const char **line, size_t *size,
                             struct eds_error *err);

/* eds_agent_class_check_percent is the check of --reserve. */
int32_t eds_agent_class_check_percent(const char *text, struct eds_error *err);

/* The options, for the command's table. */
#define EDS_OPTIONS_AGENT_CLASS                                                                    \
    {.name = "class",                                                                              \
     .value = "CLASS",                                                                             \
     .fallback = "normal",                                                                         \
     .choices = eds_agent_line_classes,                                                            \
     .help = "How urgent what is recorded is; line: each line begins with its class and a space. " \
             "In a spool, files in a sub-directory of a class's name have that class"},            \
        {.name = "reserve",                                                                        \
         .value = "PERCENT",                                                                       \
         .fallback = "0",                                                                          \
         .check = eds_agent_class_check_percent,                                                   \
         .help = "Keep so much of the buffer free for each more urgent class, 0 to 30: with 10, "  \
                 "low fills 70 % of it, normal 80, high 90, alarm all"},                           \
    {                                                                                              \
        .name = "drop-payloads-below", .value = "CLASS", .fallback = "low",                        \
        .choices = eds_agent_classes,                                                              \
        .help = "Where there is no room for something less urgent than this, record its hash in "  \
                "a note instead of waiting for room; low: nothing is given up"                     \
    }

#endif
