/* fleet_sample.h - texts as files, and devices of any kind, for the fleet's tests. */
#ifndef EDS_TESTS_FLEET_SAMPLE_H
#define EDS_TESTS_FLEET_SAMPLE_H

#include "fleet/reader.h"
#include "support/dice.h"

/* Keys that are good, by number, as 64 hex digits. */
#define KEY_1 "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
#define KEY_2 "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
#define KEY_3 "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1"

/* A text that is read as a file, at most `piece` bytes at a time. */
struct text_file {
    const char *text;
    size_t size, at, piece;
    size_t fail_at; /* reading fails from that byte on; 0: never */
};

ptrdiff_t text_file_read(void *context, void *buf, size_t size);

/* The key of a number. */
void sample_public_key(uint8_t out[EDS_PUBLIC_KEY_SIZE], uint32_t number);

/* A device of any kind that the commands can make of one: labels, keys, windows,
 * states; its keys are those of first_key and up. */
void dice_enrolment(struct dice *dice, struct eds_enrolment *out, unsigned number,
                    uint32_t first_key);

#endif
