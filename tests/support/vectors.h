/* vectors.h - test data: files under tests/vectors, hex, records from JSON.
 *
 * Nothing here uses the code under test: hex and numbers are read by the
 * tests' own few lines.  Whatever is not as expected fails the running test. */
#ifndef EDS_TESTS_SUPPORT_VECTORS_H
#define EDS_TESTS_SUPPORT_VECTORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry_bridge.h"

/* vector_file reads a whole file of tests/vectors and puts a NUL behind it;
 * *size (may be NULL) is without it.  The caller frees. */
char *vector_file(const char *path, size_t *size);

/* vector_load reads a JSON file of tests/vectors; the caller drops the
 * reference. */
json_t *vector_load(const char *path);

/* vector_parse reads a JSON text.  Integers of 19 digits and more, which
 * jansson does not hold, become strings; vector_u64 takes either. */
json_t *vector_parse(const char *text);

/* The field of that name, which must be there and of that type. */
const json_t *vector_get(const json_t *object, const char *key);
const char *vector_string(const json_t *object, const char *key);
uint64_t vector_u64(const json_t *object, const char *key);
bool vector_bool(const json_t *object, const char *key);

/* vector_hex reads a field of hex digits into out; returns the bytes, at most
 * out_size. */
size_t vector_hex(const json_t *object, const char *key, void *out, size_t out_size);

/* vector_record fills a record from a JSON object of the seven fields.  A
 * string that does not fit, or has a NUL in it, fails the test. */
void vector_record(EdsAuditRecord *out, const json_t *object);

/* vector_recipe writes "byte i = i % 251". */
void vector_recipe(void *out, size_t size);

/* hex_bytes decodes digits into out and returns the bytes, at most out_size. */
size_t hex_bytes(void *out, size_t out_size, const char *digits);

/* assert_hex compares bytes with digits. */
void assert_hex(const void *bytes, size_t size, const char *digits);

#endif
