/* metrics.h - a page of numbers in the Prometheus text format (version 0.0.4).
 *
 * The page grows as it is written; one that found no memory stays marked. */
#ifndef EDS_TRANSPORT_METRICS_H
#define EDS_TRANSPORT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/meters.h"

#define EDS_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct eds_metrics {
    char *text; /* the page's own; NUL-terminated once something was written */
    size_t size, room;
    bool failed; /* out of memory: text is no whole page */
};

void eds_metrics_free(struct eds_metrics *page);

/* eds_metrics_family begins a metric: its name, "counter", "gauge" or
 * "histogram", and what it counts, in one line of ASCII. */
void eds_metrics_family(struct eds_metrics *page, const char *name, const char *type,
                        const char *help);

/* eds_metrics_value writes one sample.  label NULL: the sample has none. */
void eds_metrics_value(struct eds_metrics *page, const char *name, const char *label,
                       const char *label_value, uint64_t value);

/* eds_metrics_seconds writes one sample of a time, without a label. */
void eds_metrics_seconds(struct eds_metrics *page, const char *name, uint64_t value_ns);

/* eds_metrics_meter writes a whole histogram, in seconds. */
void eds_metrics_meter(struct eds_metrics *page, const char *name, const char *help,
                       const struct eds_meter_reading *reading);

/* eds_metrics_histogram writes a whole histogram of numbers.
 *
 *   buckets  bound_count + 1 of them, each of its own; the last has no bound */
void eds_metrics_histogram(struct eds_metrics *page, const char *name, const char *help,
                           const uint64_t *bounds, size_t bound_count, const uint64_t *buckets,
                           uint64_t sum);

/* eds_metrics_counter and eds_metrics_gauge write a metric of one sample. */
void eds_metrics_counter(struct eds_metrics *page, const char *name, const char *help,
                         uint64_t value);
void eds_metrics_gauge(struct eds_metrics *page, const char *name, const char *help,
                       uint64_t value);

#endif
