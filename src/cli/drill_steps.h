/* drill_steps.h - what a failure drill has tried, and how each step came out. */
#ifndef EDS_CLI_DRILL_STEPS_H
#define EDS_CLI_DRILL_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/args.h"
#include "cli/json_out.h"

#define EDS_DRILL_STEPS_MAX 48u

enum eds_drill_verdict { EDS_DRILL_PASS, EDS_DRILL_FAIL, EDS_DRILL_SKIP };

struct eds_drill_step {
    const char *name; /* "accepted-before"; the caller's, constant */
    enum eds_drill_verdict verdict;
    uint64_t ms; /* since the step before */
    char text[EDS_ERROR_TEXT_SIZE];
};

/* The steps so far.  About 25 KiB. */
struct eds_drill {
    const struct eds_args *args;
    const char *name; /* "db" */
    struct eds_drill_step steps[EDS_DRILL_STEPS_MAX];
    size_t step_count, failed_count, skipped_count;
    uint64_t started_ms, last_ms; /* of eds_drill_now_ms */
    /* Adds members of the drill's own to what --json prints; NULL: none. */
    void (*add_json)(struct eds_json_out *json, void *context);
    void *context;
};

void eds_drill_begin(struct eds_drill *drill, const struct eds_args *args, const char *name);

/* eds_drill_check notes a step that passed or not, prints it unless --json is given,
 * and returns passed.  eds_drill_skip notes one that could not be tried. */
bool eds_drill_check(struct eds_drill *drill, bool passed, const char *name, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));
void eds_drill_skip(struct eds_drill *drill, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* eds_drill_end prints DRILL_PASSED or DRILL_FAILED, or all of it as one JSON object,
 * and returns the exit code. */
int eds_drill_end(struct eds_drill *drill);

/* eds_drill_now_ms is a clock for waiting, which never jumps. */
uint64_t eds_drill_now_ms(void);

#endif
