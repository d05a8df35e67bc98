/* drill_steps.c - see drill_steps.h. */
#include "cli/drill_steps.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const char *const verdict_words[] = {"PASS", "FAIL", "SKIP"};

uint64_t eds_drill_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void eds_drill_begin(struct eds_drill *drill, const struct eds_args *args, const char *name)
{
    drill->args = args;
    drill->name = name;
    drill->started_ms = drill->last_ms = eds_drill_now_ms();
}

/* What servers say comes from outside: no control character of theirs reaches the
 * terminal. */
static void clean(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

static void note(struct eds_drill *drill, enum eds_drill_verdict verdict, const char *name,
                 const char *format, va_list arguments)
{
    struct eds_drill_step *step = &drill->steps[drill->step_count];
    uint64_t now = eds_drill_now_ms();

    assert(drill->step_count < EDS_DRILL_STEPS_MAX);
    drill->step_count++;
    drill->failed_count += verdict == EDS_DRILL_FAIL;
    drill->skipped_count += verdict == EDS_DRILL_SKIP;
    step->name = name;
    step->verdict = verdict;
    step->ms = now - drill->last_ms;
    drill->last_ms = now;
    vsnprintf(step->text, sizeof step->text, format, arguments);
    clean(step->text);
    if (eds_args_flag(drill->args, "json"))
        return;
    printf("%s %s: %s\n", verdict_words[verdict], name, step->text);
    fflush(stdout); /* whoever watches sees each step when it is done */
}

bool eds_drill_check(struct eds_drill *drill, bool passed, const char *name, const char *format,
                     ...)
{
    va_list arguments;

    va_start(arguments, format);
    note(drill, passed ? EDS_DRILL_PASS : EDS_DRILL_FAIL, name, format, arguments);
    va_end(arguments);
    return passed;
}

void eds_drill_skip(struct eds_drill *drill, const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    note(drill, EDS_DRILL_SKIP, name, format, arguments);
    va_end(arguments);
}

static void print_json(const struct eds_drill *drill)
{
    static const char *const results[] = {"pass", "fail", "skip"};
    struct eds_json_out json;

    eds_out_begin(&json);
    eds_out_string(&json, "drill", drill->name);
    eds_out_bool(&json, "passed", drill->failed_count == 0);
    eds_out_u64(&json, "step_count", drill->step_count);
    eds_out_u64(&json, "failed_count", drill->failed_count);
    eds_out_u64(&json, "skipped_count", drill->skipped_count);
    eds_out_u64(&json, "duration_ms", drill->last_ms - drill->started_ms);
    if (drill->add_json != NULL)
        drill->add_json(&json, drill->context);
    eds_out_array_begin(&json, "steps");
    for (size_t i = 0; i < drill->step_count; i++) {
        eds_out_object_begin(&json);
        eds_out_string(&json, "name", drill->steps[i].name);
        eds_out_string(&json, "result", results[drill->steps[i].verdict]);
        eds_out_u64(&json, "ms", drill->steps[i].ms);
        eds_out_string(&json, "text", drill->steps[i].text);
        eds_out_object_end(&json);
    }
    eds_out_array_end(&json);
    eds_out_end(&json);
}

int eds_drill_end(struct eds_drill *drill)
{
    bool passed = drill->failed_count == 0;

    if (eds_args_flag(drill->args, "json"))
        print_json(drill);
    else
        printf("%s: %s steps=%zu failed=%zu skipped=%zu seconds=%llu\n",
               passed ? "DRILL_PASSED" : "DRILL_FAILED", drill->name, drill->step_count,
               drill->failed_count, drill->skipped_count,
               (unsigned long long)(drill->last_ms - drill->started_ms) / 1000u);
    return passed ? EDS_EXIT_OK : EDS_EXIT_NOT_VALID;
}
