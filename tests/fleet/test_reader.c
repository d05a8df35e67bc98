/* test_reader.c - devices out of files: what is read, and the words for what is
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/fleet_sample.h"

#define TEXT_SIZE 8192u

/* Everything that a file gives, as one text: "id state attest site cohort firmware
 * given | key window given ...;" a device, "!words;" a fault. */
static void read_all(char *out, const char *text, size_t size, size_t piece,
                     enum eds_fleet_format format)
{
    struct text_file file = {.text = text, .size = size, .piece = piece};
    struct eds_fleet_reader *reader = malloc(sizeof *reader);
    struct eds_fleet_entry *entry = malloc(sizeof *entry);
    size_t used = 0;
    int32_t rc;

    assert_non_null(reader);
    assert_non_null(entry);
    eds_fleet_reader_init(reader, format, text_file_read, &file);
    out[0] = '\0';
    for (;;) {
        const struct eds_enrolment *it = &entry->it;
        struct eds_error err = {EDS_OK, ""};

        rc = eds_fleet_reader_next(reader, entry, &err);
        if (rc == EDS_ERR_NOT_FOUND)
            break;
        if (rc != EDS_OK) {
            assert_int_equal(err.code, rc);
            used += (size_t)snprintf(out + used, TEXT_SIZE - used, "!%s;", err.text);
            continue;
        }
        used += (size_t)snprintf(out + used, TEXT_SIZE - used, "%llu %s %s %s [%s] [%s] [%s] %x",
                                 (unsigned long long)entry->line, it->id,
                                 eds_device_state_name(it->state),
                                 it->attest_required ? "required" : "optional", it->site,
                                 it->cohort, it->firmware, entry->given);
        for (uint32_t i = 0; i < it->key_count; i++)
            used += (size_t)snprintf(out + used, TEXT_SIZE - used, " %02x-%llu-%llu-%llu-%d-%x",
                                     it->keys[i].public_key[0],
                                     (unsigned long long)it->keys[i].not_before_ms,
                                     (unsigned long long)it->keys[i].not_after_ms,
                                     (unsigned long long)it->keys[i].not_after_sequence,
                                     it->keys[i].revoked, entry->key_given[i]);
        used += (size_t)snprintf(out + used, TEXT_SIZE - used, ";");
    }
    free(reader);
    free(entry);
}

#define NO      "18446744073709551615"
#define PLAIN_1 "8a-0-" NO "-" NO "-0-2"
#define PLAIN_2 "81-0-" NO "-" NO "-0-2"
#define PLAIN_3 "ed-0-" NO "-" NO "-0-2"

