/* agent_bench.h - an agent with a clock, a signer and a buffer in a test's hand. */
#ifndef EDS_TESTS_DEVICE_AGENT_BENCH_H
#define EDS_TESTS_DEVICE_AGENT_BENCH_H

#include "device/agent_clock.h"
#include "edgesentry/agent.h"
#include "edgesentry/chain.h"
#include "support/temp_dir.h"

#define START_MS (EDS_BUILD_FLOOR_MS + 86400000u)
#define DAY_MS   86400000u

/* A clock in a test's hand, and a signer that can fail. */
struct bench {
    char directory[EDS_TEMP_DIR_SIZE];
    char url[EDS_TEMP_DIR_SIZE + 32];
    uint64_t wall_ms, monotonic_ms;
    bool synchronized;
    struct eds_clock clock;
    struct eds_signer *key;
    struct {
        struct eds_signer signer; /* first: a signer around the key */
        struct bench *bench;
    } faulty;
    uint64_t fail_at; /* the n-th signature from now; 0: none */
    struct eds_buffer *buffer;
    struct eds_agent *agent;
    struct eds_agent_config config;
};

/* Around a test: *state is the bench, its agent open on a log. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, bench_set_up, bench_tear_down)

/* bench_start opens buffer and agent by url and config; bench_stop closes them. */
void bench_start(struct bench *bench);
void bench_stop(struct bench *bench);
void bench_restart(struct bench *bench);

/* bench_pass lets time go by on both clocks. */
void bench_pass(struct bench *bench, uint64_t ms);

/* bench_try_record records a text of class normal, and a second passes. */
int32_t bench_try_record(struct bench *bench, const char *text);
void bench_record(struct bench *bench, const char *text);

/* bench_check_chain walks the whole chain in the buffer at full strength; returns its
 * length, and what is asked for of the last item. */
uint64_t bench_check_chain(struct bench *bench, char *last_payload, EdsAuditRecord *last);

#endif
