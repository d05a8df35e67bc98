/* power_workload.h - an agent and a server, for tests that cut the power or let a
 * disk fail between them.
 *
 * The agent does what every agent must: it makes each record from the head that
 * the buffer tells, and after a failure it makes another one.  The server takes
 * a chain and nothing else: a fork, a gap or a record that was acknowledged and
 * never comes fails the test. */
#ifndef EDS_TESTS_DEVICE_POWER_WORKLOAD_H
#define EDS_TESTS_DEVICE_POWER_WORKLOAD_H

#include "edgesentry/buffer.h"
#include "support/dice.h"

#define POWER_DEVICES 2u
#define POWER_MAX     1000u /* records of a device */

struct power_device {
    char id[16];
    uint8_t seed[EDS_SEED_SIZE];
    /* Of the record with sequence i at i: what was acknowledged to the agent, and
     * what the server has. */
    uint8_t hashes[POWER_MAX][EDS_HASH_SIZE];
    uint64_t acknowledged, delivered; /* up to here */
};

struct power_world {
    struct power_device devices[POWER_DEVICES];
    uint64_t attempts; /* makes every record another one */
    uint64_t failures; /* calls of the buffer that failed */
    struct dice *dice;
    size_t payload_max;
};

/* power_rounds tells how often to do it: so often usually, or as EDS_TEST_ROUNDS says. */
unsigned power_rounds(unsigned usual);

void power_world_init(struct power_world *world, struct dice *dice, size_t payload_max);

/* power_steps lets so many things happen; errors are counted and borne. */
void power_steps(struct power_world *world, struct eds_buffer *buffer, unsigned steps);

/* power_check holds a buffer against the world: all that was acknowledged is
 * there or delivered, and what is there continues the chain. */
void power_check(struct power_world *world, struct eds_buffer *buffer);

/* power_drain delivers all that waits, and checks that nothing is missing. */
void power_drain(struct power_world *world, struct eds_buffer *buffer);

#endif