static const struct {
    const char *text, *devices;
} files[] = {
    /* CSV: */
    {"device_id,public_key\na," KEY_1 "\nb," KEY_2 "\n",
     "2 a active required [] [] [] 1 " PLAIN_1 ";3 b active required [] [] [] 1 " PLAIN_2 ";"},
    {"public_key;device_id\r\n" KEY_1 ";a\r\n", "2 a active required [] [] [] 1 " PLAIN_1 ";"},
    {"\xef\xbb\xbf"
     "device_id\tpublic_key\n\"a\"\t\"" KEY_1 "\"\n",
     "2 a active required [] [] [] 1 " PLAIN_1 ";"},
    {"device_id,public_key\n\n\r\na," KEY_1 "\n\n", "4 a active required [] [] [] 1 " PLAIN_1 ";"},
    {"device_id,public_key,site,cohort,firmware,attest,state,not_before,not_after,"
     "not_after_sequence,revoked\na," KEY_1 ",s,c,f,optional,retired,1970-01-01T00:00:01Z,"
     "1970-01-01T00:00:02.005Z,7,true\n",
     "2 a retired optional [s] [c] [f] 7d 8a-1000-2005-7-1-782;"},
    {"device_id,public_key,site,state,not_after,revoked\na," KEY_1 ",,,,\n",
     "2 a active required [] [] [] 5 8a-0-" NO "-" NO "-0-2;"},
    /* ... of several keys: */
    {"device_id,public_key,site\na," KEY_1 ",s\na," KEY_2 ",\na," KEY_3 ",s\nb," KEY_2 ",\n",
     "2 a active required [s] [] [] 5 " PLAIN_1 " " PLAIN_2 " " PLAIN_3
     ";5 b active required [] [] [] 5 " PLAIN_2 ";"},
    {"device_id,public_key\n", ""},
    /* JSON: */
    {"[]", ""},
    {" [ { \"device_id\" : \"a\" , \"keys\" : [ { \"public_key\" : \"" KEY_1 "\" } ] } ] \n",
     "1 a active required [] [] [] 1 " PLAIN_1 ";"},
    {"[{\"device_id\":\"a\",\"keys\":[{\"public_key\":\"" KEY_1 "\"},{\"public_key\":\"" KEY_2
     "\",\"not_before\":\"1970-01-01T00:00:01Z\",\"not_after\":\"1970-01-01T00:00:02Z\","
     "\"not_after_sequence\":7,\"revoked\":true}],\"state\":\"revoked\",\"attest\":\"optional\","
     "\"site\":\"s\",\"cohort\":\"c\",\"firmware\":\"f\"},\n"
     "{\"device_id\":\"b\",\"keys\":[{\"public_key\":\"" KEY_3 "\",\"not_before\":null,"
     "\"not_after\":null,\"not_after_sequence\":null,\"revoked\":null}],\"site\":null}]",
     "1 a revoked optional [s] [c] [f] 7d " PLAIN_1 " 81-1000-2000-7-1-782;"
     "2 b active required [] [] [] 1 " PLAIN_3 ";"},
    /* ... as list and show print it: */
    {"{\"devices\":[{\"device_id\":\"a\",\"state\":\"active\",\"attest\":\"required\",\"site\":"
     "\"\","
     "\"cohort\":\"\",\"firmware\":\"\",\"quarantined_records\":0,\"revision\":5,\"keys\":[{"
     "\"key_id\":\"00\",\"public_key\":\"" KEY_1 "\",\"standing\":\"revoked\",\"not_before\":null,"
     "\"not_after\":\"1970-01-01T00:00:02.000Z\",\"not_after_sequence\":null}]}]}\n",
     "1 a active required [] [] [] 7d 8a-0-2000-" NO "-1-502;"},
    {"{\"devices\":[]}", ""},
    {"{\"device_id\":\"a\",\"keys\":[{\"public_key\":\"" KEY_1 "\",\"standing\":\"ended\"}],"
     "\"sequence\":3,\"attested\":true,\"conflict_count\":0}\n\n"
     "{\"device_id\":\"b\",\"keys\":[{\"public_key\":\"" KEY_2 "\"}]}",
     "1 a active required [] [] [] 1 " PLAIN_1 ";3 b active required [] [] [] 1 " PLAIN_2 ";"},
};

static void test_files(void **state)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 7, 100};
    char out[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            read_all(out, files[i].text, strlen(files[i].text), pieces[k], EDS_FLEET_GUESS);
            if (strcmp(out, files[i].devices) != 0)
                fail_msg("file %zu:\n%s\nwanted:\n%s", i, out, files[i].devices);
        }
}

#define HEAD   "device_id,public_key,site,attest,state,not_before,not_after_sequence,revoked\n"
#define LAST   "\nz," KEY_3 ",,,,,,\n" /* a good row, which is still read */
#define ROW_Z  "z active required [] [] [] 5 " PLAIN_3 ";"
#define LINE_3 "3 " ROW_Z
#define OBJECT(id, key, more)                                                                      \
    "{\"device_id\":" id ",\"keys\":[{\"public_key\":\"" key "\"" more "}]}"
#define LAST_OBJECT ",\n" OBJECT("\"z\"", KEY_3, "") "]"
#define OBJECT_Z    "2 z active required [] [] [] 1 " PLAIN_3 ";"
#define SMALL       "0000000000000000000000000000000000000000000000000000000000000000"
#define HIGH        "efffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"

