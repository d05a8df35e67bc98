/* agent.h - the device's half: from a measurement to a signed record that waits
 * in the offline buffer.
 *
 * An agent keeps a device's chain: each record follows the last one that the
 * buffer holds or held, also after a power cut.  The record and the chain's new
 * head are one durable write; a sequence is neither used twice nor left out.
 *
 *   struct eds_buffer *buffer;
 *   struct eds_signer *signer;
 *   struct eds_agent *agent;
 *
 *   eds_buffer_open(&buffer, "sqlite:/var/lib/lift/buffer.db", NULL, &err);
 *   eds_signer_from_key_file(&signer, "/etc/lift/key.json", NULL, 0, &err);
 *   eds_agent_open(&agent, &(struct eds_agent_config){
 *       .device_id = "lift-01", .buffer = buffer, .signer = signer}, &err);
 *   eds_agent_record(agent, "door closed in 2.1 s", 20, NULL, EDS_PRIORITY_NORMAL, NULL, &err);
 *
 * Time.  A record is never stamped before the one before it, nor before this
 * library was made.  Where the clock is behind that, time goes on from there;
 * whenever the clock's quality changes, a note record says so (docs/DEVICE.md).
 *
 * Threads: any number may call at once, but for open and close. */
#ifndef EDGESENTRY_AGENT_H
#define EDGESENTRY_AGENT_H

#include "edgesentry/buffer.h"
#include "edgesentry/command.h"
#include "edgesentry/signer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct eds_agent;

/* Where the time comes from; for systems with a clock of their own, and tests. */
struct eds_clock {
    uint64_t (*wall_ms)(void *context);      /* Unix time; may step, may be wrong */
    uint64_t (*monotonic_ms)(void *context); /* never steps; counts on while the system sleeps */
    bool (*is_synchronized)(void *context);  /* a time source stands behind the Unix time */
    void *context;
};

enum eds_clock_quality {
    EDS_CLOCK_SYNCHRONIZED, /* the system says so */
    EDS_CLOCK_FREE,         /* it runs by itself */
    EDS_CLOCK_HELD,         /* it is behind the last record or the library: not used */
};

/* What happens when the key's time is over. */
enum eds_key_policy {
    EDS_KEY_GOES_ON, /* a note, and the device signs on: evidence first */
    EDS_KEY_STOPS    /* EDS_ERR_INVALID_KEY from then on */
};

struct eds_agent_config {
    const char *device_id;               /* 1 to 255 bytes of UTF-8; copied */
    struct eds_signer *signer;           /* the agent's alone meanwhile; outlives it */
    struct eds_buffer *buffer;           /* outlives the agent */
    const struct eds_clock *clock;       /* NULL: the system's; outlives it */
    const struct eds_buffer_head *start; /* what the chain goes on from, if the buffer knows no
                                            head of this device; NULL: its beginning */
    uint64_t key_not_after_ms;           /* Unix time; 0: for ever */
    enum eds_key_policy key_policy;
    bool without_notes; /* the chain has the application's records only */
    /* Where the buffer has no room for an event of a class below this, the agent gives
     * up its payload and records a note with its hash instead, in the next class's
     * room (docs/DEVICE.md); LOW: no payload is ever given up. */
    enum eds_priority payloads_from;
    bool volatile_ok; /* the buffer may forget: for tests, or with start from elsewhere */
};

/* One thing to be recorded. */
struct eds_event {
    const void *payload;
    size_t payload_size;
    const char *object_ref; /* NULL: edge:DEVICE_ID/SEQUENCE */
    enum eds_priority priority;
};

#define EDS_EVENTS_MAX 256u /* at once */

/* How an agent is doing. */
struct eds_agent_state {
    struct eds_buffer_head head;
    enum eds_clock_quality clock;
    bool key_expired;
    uint64_t records, notes; /* since it was opened */
    uint64_t failures;       /* calls that recorded nothing */
    uint64_t dropped;        /* payloads that were given up, each with a note */
};

/* eds_agent_open makes an agent.  EDS_OK; EDS_ERR_USAGE (no device id, a
 * buffer that is not durable, a start that the buffer's head contradicts),
 * EDS_ERR_INVALID_UTF8, EDS_ERR_STRING_TOO_LONG, EDS_ERR_NO_MEMORY. */
int32_t eds_agent_open(struct eds_agent **out, const struct eds_agent_config *config,
                       struct eds_error *err);

/* eds_agent_close frees the agent, not its signer and buffer; NULL is fine. */
void eds_agent_close(struct eds_agent *agent);

/* eds_agent_record signs a payload and keeps it.  EDS_OK: it is durable, or a note with
 * its hash is, if the agent may give up payloads of this class (payloads_from).
 *
 *   object_ref  where the payload is to be found later; must be new; NULL:
 *               edge:DEVICE_ID/SEQUENCE
 *   out         the record and its attestation; may be NULL
 *
 * After an error nothing was recorded, no sequence is used, and the call may be
 * made again: EDS_ERR_BUSY (the buffer or its disk is full), EDS_ERR_IO (buffer
 * or token), EDS_ERR_INVALID_KEY (the key's time is over), EDS_ERR_TOO_LARGE,
 * EDS_ERR_STRING_TOO_LONG, EDS_ERR_INVALID_UTF8, EDS_ERR_NO_MEMORY. */
int32_t eds_agent_record(struct eds_agent *agent, const void *payload, size_t payload_size,
                         const char *object_ref, enum eds_priority priority, struct eds_entry *out,
                         struct eds_error *err);

/* eds_agent_record_many does so for 1 to EDS_EVENTS_MAX events with one write,
 * all or none.  out: one each, or NULL. */
int32_t eds_agent_record_many(struct eds_agent *agent, const struct eds_event *events, size_t count,
                              struct eds_entry *out, struct eds_error *err);

/* eds_agent_note records a note of the caller's: something that the reader of
 * the chain should know about the device ("held by the server: revoked").
 *
 *   kind  a word of [a-z-]
 *   text  UTF-8, at most 1000 bytes */
int32_t eds_agent_note(struct eds_agent *agent, const char *kind, const char *text,
                       struct eds_error *err);

/* eds_agent_answer records the answer to an order (edgesentry/command.h), as urgent as can
 * be; from then on the buffer's head has its counter.  Errors as eds_agent_record. */
int32_t eds_agent_answer(struct eds_agent *agent, const struct eds_order_answer *answer,
                         const void *payload, size_t payload_size, struct eds_error *err);

/* eds_agent_set_signer has the agent sign with another key from the next record on; the
 * one before is the caller's again. */
void eds_agent_set_signer(struct eds_agent *agent, struct eds_signer *signer);

/* eds_agent_now_ms tells the Unix time that a record would get now. */
uint64_t eds_agent_now_ms(struct eds_agent *agent);

/* eds_agent_get_state fills *out. */
void eds_agent_get_state(struct eds_agent *agent, struct eds_agent_state *out);

/* eds_clock_quality_name says it in a word ("synchronized"). */
const char *eds_clock_quality_name(enum eds_clock_quality quality);

#ifdef __cplusplus
}
#endif

#endif
