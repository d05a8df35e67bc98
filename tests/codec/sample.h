/* sample.h - records to take apart, and a second opinion on JSON. */
#ifndef EDS_TESTS_CODEC_SAMPLE_H
#define EDS_TESTS_CODEC_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/json_scan.h"
#include "edgesentry/json.h"

/* A text, and where it ends. */
struct sample {
    char text[16 * 1024];
    size_t size;
};

/* sample_entry fills an entry with all kinds of numbers in it. */
void sample_entry(struct eds_entry *out, bool attested);

/* sample_encode writes an entry's JSON; whatever fails ends the test. */
void sample_encode(struct sample *out, const struct eds_entry *entry, enum eds_json_style style);

/* sample_replace puts text in place of a part that is there just once. */
void sample_replace(struct sample *sample, const char *part, const char *text, size_t text_size);

/* sample_exact copies bytes to memory of just that size, so that a sanitizer
 * sees every step outside.  The caller frees. */
char *sample_exact(const void *bytes, size_t size);

/* sample_decode decodes from such a copy. */
int32_t sample_decode(struct eds_entry *out, const char *text, size_t size, struct eds_error *err);

/* assert_entries_equal compares all that a record and its attestation say. */
void assert_entries_equal(const struct eds_entry *a, const struct eds_entry *b);

/* sample_is_record says whether jansson, and the rules of docs/SPEC.md written
 * down once more, take a text for a record.  *sure is false where jansson cannot
 * tell: numbers above 2^63 - 1, and -0, which it takes for 0. */
bool sample_is_record(const char *text, size_t size, bool *sure);

/* run_on_all_levels runs the tests with the inner loops in plain C and, where the
 * processor has it, with AVX-512; returns how many failed. */
#define run_on_all_levels(tests)                                                                   \
    ((void)eds_scan_use_wide(false),                                                               \
     cmocka_run_group_tests(tests, NULL, NULL) +                                                   \
         (eds_scan_use_wide(true) ? cmocka_run_group_tests(tests, NULL, NULL) : 0))

#endif
