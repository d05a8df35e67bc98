/* objects.h - where payloads are kept, and what every such store promises.
 *
 * A payload is stored before the ledger's row that speaks of it, so that no row
 * ever points at nothing; what was stored and got no row does no harm.  Stored
 * once, it is never written again.  A new store is written from this page
 * alone and passes tests/store/objects_conformance.c.
 *
 * Where no such store is named the ledger keeps the payloads itself: they then
 * travel in its commit (ledger.h).
 *
 * Errors: EDS_ERR_IO for a store that failed or did not answer in time (*err
 * says what happened to which file or server), EDS_ERR_NO_MEMORY.  After any of
 * them the store can be used again. */
#ifndef EDS_STORE_OBJECTS_H
#define EDS_STORE_OBJECTS_H

#include <stdbool.h>

#include "edgesentry/blake3.h"
#include "store/ledger.h"

struct eds_objects;

/* How a record names its payload.  A store keeps it under one of the two. */
struct eds_object_name {
    const char *object_ref; /* NUL-terminated UTF-8 */
    uint8_t payload_hash[EDS_HASH_SIZE];
};

/* One payload on its way into the store.  The caller fills the first part and
 * keeps the whole, reference and payload alive and unmoved until done was
 * called. */
struct eds_object_put {
    struct eds_object_name name;
    bool only_look;                        /* bring nothing: is it there? */
    const void *payload;                   /* whose hash is name.payload_hash: not checked again */
    size_t payload_size;                   /* bytes */
    const char *file;                      /* that has it as well, in the store's spool_dir and for
                                              the store to take; NULL: none */
    const uint8_t *sha256;                 /* of the payload, if it is known; else NULL */
    void (*done)(struct eds_object_put *); /* on a thread of the store; it must not block */
    void *context;                         /* the caller's */

    /* The answer, valid when done is called. */
    int32_t rc;
    bool was_there; /* EDS_OK: it was stored earlier */
    struct eds_error err;

    /* The store's meanwhile. */
    struct eds_object_put *next;
    uint64_t deadline_ms;
};

struct eds_objects_ops {
    const char *name; /* "file", "s3", "postgresql" */

    /* Takes a payload and returns without waiting; any number of them may be on
     * their way, from any thread.  done is called once, with no lock held, maybe
     * before put returns:
     *
     *   EDS_OK          it is durable, now or since earlier
     *   EDS_ERR_EXISTS  other content is kept under this name, and stays
     *   EDS_ERR_IO, EDS_ERR_NO_MEMORY
     *                   it may be stored or not; putting it again is safe
     *
     * With only_look: EDS_OK if it is there, EDS_ERR_NOT_FOUND if not.  Its name
     * is believed: who put it there has seen its hash.
     *
     * Every put is answered within a time that the store bounds. */
    void (*put)(struct eds_objects *, struct eds_object_put *);

    /* Reads a payload into memory that the caller frees; whether it has the
     * hash of its name is for the caller to see.  EDS_ERR_NOT_FOUND;
     * EDS_ERR_TOO_LARGE above EDS_OBJECT_SIZE_MAX.  Any thread but a put's. */
    int32_t (*get)(struct eds_objects *, const struct eds_object_name *, void **out,
                   size_t *out_size, struct eds_error *);

    /* Frees the store itself; every put has been answered. */
    void (*close)(struct eds_objects *);
};

/* A store embeds this as its first member. */
struct eds_objects {
    const struct eds_objects_ops *ops;
    /* Kept by hash: two payloads never share a name, and EDS_ERR_EXISTS can only
     * mean that what is stored there was changed from outside. */
    bool by_hash;
    const char *spool_dir;        /* where files for it best come in; NULL: anywhere */
    bool wants_sha256;            /* of large payloads, for it would have to compute it */
    struct eds_objects *fallback; /* eds_objects_get asks it next; NULL: none */
};

#define EDS_OBJECT_SIZE_MAX (1024u << 20) /* bytes that get will read */

/* eds_objects_open opens a store of payloads by its URL:
 *
 *   file:DIR      a directory, made 0700 where missing; each payload a file
 *                 (0600) named by its hash, DIR/1f/9c0a...
 *   s3://BUCKET/PREFIX?endpoint=URL&...
 *                 an S3-compatible service; see s3.h for the parameters
 *
 *   read_only     only get will be called, and nothing is made
 *
 * EDS_OK and *out, which the caller closes with out->ops->close; EDS_ERR_USAGE
 * for an unknown or wrong URL, EDS_ERR_UNSUPPORTED for a store left out of this
 * build, EDS_ERR_NOT_FOUND if there is nothing to be read, EDS_ERR_IO,
 * EDS_ERR_NO_MEMORY. */
int32_t eds_objects_open(struct eds_objects **out, const char *url, bool read_only,
                         struct eds_error *err);

/* eds_objects_open_beside opens the directory objects/ beside a SQLite ledger's
 * file: for payloads that come before their records, where no store is named.
 * It is made when the first one comes.  Errors as eds_objects_open. */
int32_t eds_objects_open_beside(struct eds_objects **out, const char *ledger_path, bool read_only,
                                struct eds_error *err);

/* eds_objects_open_postgres opens tables for them beside a ledger in PostgreSQL, which
 * are made when the first one comes.  EDS_OK, EDS_ERR_UNSUPPORTED for a build without
 * PostgreSQL, EDS_ERR_IO, EDS_ERR_NO_MEMORY; for reading only also EDS_ERR_NOT_FOUND, as
 * long as none has come.  To write, whether the database is there shows later.
 *
 *   ledger_url  that eds_ledger_open takes */
int32_t eds_objects_open_postgres(struct eds_objects **out, const char *ledger_url, bool read_only,
                                  struct eds_error *err);

/* eds_objects_get reads a payload from a store or, if it is not there, from its
 * fallback: as get, which most callers should not call themselves. */
int32_t eds_objects_get(struct eds_objects *objects, const struct eds_object_name *name, void **out,
                        size_t *out_size, struct eds_error *err);

/* eds_payload_get reads a record's payload from where it is: the ledger, else
 * objects (NULL: nowhere else) or its fallback, into memory that the caller frees.
 * EDS_ERR_NOT_FOUND if neither has it, and their errors. */
int32_t eds_payload_get(struct eds_ledger *ledger, struct eds_objects *objects,
                        const EdsAuditRecord *record, void **out, size_t *out_size,
                        struct eds_error *err);

/* eds_objects_put_wait puts one payload and returns when that is decided.  It
 * uses done and context itself. */
int32_t eds_objects_put_wait(struct eds_objects *objects, struct eds_object_put *put);

#endif
