/* test_import.c - files into registries: all or nothing, again and again, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/import_sample.h"
#include "fleet/writer.h"
#include "support/enrolment.h"

#define LATER UINT64_C(1795305700123)

#define ROW(more) "device_id,public_key,site\na," KEY_1 ",s\n" more

static void test_all_of_a_file(void **state)
{
    struct eds_ledger *ledger = open_ledger("memory:");
    struct said said = import_text(ledger, ROW("b," KEY_2 ",\n"), EDS_FLEET_REFUSE);
    struct eds_enrolment it;

    (void)state;
    assert_string_equal(said.faults, "");
    assert_int_equal(said.report.read_count, 2);
    assert_int_equal(said.report.added_count, 2);
    assert_int_equal(said.write_rc, EDS_OK);
    it = find(ledger, "a");
    assert_string_equal(it.site, "s");
    assert_true(it.attest_required);
    assert_int_equal(it.state, EDS_DEVICE_ACTIVE);
    assert_int_equal(it.keys[0].not_after_ms, EDS_KEY_NO_END);

    /* The same again: nothing to do, and no new version. */
    said = import_text(ledger, ROW("b," KEY_2 ",\n"), EDS_FLEET_REFUSE);
    assert_int_equal(said.report.same_count, 2);
    assert_int_equal(said.report.added_count + said.report.changed_count, 0);
    assert_int_equal(version_of(ledger), 1);

    /* Longer by one: that one is added. */
    said = import_text(ledger, ROW("b," KEY_2 ",\nc," KEY_3 ",\n"), EDS_FLEET_REFUSE);
    assert_int_equal(said.report.same_count, 2);
    assert_int_equal(said.report.added_count, 1);
    assert_int_equal(version_of(ledger), 2);
    ledger->ops->close(ledger);
}

static int32_t note_line(void *context, const struct eds_operation *line, uint64_t created_ms)
{
    char *out = context;

    assert_int_equal(created_ms, NOW_MS);
    sprintf(out + strlen(out), "%s: %s, %s, %s\n", line->device_id, line->message, line->who,
            line->why);
    return EDS_OK;
}

static void test_log_says_who_and_why(void **state)
{
    struct eds_ledger *ledger = open_ledger("memory:");
    char lines[1024] = "";

    (void)state;
    must_import(ledger, ROW(""));
    (void)import_text(ledger,
                      "device_id,public_key,site,attest\na," KEY_1 ",t,optional\na," KEY_2 ",,\n",
                      EDS_FLEET_UPDATE);
    assert_int_equal(ledger->ops->operations(ledger, note_line, lines, NULL), EDS_OK);
    assert_string_equal(lines, "a: device added by import, alice, a test\n"
                               "a: device changed by import: site, attest, 1 key added, alice, a "
                               "test\n");
    ledger->ops->close(ledger);
}

static void add_operator(struct eds_ledger *ledger)
{
    struct eds_enrolment it = {.role = EDS_ROLE_OPERATOR, .id = "bob", .key_count = 1};
    struct eds_roster_change change = {&it, "operator added", "alice", ""};

    sample_public_key(it.keys[0].public_key, 77);
    assert_int_equal(ledger->roster->change(ledger, &change, 1, NOW_MS, NULL), EDS_OK);
}

/* Each file is one edit away from one that is taken. */
static const struct {
    const char *text, *faults;
} bad_files[] = {
    {"b," KEY_2 ",\na," KEY_3 ",\n",
     "line 4: a stands on line 2 already; the rows of one device have to follow each other\n"},
    {"b," KEY_1 ",\n", "line 3: b: its key stands on line 2 already\n"},
    {"b,%OPERATOR%,\n", "line 3: public key %OPERATOR% for b belongs to operator bob: a key serves "
                        "one operator only\n"},
    {"b," KEY_2 ",s\x01\nc," KEY_2 "\nd," KEY_3 ",\xff\n",
     "line 3, site: the text has a control character at byte 1\n"
     "line 4: 2 cells, and the header names 3 columns\n"
     "line 5, site: the text is not valid UTF-8 at byte 0\n"},
};

