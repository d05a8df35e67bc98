/* ingest_metrics.c - see ingest_metrics.h. */
#include "transport/ingest_metrics.h"

#include "transport/verdict_log.h"

#define NS_PER_MS 1000000u

/* Every reason is there from the start, with 0: a rate can only be seen of what
 * was there before it rose. */
static void write_verdicts(struct eds_metrics *page, const struct eds_ingest_counts *counts,
                           const char *name, const char *help, bool undecided)
{
    eds_metrics_family(page, name, "counter", help);
    for (unsigned i = EDS_VERDICT_ACCEPTED + 1; i <= EDS_VERDICT_OVERLOADED; i++)
        if (i != EDS_VERDICT_QUARANTINED &&
            eds_verdict_is_undecided((enum eds_verdict)i) == undecided)
            eds_metrics_value(page, name, "reason", eds_verdict_name((enum eds_verdict)i),
                              counts->by_verdict[i]);
}

static void write_counts(struct eds_metrics *page, const struct eds_ingest_counts *counts)
{
    const uint64_t *by_verdict = counts->by_verdict;

    eds_metrics_counter(page, "edgesentry_ingest_accepted_total", "Records accepted and stored.",
                        counts->accepted);
    eds_metrics_counter(page, "edgesentry_ingest_quarantined_total",
                        "Records of quarantined devices, stored apart from their chains.",
                        counts->quarantined);
    write_verdicts(page, counts, "edgesentry_ingest_rejected_total",
                   "Records refused for good, by the check that they failed.", false);
    write_verdicts(page, counts, "edgesentry_ingest_deferred_total",
                   "Records and requests that have to be sent again later.", true);
    eds_metrics_counter(page, "edgesentry_chain_break_total",
                        "Records whose prev_record_hash is not that of the record before.",
                        by_verdict[EDS_VERDICT_PREVIOUS_HASH]);
    eds_metrics_counter(page, "edgesentry_signature_fail_total",
                        "Records whose signature or attestation is wrong.",
                        by_verdict[EDS_VERDICT_SIGNATURE] + by_verdict[EDS_VERDICT_ATTESTATION]);
    eds_metrics_counter(page, "edgesentry_rejections_unlisted_total",
                        "Rejections that the operation log only sums up.", counts->unlisted);
    eds_metrics_gauge(page, "edgesentry_queue_depth", "Records that wait to be stored.",
                      counts->queued);
}

static void write_meters(struct eds_metrics *page, const struct eds_meters_reading *meters)
{
    static const char errors[] = "edgesentry_ingest_error_total";
    static const char lag[] = "edgesentry_store_lag_seconds";
    static const char last[] = "edgesentry_store_last_commit_timestamp_seconds";

    eds_metrics_family(page, errors, "counter", "Calls of a store that failed.");
    for (unsigned i = 0; i < EDS_COMPONENT_COUNT; i++)
        eds_metrics_value(page, errors, "component", eds_component_name((enum eds_component)i),
                          meters->errors[i]);
    eds_metrics_meter(page, "edgesentry_ingest_duration_seconds",
                      "Time from a record's submission to its answer.", &meters->answer);
    eds_metrics_meter(page, "edgesentry_store_commit_duration_seconds",
                      "Time that a commit of the ledger took.", &meters->commit);
    eds_metrics_family(page, lag, "gauge",
                       "How long the oldest of the records in the commit under way has waited.");
    eds_metrics_seconds(page, lag, meters->lag_ns);
    eds_metrics_family(page, last, "gauge",
                       "Unix time of the last commit that succeeded; 0 if there was none.");
    eds_metrics_seconds(page, last, meters->committed_ms * NS_PER_MS);
}

void eds_ingest_metrics_write(struct eds_metrics *page, struct eds_ingest *ingest)
{
    struct eds_ingest_counts counts;
    struct eds_meters_reading meters;

    eds_ingest_counts(ingest, &counts);
    eds_ingest_meters(ingest, &meters);
    write_counts(page, &counts);
    eds_metrics_counter(page, "edgesentry_store_commits_total", "Commits that succeeded.",
                        counts.commits);
    write_meters(page, &meters);
}

void eds_registry_metrics_write(struct eds_metrics *page, const struct eds_registry *registry)
{
    static const char name[] = "edgesentry_devices";
    size_t counts[EDS_DEVICE_STATE_COUNT];

    eds_registry_count_states(registry, counts);
    eds_metrics_family(page, name, "gauge", "Devices in the registry, by state.");
    for (unsigned i = 0; i < EDS_DEVICE_STATE_COUNT; i++)
        eds_metrics_value(page, name, "state", eds_device_state_name((enum eds_device_state)i),
                          counts[i]);
}
