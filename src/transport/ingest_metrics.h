/* ingest_metrics.h - what ingest and the registry have to say, as metrics.
 *
 * The names of the original's runbook, and more; docs/OPERATIONS.md has them all. */
#ifndef EDS_TRANSPORT_INGEST_METRICS_H
#define EDS_TRANSPORT_INGEST_METRICS_H

#include "ingest/ingest.h"
#include "transport/metrics.h"

/* eds_ingest_metrics_write adds the metrics of ingest to a page. */
void eds_ingest_metrics_write(struct eds_metrics *page, struct eds_ingest *ingest);

/* eds_registry_metrics_write adds those of the registry. */
void eds_registry_metrics_write(struct eds_metrics *page, const struct eds_registry *registry);

#endif
