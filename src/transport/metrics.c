/* metrics.c - see metrics.h. */
#include "transport/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 8192u /* bytes */
#define NS_PER_S   1000000000u

void eds_metrics_free(struct eds_metrics *page)
{
    free(page->text);
    *page = (struct eds_metrics){.text = NULL};
}

/* Makes room for size more bytes and a NUL. */
static bool reserve(struct eds_metrics *page, size_t size)
{
    size_t room = page->room > 0 ? page->room : ROOM_FIRST;
    char *text;

    if (page->failed)
        return false;
    while (room - page->size <= size)
        room *= 2;
    if (room == page->room)
        return true;
    text = realloc(page->text, room);
    page->failed = text == NULL;
    if (page->failed)
        return false;
    page->text = text;
    page->room = room;
    return true;
}

__attribute__((format(printf, 2, 3))) static void print(struct eds_metrics *page,
                                                        const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !reserve(page, (size_t)size))
        return;
    va_start(arguments, format);
    vsnprintf(page->text + page->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    page->size += (size_t)size;
}

/* What stands in quotes: a backslash, a quote and a new line are escaped. */
static void print_escaped(struct eds_metrics *page, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            print(page, "\\n");
        else
            print(page, "%s%c", *text == '\\' || *text == '"' ? "\\" : "", *text);
    }
}

void eds_metrics_family(struct eds_metrics *page, const char *name, const char *type,
                        const char *help)
{
    print(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void eds_metrics_value(struct eds_metrics *page, const char *name, const char *label,
                       const char *label_value, uint64_t value)
{
    print(page, "%s", name);
    if (label != NULL) {
        print(page, "{%s=\"", label);
        print_escaped(page, label_value);
        print(page, "\"}");
    }
    print(page, " %" PRIu64 "\n", value);
}

static void print_seconds(struct eds_metrics *page, uint64_t value_ns)
{
    print(page, "%" PRIu64 ".%09" PRIu64, value_ns / NS_PER_S, value_ns % NS_PER_S);
}

void eds_metrics_seconds(struct eds_metrics *page, const char *name, uint64_t value_ns)
{
    print(page, "%s ", name);
    print_seconds(page, value_ns);
    print(page, "\n");
}

/* "0.0005", not "0.000500000": the label names a bucket for ever. */
static void print_bound(struct eds_metrics *page, uint64_t bound_ns)
{
    print_seconds(page, bound_ns);
    while (!page->failed && page->text[page->size - 1] == '0' && page->text[page->size - 2] != '.')
        page->text[--page->size] = '\0';
}

void eds_metrics_meter(struct eds_metrics *page, const char *name, const char *help,
                       const struct eds_meter_reading *reading)
{
    uint64_t count = 0;

    eds_metrics_family(page, name, "histogram", help);
    for (size_t i = 0; i < EDS_METER_BOUND_COUNT; i++) {
        count += reading->buckets[i];
        print(page, "%s_bucket{le=\"", name);
        print_bound(page, eds_meter_bounds_ns[i]);
        print(page, "\"} %" PRIu64 "\n", count);
    }
    print(page, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name, reading->count, name);
    print_seconds(page, reading->sum_ns);
    print(page, "\n%s_count %" PRIu64 "\n", name, reading->count);
}

void eds_metrics_histogram(struct eds_metrics *page, const char *name, const char *help,
                           const uint64_t *bounds, size_t bound_count, const uint64_t *buckets,
                           uint64_t sum)
{
    uint64_t count = 0;

    eds_metrics_family(page, name, "histogram", help);
    for (size_t i = 0; i < bound_count; i++) {
        count += buckets[i];
        print(page, "%s_bucket{le=\"%" PRIu64 "\"} %" PRIu64 "\n", name, bounds[i], count);
    }
    count += buckets[bound_count];
    print(page, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %" PRIu64 "\n%s_count %" PRIu64 "\n",
          name, count, name, sum, name, count);
}

void eds_metrics_counter(struct eds_metrics *page, const char *name, const char *help,
                         uint64_t value)
{
    eds_metrics_family(page, name, "counter", help);
    eds_metrics_value(page, name, NULL, NULL, value);
}

void eds_metrics_gauge(struct eds_metrics *page, const char *name, const char *help, uint64_t value)
{
    eds_metrics_family(page, name, "gauge", help);
    eds_metrics_value(page, name, NULL, NULL, value);
}