/* Each is one edit away from a good file. */
static const struct {
    const char *text, *words;
} faults[] = {
    {"", "!line 1 column 1: the file is empty; even one without devices has a header; reading "
         "stopped here;"},
    {"device_id\na\n", "!line 1: the header has to name at least device_id and public_key; "
                       "reading stopped here;"},
    {"device_id,public_key,sites\n",
     "!line 1: the header has to name columns, and \"sites\" is none of device_id, "
     "public_key, site, cohort, firmware, attest, state, not_before, not_after, "
     "not_after_sequence, revoked; reading stopped here;"},
    {"device_id,public_key,device_id\n",
     "!line 1: the header names a column twice; reading stopped here;"},
    {HEAD "a," KEY_1 ",,,,,,,x" LAST, "!line 2: 9 cells, and the header names 8 columns;" LINE_3},
    {HEAD "a," KEY_1 LAST, "!line 2: 2 cells, and the header names 8 columns;" LINE_3},
    {HEAD "," KEY_1 ",,,,,," LAST, "!line 2, device_id: the id must not be empty;" LINE_3},
    {HEAD "\x01," KEY_1 ",,,,,," LAST,
     "!line 2, device_id: the text has a control character at byte 0;" LINE_3},
    {HEAD "a\xff," KEY_1 ",,,,,," LAST,
     "!line 2, device_id: the text is not valid UTF-8 at byte 1;" LINE_3},
    {HEAD "a,,,,,,," LAST, "!line 2, public_key: the key must not be empty;" LINE_3},
    {HEAD "a,12,,,,,," LAST,
     "!line 2, public_key: invalid byte length: expected 32, actual 1;" LINE_3},
    {HEAD "a,x" KEY_1 ",,,,,," LAST,
     "!line 2, public_key: invalid hex input: Odd number of digits;" LINE_3},
    {HEAD "a," SMALL ",,,,,," LAST,
     "!line 2, public_key: the key is a point of small order;" LINE_3},
    {HEAD "a," HIGH ",,,,,," LAST,
     "!line 2, public_key: the key is not the canonical spelling of a point;" LINE_3},
    {HEAD "a," KEY_1 ",,always,,,," LAST, "!line 2, attest: expected required or optional;" LINE_3},
    {HEAD "a," KEY_1 ",,,on,,," LAST,
     "!line 2, state: expected active, quarantined, revoked or retired;" LINE_3},
    {HEAD "a," KEY_1 ",,,,now,," LAST,
     "!line 2, not_before: expected a time like 2026-11-22T00:00:00Z;" LINE_3},
    {HEAD "a," KEY_1 ",,,,2026-02-30T00:00:00Z,," LAST,
     "!line 2, not_before: expected a time like 2026-11-22T00:00:00Z;" LINE_3},
    {HEAD "a," KEY_1 ",,,,,-1," LAST,
     "!line 2, not_after_sequence: expected a whole number from 0 to 18446744073709551614;" LINE_3},
    {HEAD "a," KEY_1 ",,,,,18446744073709551615," LAST,
     "!line 2, not_after_sequence: expected a whole number from 0 to 18446744073709551614;" LINE_3},
    {HEAD "a," KEY_1 ",,,,,,yes" LAST, "!line 2, revoked: expected true or false;" LINE_3},
    /* Rows of one device: the fault is told, the rest read and not given. */
    {HEAD "a," KEY_1 ",s,,,,,\na," KEY_2 ",t,,,,," LAST,
     "!line 3, site: not what line 2 says of the same device; a further key's row may leave it "
     "empty;4 " ROW_Z},
    {HEAD "a," KEY_1 ",s,,,,,\na," KEY_1 ",,,,,," LAST,
     "!line 3, public_key: a has this key twice;4 " ROW_Z},
    {HEAD "a,x,s,,,,,\na," KEY_2 ",,,,,,maybe" LAST,
     "!line 2, public_key: invalid hex input: Odd number of digits;!line 3, revoked: expected true "
     "or false;4 " ROW_Z},
    {HEAD ",x,,,,,,\n,x,,,,,," LAST,
     "!line 2, device_id: the id must not be empty;!line 3, device_id: the id must not be empty;"
     "4 " ROW_Z},
    /* Nothing tells where the next row begins: */
    {HEAD "\"a\"b," KEY_1 ",,,,,," LAST,
     "!line 2 column 4: after a cell in quotes the next cell or line has to come; reading stopped "
     "here;"},
    {HEAD "\"a," KEY_1 ",,,,,," LAST,
     "!line 4 column 1: the file ends inside a cell in quotes; reading stopped here;"},
    /* JSON: */
    {"[" OBJECT("\"\"", KEY_1, "") LAST_OBJECT,
     "!devices[0].device_id: the id must not be empty at line 1 column 15 (byte 14);" OBJECT_Z},
    {"[" OBJECT("null", KEY_1, "") LAST_OBJECT,
     "!devices[0].device_id: the id must not be empty at line 1 column 15 (byte 14);" OBJECT_Z},
    {"[" OBJECT("7", KEY_1, "") LAST_OBJECT, "!devices[0].device_id: expected a string or null, "
                                             "found '7' at line 1 column 15 (byte 14);" OBJECT_Z},
    {"[" OBJECT("\"a\"", SMALL, "") LAST_OBJECT,
     "!devices[0].keys.public_key: the key is a point of small order at line 1 column 41 (byte "
     "40);" OBJECT_Z},
    {"[" OBJECT("\"a\"", KEY_1, ",\"revoked\":\"true\"") LAST_OBJECT,
     "!devices[0].keys.revoked: expected true, false or null, found '\"' at line 1 column 118 "
     "(byte 117);" OBJECT_Z},
    {"[" OBJECT("\"a\"", KEY_1, ",\"revoke\":true") LAST_OBJECT,
     "!devices[0].keys: unknown field \"revoke\" at line 1 column 108 (byte 107);" OBJECT_Z},
    {"[" OBJECT("\"a\"", KEY_1, ",\"not_after_sequence\":1.5") LAST_OBJECT,
     "!devices[0].keys.not_after_sequence: expected a whole number from 0 to 18446744073709551614 "
     "at line 1 column 129 (byte 128);" OBJECT_Z},
    {"[{\"device_id\":\"a\",\"keys\":[]}" LAST_OBJECT,
     "!devices[0].keys: a device has at least one key at line 1 column 27 (byte 26);" OBJECT_Z},
    {"[{\"device_id\":\"a\"}" LAST_OBJECT,
     "!devices[0]: missing field \"keys\" at line 1 column 18 (byte 17);" OBJECT_Z},
    {"[" OBJECT("\"a\"", KEY_1, "},{\"public_key\":\"" KEY_1 "\"") LAST_OBJECT,
     "!devices[0].keys: a has this key twice at line 1 column 109 (byte 108);" OBJECT_Z},
    {"[" OBJECT("\"a\"", KEY_1, "},{\"revoked\":true") LAST_OBJECT,
     "!devices[0].keys: missing field \"public_key\" at line 1 column 124 (byte 123);" OBJECT_Z},
    {"[7" LAST_OBJECT, "!devices: expected an object, found '7' at line 1 column 2 (byte 1);"},
    {"[{\"device_id\":\"a\" \"keys\":[]}" LAST_OBJECT,
     "!devices[0]: expected ',' or the end of the array or object, found '\"' at line 1 column 19 "
     "(byte 18);"},
    {"[]x", "!devices: expected nothing after the devices, found 'x' at line 1 column 3 (byte 2);"},
    {"{\"devices\":[],\"error\":\"x\"}",
     "!devices: expected '}', found ',' at line 1 column 14 (byte 13);"},
    {"[" OBJECT("\"z\"", KEY_3, ""),
     "1 z active required [] [] [] 1 " PLAIN_3
     ";!devices: expected ',' or ']', found the end of the file at line 1 column 110 (byte 109);"},
    {"{}\n" OBJECT("\"z\"", KEY_3, ""),
     "!devices[0]: missing field \"device_id\" at line 1 column 2 (byte 1);" OBJECT_Z},
    {OBJECT("\"a\"", KEY_1, "") "x\n" OBJECT("\"z\"", KEY_3, ""),
     "!devices[0]: expected nothing after the value, found 'x' at line 1 column 109 (byte "
     "108);" OBJECT_Z},
};

