/* device.c - agent and offline buffer in raw flash memory: records are made, the power
 * goes, and the chain goes on where it was; then all of it is handed out in order. */
#include "edgesentry.h"

#include <stdlib.h>
#include <string.h>

#include "board.h"

#define FLASH_SIZE  (256u * 1024u)
#define SECTOR_SIZE 4096u

/* The chip: a part of memory that the linker keeps apart from the program's own. */
__attribute__((section(".chip"))) static uint8_t chip[FLASH_SIZE];
static int power_is_off;

static void must(int holds, const char *what, const char *why)
{
    if (holds)
        return;
    board_say("DEVICE_WRONG: ");
    board_say(what);
    board_say(": ");
    board_say(why);
    board_say("\n");
    board_exit(1);
}

static int32_t chip_read(struct eds_flash *flash, uint64_t at, void *out, size_t size)
{
    (void)flash;
    memcpy(out, chip + at, size);
    return EDS_OK;
}

static int32_t chip_program(struct eds_flash *flash, uint64_t at, const void *bytes, size_t size)
{
    (void)flash;
    if (power_is_off)
        return EDS_ERR_IO;
    for (size_t i = 0; i < size; i++)
        must(chip[at + i] == 0xff, "program", "a byte that was not erased");
    memcpy(chip + at, bytes, size);
    return EDS_OK;
}

static int32_t chip_erase(struct eds_flash *flash, uint64_t at)
{
    if (power_is_off)
        return EDS_ERR_IO;
    memset(chip + at, 0xff, flash->erase_size);
    return EDS_OK;
}

static struct eds_flash flash = {.size = FLASH_SIZE,
                                 .erase_size = SECTOR_SIZE,
                                 .read = chip_read,
                                 .program = chip_program,
                                 .erase = chip_erase};

static uint64_t now_ms;

static uint64_t read_clock(void *context)
{
    (void)context;
    return UINT64_C(1800000000000) + now_ms++;
}

static bool is_synchronized(void *context)
{
    (void)context;
    return true;
}

static const struct eds_clock device_clock = {
    .wall_ms = read_clock, .monotonic_ms = read_clock, .is_synchronized = is_synchronized};

/* A server that accepts what continues the chain. */
static struct eds_chain served;
static unsigned served_count;

static void serve(struct eds_sender *sender, const struct eds_buffer_item *item,
                  struct eds_reply *reply)
{
    struct eds_chain_finding finding;
    uint8_t hash[32];

    (void)sender;
    eds_blake3(hash, item->payload, item->payload_size);
    must(memcmp(hash, item->entry.record.payload_hash, 32) == 0, "serve", "another payload");
    must(eds_chain_link(&served, &item->entry.record, hash, &finding) == EDS_OK, "serve", "chain");
    served_count++;
    reply->outcome = EDS_OUTCOME_ACCEPTED;
}

/* One life of the device: opens all, records, loses its power or not. */
static void live(struct eds_signer *signer, unsigned count, int lose_power)
{
    struct eds_buffer *buffer;
    struct eds_agent *agent;
    struct eds_error err;
    struct eds_agent_config config = {
        .device_id = "lift-01", .signer = signer, .clock = &device_clock};
    char payload[] = "door 0";

    must(eds_buffer_open_flash(&buffer, &flash, NULL, &err) == EDS_OK, "buffer", err.text);
    config.buffer = buffer;
    must(eds_agent_open(&agent, &config, &err) == EDS_OK, "agent", err.text);
    for (unsigned i = 0; i < count; i++) {
        payload[5] = (char)('0' + i % 10);
        must(eds_agent_record(agent, payload, sizeof payload, NULL, EDS_PRIORITY_NORMAL, NULL,
                              &err) == EDS_OK,
             "record", err.text);
    }
    if (lose_power) {
        power_is_off = 1;
        must(eds_agent_record(agent, payload, 1, NULL, EDS_PRIORITY_NORMAL, NULL, &err) ==
                 EDS_ERR_IO,
             "record", "no error without power");
    }
    eds_agent_close(agent);
    eds_buffer_close(buffer);
    power_is_off = 0;
}

int main(void)
{
    struct eds_sender sender = {.send = serve};
    struct eds_flush_report report;
    struct eds_signer *signer;
    struct eds_buffer *buffer;
    struct eds_error err;
    uint8_t seed[32];

    memset(seed, 7, sizeof seed);
    memset(chip, 0xff, sizeof chip);
    must(eds_signer_from_seed(&signer, seed, &err) == EDS_OK, "signer", err.text);
    live(signer, 5, 1);
    live(signer, 5, 1);
    live(signer, 2, 0);
    eds_chain_begin(&served, EDS_STRENGTH_LINKS);
    must(eds_buffer_open_flash(&buffer, &flash, NULL, &err) == EDS_OK, "buffer", err.text);
    must(eds_buffer_flush(buffer, &sender, EDS_REFUSAL_STOPS, &report, &err) == EDS_OK, "flush",
         err.text);
    must(served_count == 12 && report.accepted == 12, "flush", "not all that was recorded");
    eds_buffer_close(buffer);
    eds_signer_close(signer);
    board_say("DEVICE_GOOD:");
    board_number("stack", board_stack_used());
    board_number("heap", board_heap_used());
    board_say("\n");
    return 0;
}