/* Puts the digits of bob's key where they are meant. */
static void put_operator(char *out, const char *text)
{
    static const char mark[] = "%OPERATOR%";
    const char *at = strstr(text, mark);
    uint8_t key[EDS_PUBLIC_KEY_SIZE];

    if (at == NULL) {
        strcpy(out, text);
        return;
    }
    sample_public_key(key, 77);
    out += sprintf(out, "%.*s", (int)(at - text), text);
    for (size_t i = 0; i < sizeof key; i++)
        out += sprintf(out, "%02x", key[i]);
    strcpy(out, at + sizeof mark - 1);
}

static void test_faults_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        struct eds_ledger *ledger = open_ledger("memory:");
        char text[1024] = ROW(""), faults[1024];
        struct said said;

        add_operator(ledger);
        put_operator(text + strlen(text), bad_files[i].text);
        put_operator(faults, bad_files[i].faults);
        said = import_text(ledger, text, EDS_FLEET_REFUSE);
        assert_int_equal(said.read_rc, EDS_OK);
        assert_string_equal(said.faults, faults);
        assert_int_equal(said.write_rc, EDS_ERR_USAGE);
        assert_int_equal(version_of(ledger), 1);
        ledger->ops->close(ledger);
    }
}

#define WINDOW                                                                                     \
    "device_id,public_key,site,cohort,firmware,attest,state,not_before,not_after,"                 \
    "not_after_sequence,revoked\n"