static void test_faults(void **state)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 50};
    char out[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            read_all(out, faults[i].text, strlen(faults[i].text), pieces[k], EDS_FLEET_GUESS);
            if (strcmp(out, faults[i].words) != 0)
                fail_msg("file %zu:\n%s\nwanted:\n%s", i, out, faults[i].words);
        }
}

/* As many keys as a device may have, and one more; in both forms. */
static void test_keys_max(void **state)
{
    enum { KEYS = EDS_ENROLMENT_KEYS_MAX + 1 };
    static char csv[KEYS * 80 + 64], json[KEYS * 100 + 64], out[TEXT_SIZE];

    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        unsigned count = EDS_ENROLMENT_KEYS_MAX + extra;
        size_t csv_size = (size_t)sprintf(csv, "device_id,public_key\n");
        size_t json_size = (size_t)sprintf(json, "[{\"device_id\":\"a\",\"keys\":[");

        for (unsigned i = 0; i < count; i++) {
            uint8_t key[EDS_PUBLIC_KEY_SIZE];
            char digits[2 * EDS_PUBLIC_KEY_SIZE + 1];

            sample_public_key(key, i);
            for (size_t k = 0; k < sizeof key; k++)
                sprintf(digits + 2 * k, "%02X", key[k]);
            csv_size += (size_t)sprintf(csv + csv_size, "a,%s\n", digits);
            json_size += (size_t)sprintf(json + json_size, "%s{\"public_key\":\"%s\"}",
                                         i > 0 ? "," : "", digits);
        }
        json_size += (size_t)sprintf(json + json_size, "]}]");
        read_all(out, csv, csv_size, SIZE_MAX, EDS_FLEET_CSV);
        assert_int_equal(strstr(out, "!line 66, public_key: a device has at most 64 keys") != NULL,
                         extra);
        assert_int_equal(strncmp(out, "2 a active", 10) == 0, !extra);
        read_all(out, json, json_size, SIZE_MAX, EDS_FLEET_JSON);
        assert_int_equal(strstr(out, "!devices[0].keys: a device has at most 64 keys") != NULL,
                         extra);
    }
}

