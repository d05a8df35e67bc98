/* drill_device.h - the device of a failure drill: signs records, brings them to the
 * server, and looks them up in the ledger.
 *
 * Its records are real ones and stay in the ledger for good; so it is a device of
 * its own, and has the word "drill" in its name. */
#ifndef EDS_CLI_DRILL_DEVICE_H
#define EDS_CLI_DRILL_DEVICE_H

#include "cli/client_arg.h"
#include "cli/key_arg.h"
#include "edgesentry/sender.h"
#include "store/objects.h"
#include "transport/http_client.h"

#define EDS_DRILL_PAYLOAD_SIZE 400u /* bytes; the longest id and the text around it */
#define EDS_DRILL_DEVICE       "eds-drill"

/* The options, for a drill's table. */
#define EDS_OPTIONS_DRILL_DEVICE                                                                   \
    {.name = "url", .value = "URL", .help = "The server, https://HOST:PORT", .required = true},    \
        EDS_OPTIONS_CLIENT_TLS,                                                                    \
        {.name = "device-id",                                                                      \
         .value = "DEVICE_ID",                                                                     \
         .fallback = EDS_DRILL_DEVICE,                                                             \
         .help = "A registered device that is there for drills alone, and has \"drill\" in its "   \
                 "name"},                                                                          \
        EDS_OPTIONS_KEY

struct eds_drill_record {
    struct eds_entry entry;
    uint8_t record_hash[EDS_HASH_SIZE];
    char payload[EDS_DRILL_PAYLOAD_SIZE];
    size_t payload_size; /* bytes */
    bool acknowledged;   /* accepted, or known to the server when it came again */
};

struct eds_drill_device {
    const char *device_id;
    struct eds_key key;
    struct eds_http_client *client;
    struct eds_head head;             /* of the last record made */
    struct eds_drill_record *records; /* of this drill, in their order */
    size_t record_count, record_room;
};

/* What the server said of one attempt. */
struct eds_drill_answer {
    enum eds_outcome outcome;
    unsigned status; /* of HTTP; 0: no answer */
    unsigned retry_after_ms;
    char text[EDS_ERROR_TEXT_SIZE]; /* why, unless it was accepted */
};

/* eds_drill_device_open reads the key, and from the ledger where the device's chain
 * ends.  EDS_ERR_USAGE for a name without "drill"; EDS_ERR_INVALID_KEY or
 * EDS_ERR_REFUSED for a device that is registered with another key, or not active;
 * errors of keys, the client and the ledger.  Close it in any case. */
int32_t eds_drill_device_open(struct eds_drill_device *device, const struct eds_args *args,
                              struct eds_ledger *ledger, struct eds_error *err);
void eds_drill_device_close(struct eds_drill_device *device);

/* eds_drill_device_make signs the next record, which is then the last of records;
 * what names the moment in the payload.  EDS_ERR_NO_MEMORY and errors of signing. */
int32_t eds_drill_device_make(struct eds_drill_device *device, const char *what,
                              struct eds_error *err);

/* eds_drill_device_sign makes a record of the caller's own wish: as make, but it is
 * not the device's next one, and is not kept. */
int32_t eds_drill_device_sign(const struct eds_drill_device *device, const struct eds_head *after,
                              const char *what, struct eds_drill_record *out,
                              struct eds_error *err);

/* eds_drill_device_send brings one to the server, with one attempt.  EDS_ERR_NO_MEMORY is
 * the only failure; what the server said is in *out. */
int32_t eds_drill_device_send(struct eds_drill_device *device, struct eds_drill_record *record,
                              struct eds_drill_answer *out, struct eds_error *err);

/* eds_drill_device_hint says on standard error how the device is registered. */
void eds_drill_device_hint(const struct eds_drill_device *device);

struct eds_drill_found {
    size_t stored_count;  /* records of the drill that are in the ledger, byte for byte */
    size_t payload_count; /* of these, with the very payload */
    size_t other_count;   /* records of the device behind its first one that differ */
};

/* eds_drill_device_look reads the device's chain and payloads. */
int32_t eds_drill_device_look(const struct eds_drill_device *device, struct eds_ledger *ledger,
                              struct eds_objects *objects, struct eds_drill_found *out,
                              struct eds_error *err);

#endif