/* What is registered first, the file then, and what is said of it with --update. */
static const struct {
    const char *first, *then, *changed, *fault;
} updates[] = {
    {"a," KEY_1 ",s,,,,,,,,\n", "device_id,public_key\na," KEY_1 "\n", NULL, NULL},
    {"a," KEY_1 ",s,,,,,,,,\n", WINDOW "a," KEY_1 ",s,,,,,,,,\n", NULL, NULL},
    {"a," KEY_1 ",s,,,,,,,,\n", WINDOW "a," KEY_1 ",,,,,,,,,\n", "site", NULL},
    {"a," KEY_1 ",s,,,,,,,,\n", WINDOW "a," KEY_1 ",s,c,f,optional,,,,,\n",
     "cohort, firmware, attest", NULL},
    {"a," KEY_1 ",,,,,,,,,\n", WINDOW "a," KEY_1 ",,,,,quarantined,,,,\n", "state", NULL},
    {"a," KEY_1 ",,,,,,,,,\n", WINDOW "a," KEY_1 ",,,,,retired,,,,\n", "state", NULL},
    {"a," KEY_1 ",,,,,,,,,\n",
     WINDOW "a," KEY_1 ",,,,,,,2027-01-01T00:00:00Z,9,\na," KEY_2 ",,,,,,2027-01-01T00:00:00Z,,,\n",
     "1 key added, 1 key ended", NULL},
    {"a," KEY_1 ",,,,,,,,9,\n", WINDOW "a," KEY_1 ",,,,,,,,8,\n", "1 key ended", NULL},
    {"a," KEY_1 ",,,,,,,,,\n", WINDOW "a," KEY_1 ",,,,,,,,,true\n", "1 key ended", NULL},
    /* The order of the file's keys is no matter. */
    {"a," KEY_1 ",,,,,,,,,\na," KEY_2 ",,,,,,,,,\n",
     WINDOW "a," KEY_2 ",,,,,,,,,\na," KEY_1 ",,,,,,,,,\n", NULL, NULL},
    /* Revoked without a time, once more: the end stays. */
    {"a," KEY_1 ",,,,,revoked,,,,\n", WINDOW "a," KEY_1 ",,,,,revoked,,,,\n", NULL, NULL},
    {"a," KEY_1 ",,,,,,,,,true\n", WINDOW "a," KEY_1 ",,,,,,,,,true\n", NULL, NULL},
    /* What is for good: */
    {"a," KEY_1 ",,,,,revoked,,,,\n", WINDOW "a," KEY_1 ",,,,,active,,,,\n", NULL,
     "line 2: device a is revoked, and that is for good\n"},
    {"a," KEY_1 ",,,,,retired,,,,\n", WINDOW "a," KEY_1 ",,,,,revoked,,,,\n", NULL,
     "line 2: device a is retired, and that is for good\n"},
    {"a," KEY_1 ",,,,,retired,,,,\n", WINDOW "a," KEY_2 ",,,,,,,,,\n", NULL,
     "line 2: device a is retired, and that is for good\n"},
    {"a," KEY_1 ",,,,,quarantined,,,,\n", WINDOW "a," KEY_1 ",,,,,active,,,,\n", NULL,
     "line 2: a is quarantined, and no import ends that: 'eds audit device release' lets its "
     "records into its chain\n"},
    {"a," KEY_1 ",,,,,,,,,true\n", WINDOW "a," KEY_1 ",,,,,,,,,false\n", NULL,
     "line 2: a: key d10eb78182bbf203 is revoked, and that is for good\n"},
    {"a," KEY_1 ",,,,,,,2027-01-01T00:00:00Z,,\n",
     WINDOW "a," KEY_1 ",,,,,,,2027-01-01T00:00:00.001Z,,\n", NULL,
     "line 2: a: key d10eb78182bbf203 ends earlier than that, and an end is only brought "
     "forward\n"},
    {"a," KEY_1 ",,,,,,,,8,\n", WINDOW "a," KEY_1 ",,,,,,,,9,\n", NULL,
     "line 2: a: key d10eb78182bbf203 ends earlier than that, and an end is only brought "
     "forward\n"},
    {"a," KEY_1 ",,,,,,2026-01-01T00:00:00Z,,,\n",
     WINDOW "a," KEY_1 ",,,,,,2025-01-01T00:00:00Z,,,\n", NULL,
     "line 2: a: key d10eb78182bbf203 has another not_before, which stays as it was registered\n"},
};

static void test_updates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof updates / sizeof updates[0]; i++) {
        struct eds_ledger *ledger = open_ledger("memory:");
        char first[1024], words[512] = "";
        struct said said;

        snprintf(first, sizeof first, WINDOW "%s", updates[i].first);
        must_import(ledger, first);

        /* Without --update a difference is a fault that tells of it ... */
        said = import_text(ledger, updates[i].then, EDS_FLEET_REFUSE);
        if (updates[i].changed != NULL)
            snprintf(words, sizeof words,
                     "line 2: a is registered, and otherwise (%s): --update changes it, "
                     "--skip-existing leaves it as it is\n",
                     updates[i].changed);
        else if (updates[i].fault != NULL)
            strcpy(words, updates[i].fault);
        assert_string_equal(said.faults, words);
        assert_int_equal(version_of(ledger), 1);
        /* ... with --skip-existing it is none ... */
        said = import_text(ledger, updates[i].then, EDS_FLEET_KEEP);
        assert_string_equal(said.faults, "");
        assert_int_equal(said.report.kept_count, 1);
        assert_int_equal(version_of(ledger), 1);
        /* ... and with --update it is made, once. */
        said = import_with(ledger, updates[i].then, strlen(updates[i].then), EDS_FLEET_UPDATE,
                           LATER, NULL);
        assert_string_equal(said.faults, updates[i].fault != NULL ? updates[i].fault : "");
        assert_int_equal(said.report.changed_count, updates[i].changed != NULL);
        assert_int_equal(version_of(ledger), updates[i].changed != NULL ? 2 : 1);
        said = import_with(ledger, updates[i].then, strlen(updates[i].then), EDS_FLEET_UPDATE,
                           LATER, NULL);
        assert_int_equal(said.report.same_count, updates[i].fault == NULL);
        ledger->ops->close(ledger);
    }
}