/* Texts without an end are not read for ever. */
static void test_limits(void **state)
{
    size_t size = 300000;
    char *text = malloc(size), out[TEXT_SIZE];

    (void)state;
    assert_non_null(text);
    memset(text, 'a', size);
    memcpy(text, "device_id,public_key\n", 21);
    read_all(out, text, size, SIZE_MAX, EDS_FLEET_GUESS);
    assert_string_equal(out,
                        "!line 2 column 1: a row of more than 65536 bytes; reading stopped here;");
    memset(text, ' ', size);
    memcpy(text, "[{", 2);
    read_all(out, text, size, SIZE_MAX, EDS_FLEET_GUESS);
    assert_string_equal(out, "!devices[0]: the text of a device is longer than 65536 bytes at line "
                             "1 column 2 (byte 1);");
    memcpy(text, "{ ", 2);
    read_all(out, text, size, SIZE_MAX, EDS_FLEET_GUESS);
    assert_string_equal(
        out, "!devices[0]: a line of more than 65536 bytes at line 1 column 1 (byte 0);");
    free(text);
}

static void test_failed_read(void **state)
{
    static const char text[] = "device_id,public_key\na," KEY_1 "\nb," KEY_2 "\n";
    struct text_file file = {.text = text, .size = sizeof text - 1, .piece = 10, .fail_at = 30};
    struct eds_fleet_reader *reader = malloc(sizeof *reader);
    struct eds_fleet_entry entry;
    struct eds_error err;

    (void)state;
    assert_non_null(reader);
    eds_fleet_reader_init(reader, EDS_FLEET_GUESS, text_file_read, &file);
    assert_int_equal(eds_fleet_reader_next(reader, &entry, &err), EDS_ERR_IO);
    assert_string_equal(err.text, "cannot read on at byte 30: Input/output error");
    assert_int_equal(eds_fleet_reader_next(reader, &entry, &err), EDS_ERR_IO);
    free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),       cmocka_unit_test(test_faults),
        cmocka_unit_test(test_keys_max),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_failed_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
