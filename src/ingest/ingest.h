/* ingest.h - the way in: check side by side, decide and commit in order.
 *
 * eds_ingest_submit queues a request.  What has gathered in the queue is checked
 * together (hashes and signatures: the work), by the committer or, when much
 * waits while it is busy, by helpers.  The committer takes all that is checked,
 * decides sequence, chain and reference in the order of arrival, makes the
 * batch durable in one commit, and only then calls each request's done.
 * A failed commit leaves every head where it was and answers EDS_VERDICT_STORE:
 * the same records may come again.  Where payloads have a store of their own,
 * each is stored there before its record comes to the committer (uploads.h). */
#ifndef EDS_INGEST_INGEST_H
#define EDS_INGEST_INGEST_H

#include "ingest/gate.h"
#include "ingest/meters.h"
#include "ingest/rate_limit.h"

struct eds_ingest;
struct eds_keeper; /* ingest/keeper.h */
struct eds_objects;

/* Where a submission's payload is when its record is decided. */
enum eds_payload_place {
    EDS_PAYLOAD_IN_COMMIT, /* it goes into the ledger with its record */
    EDS_PAYLOAD_STORED,    /* in a store of payloads */
    EDS_PAYLOAD_TAKEN,     /* not: the reference stands for another payload there */
};

/* One request on its way.  The caller fills the first part and keeps the whole,
 * entry and payload alive and unmoved until done was called. */
struct eds_submission {
    struct eds_request request;
    /* On the committer's thread; on the caller's if the queue is full. */
    void (*done)(struct eds_submission *);
    void *context; /* the caller's */

    /* The answer, valid when done is called. */
    enum eds_verdict verdict;
    char message[EDS_ERROR_TEXT_SIZE]; /* "" if accepted; else for the log */
    unsigned retry_after_s;            /* if EDS_VERDICT_RATE_LIMITED: not before then */
    uint64_t expected_sequence;        /* if EDS_VERDICT_SEQUENCE */

    /* Ours meanwhile. */
    uint8_t record_hash[EDS_HASH_SIZE];
    uint8_t payload_hash[EDS_HASH_SIZE]; /* of a large payload */
    bool has_payload_hash;
    bool attest_required; /* as the registry said when it was checked */
    bool is_checked;      /* verdict is that of the checks */
    bool has_token;       /* of its device's rate */
    uint64_t generation;  /* of the registry, when it was checked ahead */
    uint64_t begun_ns;    /* when it was submitted: monotonic */
    enum eds_payload_place payload_place;
    struct eds_submission *next;
};

struct eds_sightings; /* ingest/sightings.h */

struct eds_ingest_config {
    struct eds_ledger *ledger; /* the committer's alone meanwhile; outlives us */
    /* Where records go instead; NULL: the ledger; outlives us. */
    struct eds_keeper *keeper;
    /* NULL, with a keeper: nothing is known of devices, and of a record no more is
     * checked than whether its sender may bring it; outlives us. */
    const struct eds_registry *registry;
    /* Reads what has changed of the registry, at once; NULL: nothing changes. */
    void (*refresh)(void *context);
    void *refresh_context;
    struct eds_sightings *sightings; /* what devices say of themselves; NULL: nobody asks */
    struct eds_objects *objects;     /* for payloads; NULL: the ledger; outlives us */
    /* Where payloads are that came before their records: objects, or one of their
     * own beside the ledger; NULL: nowhere; outlives us. */
    struct eds_objects *uploaded;
    size_t queue_max;                      /* requests waiting, wherever; 0: 4096 */
    size_t batch_max;                      /* records in one commit; 0: 1024 */
    size_t batch_size_max;                 /* payload bytes in one commit; 0: 64 MiB */
    size_t heads_max;                      /* heads kept in memory; 0: 65536 */
    size_t key_tables_max;                 /* keys verified by table, 86 KiB each; 0: 512 */
    unsigned thread_count;                 /* that may check at once; 0: one per core */
    uint64_t quick_ns;                     /* a commit that a caller may wait for; 0: 5 ms */
    unsigned rejections_logged_per_second; /* rows; the rest is summed up; 0: 1000 */
    unsigned rejections_logged_per_source; /* a second; 0: 100 */
    struct eds_rate rate_per_source;       /* requests let in by eds_ingest_admit */
    struct eds_rate bytes_per_source;      /* bytes let in by eds_ingest_admit_bytes */
    struct eds_rate rate_per_device;       /* records under a valid signature */
};

/* What has happened since the start; for metrics and the closing log line. */
struct eds_ingest_counts {
    uint64_t accepted, duplicate, conflict, store_failed, overloaded, rate_limited;
    uint64_t quarantined;
    uint64_t rejected; /* every other verdict */
    uint64_t by_verdict[EDS_VERDICT_OVERLOADED + 1];
    uint64_t commits;  /* that succeeded */
    uint64_t unlisted; /* rejections that the operation log only sums up */
    uint64_t queued;   /* now */
};

/* eds_ingest_start allocates all that ingest will need (but for the tables of keys,
 * which are made as they pay) and starts the committer.
 * EDS_OK; EDS_ERR_USAGE (batch_max, heads_max or key_tables_max above 2^24), EDS_ERR_NO_MEMORY,
 * EDS_ERR_PANIC (no randomness), EDS_ERR_IO (no thread). */