/* A device that comes revoked or retired is refused, keeps its key from others, and
 * what it signed before stays good. */
static void test_ended_devices(void **state)
{
    struct eds_ledger *ledger = open_ledger("memory:");
    struct eds_enrolment it;

    (void)state;
    must_import(ledger, WINDOW "a," KEY_1 ",,,,,revoked,,,,\n"
                               "b," KEY_2 ",,,,,retired,,2026-01-01T00:00:00Z,,\n"
                               "c," KEY_3 ",,,,,,,,,true\n");
    it = find(ledger, "a");
    assert_int_equal(it.state, EDS_DEVICE_REVOKED);
    assert_true(it.keys[0].revoked);
    assert_int_equal(it.keys[0].not_after_ms, NOW_MS);
    assert_true(eds_key_was_valid(&it.keys[0], NOW_MS - 1, 1));
    it = find(ledger, "b");
    assert_int_equal(it.state, EDS_DEVICE_RETIRED);
    assert_false(it.keys[0].revoked);
    assert_int_equal(it.keys[0].not_after_ms, UINT64_C(1767225600000));
    it = find(ledger, "c");
    assert_int_equal(it.state, EDS_DEVICE_ACTIVE);
    assert_int_equal(it.keys[0].not_after_ms, NOW_MS);
    ledger->ops->close(ledger);
}

static void add_meanwhile(struct eds_ledger *ledger)
{
    must_import(ledger, "device_id,public_key\nb," KEY_3 "\n");
}

static void take_key_meanwhile(struct eds_ledger *ledger)
{
    must_import(ledger, "device_id,public_key\nz," KEY_2 "\n");
}

static void set_meanwhile(struct eds_ledger *ledger)
{
    struct eds_enrolment it = find(ledger, "a");
    struct eds_roster_change change = {&it, "device set", "bob", ""};

    assert_int_equal(ledger->roster->change(ledger, &change, 1, NOW_MS, NULL), EDS_OK);
}

/* Somebody changes the registry between reading and writing: nothing is written. */
static void test_somebody_was_faster(void **state)
{
    static const struct {
        void (*meanwhile)(struct eds_ledger *);
        int32_t rc;
    } cases[] = {{add_meanwhile, EDS_ERR_HEAD_MOVED},
                 {take_key_meanwhile, EDS_ERR_EXISTS},
                 {set_meanwhile, EDS_ERR_HEAD_MOVED}};
    static const char text[] =
        "device_id,public_key,site\nc,%s,\na," KEY_1 ",new\nb," KEY_2 ",new\n";

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eds_ledger *ledger = open_ledger("memory:");
        struct eds_enrolment it;
        uint8_t key[EDS_PUBLIC_KEY_SIZE];
        char file[1024], digits[2 * EDS_PUBLIC_KEY_SIZE + 1];
        struct said said;

        sample_public_key(key, 5);
        for (size_t k = 0; k < sizeof key; k++)
            sprintf(digits + 2 * k, "%02x", key[k]);
        snprintf(file, sizeof file, text, digits);
        must_import(ledger, ROW(""));
        said =
            import_with(ledger, file, strlen(file), EDS_FLEET_UPDATE, NOW_MS, cases[i].meanwhile);
        assert_int_equal(said.write_rc, cases[i].rc);
        it = find(ledger, "a");
        assert_string_equal(it.site, "s");
        assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, "c", &it, NULL),
                         EDS_ERR_NOT_FOUND);
        ledger->ops->close(ledger);
    }
}

/* A registry written into a file. */
struct exporting {
    char *out;
    size_t size, count;
    enum eds_fleet_format format;
};

