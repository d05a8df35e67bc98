/* fetcher.h - many payloads read from where they are kept, several at once.
 *
 * A service far away answers in milliseconds and takes many questions at a time.
 * So a few threads ask for everybody.  Whoever needs payloads asks for all, or for
 * as many as he has memory for, before he waits for the first. */
#ifndef EDS_EVIDENCE_FETCHER_H
#define EDS_EVIDENCE_FETCHER_H

#include "store/objects.h"

#define EDS_FETCHES_MAX  16u          /* on their way at a time */
#define EDS_FETCHES_ROOM (256u << 20) /* bytes in memory that are aimed at, or one payload */

struct eds_fetcher;

/* One payload.  The caller fills record and keep. */
struct eds_fetch {
    const EdsAuditRecord *record;
    bool keep; /* the payload itself is wanted, not only its hash */

    /* The answer: EDS_OK, EDS_ERR_NOT_FOUND, EDS_ERR_TOO_LARGE, or the store's error. */
    int32_t rc;
    uint8_t hash[EDS_HASH_SIZE]; /* of what was read */
    size_t size;                 /* bytes */
    void *payload;               /* if kept: until eds_fetcher_release; not NULL on EDS_OK */
    struct eds_error err;

    struct eds_fetch *next; /* the fetcher's meanwhile */
    bool is_done;
};

/* eds_fetcher_create starts the threads.  NULL without memory or threads. */
struct eds_fetcher *eds_fetcher_create(struct eds_objects *objects);

/* eds_fetcher_destroy; NULL is fine.  Nobody is waiting any more. */
void eds_fetcher_destroy(struct eds_fetcher *fetcher);

/* eds_fetcher_ask asks for a payload; eds_fetcher_wait returns when it is there, and
 * every one that was asked for must be waited for.  Any thread. */
void eds_fetcher_ask(struct eds_fetcher *fetcher, struct eds_fetch *it);
void eds_fetcher_wait(struct eds_fetcher *fetcher, const struct eds_fetch *it);

/* eds_fetcher_release frees the payload of one that was waited for; each that is kept
 * makes room for others only then.  Who keeps payloads waits in the order of asking. */
void eds_fetcher_release(struct eds_fetcher *fetcher, struct eds_fetch *it);

#endif