int32_t eds_ingest_start(struct eds_ingest **out, const struct eds_ingest_config *config,
                         struct eds_error *err);

/* eds_ingest_submit takes a request.  done is called exactly once, with no lock
 * held: before this returns if the queue is full or ingest is stopping
 * (EDS_VERDICT_OVERLOADED); before the commit if the rejection is one too many
 * to be listed; else after the commit (rejections are committed to the log as
 * well).  Once done was called the submission is the caller's again, whatever
 * thread that was on. */
void eds_ingest_submit(struct eds_ingest *ingest, struct eds_submission *submission);

/* eds_ingest_submit_all does the same with several, in their order, and wakes no more
 * threads than for one.
 *
 *   submissions  the list is used meanwhile: it is another one afterwards */
void eds_ingest_submit_all(struct eds_ingest *ingest, struct eds_submission **submissions,
                           size_t count);

/* eds_ingest_check_ahead does of several, on the caller's thread, what would otherwise be
 * done of them once they are submitted: it is for whoever has many at a time, or will
 * have more before he submits them.  A server that has no room for them, or no tables to
 * check them quickly, leaves it to others.  Up to eds_ingest_submit_ahead, which must
 * follow (of all or none of them), the submissions are the caller's.  However long that
 * takes, what was found is good only as long as the registry stays as it is. */
void eds_ingest_check_ahead(struct eds_ingest *ingest, struct eds_submission **submissions,
                            size_t count);

/* eds_ingest_submit_ahead does what eds_ingest_submit_all does, with submissions that went
 * through eds_ingest_check_ahead.  Behind the first that there is no room for, all are
 * answered EDS_VERDICT_OVERLOADED. */
void eds_ingest_submit_ahead(struct eds_ingest *ingest, struct eds_submission **submissions,
                             size_t count);

/* eds_ingest_submit_here decides a request on the caller's thread, commit
 * included, if nothing else is on its way, nobody was beside the one before, and
 * the store was quick then: no thread has to be woken for a lone one.  True: it
 * is decided, and done is not called.  False: nothing has happened, and
 * eds_ingest_submit may be called. */
bool eds_ingest_submit_here(struct eds_ingest *ingest, struct eds_submission *submission);

/* eds_ingest_submit_wait does the same as eds_ingest_submit, and returns when it
 * is decided.  It uses done and context itself.  Not from within a done. */
enum eds_verdict eds_ingest_submit_wait(struct eds_ingest *ingest,
                                        struct eds_submission *submission);

/* eds_ingest_admit says whether a source may send count more records, before
 * anything is read of them; true without a rate_per_source.  An address of IPv6
 * stands for its /64.  A device's own rate is of what has a valid signature:
 * nobody else can use it up.
 *
 *   retry_after_s  out, if false: not before then */
bool eds_ingest_admit(struct eds_ingest *ingest, const char *source, size_t count,
                      unsigned *retry_after_s);

/* eds_ingest_admit_bytes takes size bytes of a source's rate before they are read.
 * True: they may be read in *wait_ms (0: at once), which is at most patience_ms.
 * False: it would take longer, and nothing was taken.
 *
 *   retry_after_s  out, if false: not before then */
bool eds_ingest_admit_bytes(struct eds_ingest *ingest, const char *source, uint64_t size,
                            unsigned patience_ms, unsigned *wait_ms, unsigned *retry_after_s);

/* eds_ingest_set_rates changes the rates while it runs; one thread at a time.
 * EDS_OK, EDS_ERR_USAGE, EDS_ERR_NO_MEMORY. */
int32_t eds_ingest_set_rates(struct eds_ingest *ingest, struct eds_rate per_source,
                             struct eds_rate bytes_per_source, struct eds_rate per_device,
                             struct eds_error *err);

/* eds_ingest_admit_object says whether a payload may come before its record: as a
 * record would, it must have the signature of a device that is known, by a key
 * that is valid now.  EDS_VERDICT_ACCEPTED, or the verdict and its message.
 *
 *   request  its entry's record has device_id, payload_hash and signature
 *   retry_after_s  out, if EDS_VERDICT_RATE_LIMITED */
enum eds_verdict eds_ingest_admit_object(struct eds_ingest *ingest, struct eds_request *request,
                                         char message[EDS_ERROR_TEXT_SIZE],
                                         unsigned *retry_after_s);

/* eds_submission_miss_payload makes the verdict EDS_VERDICT_PAYLOAD_ABSENT. */
void eds_submission_miss_payload(struct eds_submission *submission);

void eds_ingest_counts(struct eds_ingest *ingest, struct eds_ingest_counts *out);

/* eds_ingest_meters tells how long it takes, and what of the stores has failed. */
void eds_ingest_meters(struct eds_ingest *ingest, struct eds_meters_reading *out);

/* eds_ingest_forget_key gives up what was prepared to verify a key faster: it
 * will sign nothing more.  Any thread. */
void eds_ingest_forget_key(struct eds_ingest *ingest,
                           const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_ingest_stop finishes what was taken, answers it, and frees everything.
 * No submit may run at the same time or follow. */
void eds_ingest_stop(struct eds_ingest *ingest);

/* eds_ingest_answer_text writes what a client is told of a rejection: the
 * message, with "ingest verification failed: " in front where edgesentry-rs
 * has it. */
void eds_ingest_answer_text(char out[EDS_ERROR_TEXT_SIZE], const struct eds_submission *submission);

#endif