static int32_t export_one(void *context, const struct eds_enrolment *it)
{
    struct exporting *e = context;
    size_t size = eds_fleet_write(e->out + e->size, e->format, e->count++, it);

    assert_true(size > 0);
    e->size += size;
    return EDS_OK;
}

static size_t export_all(struct eds_ledger *ledger, enum eds_fleet_format format, char *out)
{
    struct exporting e = {.out = out, .format = format};

    e.size = (size_t)sprintf(out, "%s", eds_fleet_head(format));
    assert_int_equal(ledger->roster->scan(ledger, EDS_ROLE_DEVICE, export_one, &e, NULL), EDS_OK);
    e.size += (size_t)sprintf(out + e.size, "%s", eds_fleet_tail(format, e.count));
    return e.size;
}

static int32_t check_same(void *context, const struct eds_enrolment *it)
{
    struct eds_enrolment found = find(context, it->id);

    enrolment_same(&found, it);
    return EDS_OK;
}

/* import(export(x)) is x, whatever x is, and export of that the same text. */
static void test_there_and_back(void **state)
{
    static const enum eds_fleet_format formats[] = {EDS_FLEET_CSV, EDS_FLEET_JSON,
                                                    EDS_FLEET_NDJSON};
    enum { COUNT_MAX = 300, TEXT_MAX = COUNT_MAX * 4096 + (int)EDS_FLEET_WRITE_MAX };
    char *text = malloc(TEXT_MAX), *again = malloc(TEXT_MAX);
    struct dice dice;

    (void)state;
    assert_non_null(text);
    assert_non_null(again);
    dice_seed(&dice);
    for (unsigned round = 0; round < 6; round++) {
        struct eds_ledger *ledger = open_ledger("memory:"), *copy = open_ledger("memory:");
        unsigned count = (unsigned)dice_below(&dice, round == 0 ? 1 : round < 3 ? 5 : COUNT_MAX);
        enum eds_fleet_format format = formats[round % 3];
        struct said said;
        size_t size;

        for (unsigned i = 0; i < count; i++) {
            struct eds_enrolment it;
            struct eds_roster_change change = {&it, "device added", "alice", ""};

            dice_enrolment(&dice, &it, i, 100 + 16 * i);
            assert_int_equal(ledger->roster->change(ledger, &change, 1, NOW_MS, NULL), EDS_OK);
        }
        size = export_all(ledger, format, text);
        /* The form is guessed but where there is nothing to guess from. */
        said = import_as(copy, text, size, count > 0 ? EDS_FLEET_GUESS : format, EDS_FLEET_REFUSE,
                         LATER, NULL);
        assert_string_equal(said.faults, "");
        assert_int_equal(said.read_rc, EDS_OK);
        assert_int_equal(said.write_rc, EDS_OK);
        assert_int_equal(said.report.added_count, count);
        assert_int_equal(ledger->roster->scan(ledger, EDS_ROLE_DEVICE, check_same, copy, NULL),
                         EDS_OK);
        assert_int_equal(copy->roster->scan(copy, EDS_ROLE_DEVICE, check_same, ledger, NULL),
                         EDS_OK);
        assert_int_equal(export_all(copy, format, again), size);
        assert_memory_equal(text, again, size);

        /* Into the registry that it came from: nothing to do. */
        said = import_as(ledger, text, size, format, EDS_FLEET_UPDATE, LATER, NULL);
        assert_string_equal(said.faults, "");
        assert_int_equal(said.report.same_count, count);
        ledger->ops->close(ledger);
        copy->ops->close(copy);
    }
    free(text);
    free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_a_file),         cmocka_unit_test(test_log_says_who_and_why),
        cmocka_unit_test(test_faults_change_nothing), cmocka_unit_test(test_updates),
        cmocka_unit_test(test_ended_devices),         cmocka_unit_test(test_somebody_was_faster),
        cmocka_unit_test(test_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
