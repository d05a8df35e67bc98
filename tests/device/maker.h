/* maker.h - devices that sign, and a server's mouth that says what a test wants. */
#ifndef EDS_TESTS_DEVICE_MAKER_H
#define EDS_TESTS_DEVICE_MAKER_H

#include "edgesentry/attest.h"
#include "edgesentry/buffer.h"
#include "edgesentry/command.h"

/* A device and its chain. */
struct maker {
    char id[64];
    uint8_t seed[EDS_SEED_SIZE];
    uint64_t sequence;
    uint8_t record_hash[EDS_HASH_SIZE];
};

#define MADE_PAYLOAD_MAX 65536u

struct made {
    struct eds_entry entry;
    uint8_t payload[MADE_PAYLOAD_MAX];
    size_t payload_size;
};

void maker_init(struct maker *maker, const char *id);

/* Every so many of a device's records is one that answers an order: 4 the first, 8 the
 * second, ... */
#define MADE_ANSWER_EVERY 4u

/* made_reference writes the reference of a device's record of that sequence. */
void made_reference(char out[EDS_OBJECT_REF_SIZE], const char *id, uint64_t sequence);

/* maker_next makes the device's next record, attested, with that many bytes of
 * payload, which tell the device and the sequence as far as they go. */
void maker_next(struct maker *maker, size_t payload_size, struct made *out);

/* maker_push makes the next record and pushes it; a failure fails the test. */
void maker_push(struct maker *maker, struct eds_buffer *buffer, size_t payload_size);

/* maker_push_answer pushes a record that answers the order of that counter;
 * assert_counter fails the test unless it is the device's last one. */
void maker_push_answer(struct maker *maker, struct eds_buffer *buffer, uint64_t counter);
void assert_counter(struct eds_buffer *buffer, const char *id, uint64_t counter);

/* assert_made fails the test unless an item is the device's record of that
 * sequence with the payload that maker_next gave it. */
void assert_made(const struct eds_buffer_item *item, const char *id, uint64_t sequence);

/* A sender that takes records as a server does, and answers otherwise where a
 * test says so. */
struct fake_server {
    struct eds_sender sender; /* first */
    struct maker_seen {
        char id[EDS_DEVICE_ID_SIZE];
        uint64_t sequence;
    } heads[16];
    size_t head_count;
    uint64_t calls, accepted, duplicates, gaps;
    /* The n-th call from now answers so; 0: none. */
    uint64_t odd_at;
    struct eds_reply odd;
};

void fake_server_init(struct fake_server *server);

/* fake_server_head tells the last sequence that it took of a device. */
uint64_t fake_server_head(const struct fake_server *server, const char *id);

#endif
