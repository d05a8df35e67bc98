/* import_sample.c - see import_sample.h. */
#include "fleet/import_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

struct eds_ledger *open_ledger(const char *url)
{
    struct eds_ledger *ledger;
    struct eds_error err;

    if (eds_ledger_open(&ledger, url, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return ledger;
}

static void take_fault(void *context, const struct eds_error *fault)
{
    struct said *said = context;
    size_t used = strlen(said->faults);

    snprintf(said->faults + used, sizeof said->faults - used, "%s\n", fault->text);
}

struct said import_as(struct eds_ledger *ledger, const char *text, size_t size,
                      enum eds_fleet_format format, enum eds_fleet_existing existing,
                      uint64_t now_ms, void (*meanwhile)(struct eds_ledger *))
{
    struct said said = {.faults = ""};
    struct text_file file = {.text = text, .size = size, .piece = SIZE_MAX};
    struct eds_fleet_options options = {.existing = existing,
                                        .now_ms = now_ms,
                                        .who = "alice",
                                        .why = "a test",
                                        .fault = take_fault,
                                        .context = &said};
    struct eds_fleet_import *import = eds_fleet_import_create(ledger, &options);
    struct eds_error err = {EDS_OK, ""};

    if (import == NULL) {
        said.read_rc = EDS_ERR_NO_MEMORY;
        return said;
    }
    said.read_rc = eds_fleet_import_read(import, format, text_file_read, &file, &err);
    said.report = *eds_fleet_import_report(import);
    if (meanwhile != NULL)
        meanwhile(ledger);
    if (said.read_rc == EDS_OK)
        said.write_rc = eds_fleet_import_write(import, &err);
    assert_int_equal(err.code, said.read_rc != EDS_OK ? said.read_rc : said.write_rc);
    eds_fleet_import_destroy(import);
    return said;
}

struct said import_with(struct eds_ledger *ledger, const char *text, size_t size,
                        enum eds_fleet_existing existing, uint64_t now_ms,
                        void (*meanwhile)(struct eds_ledger *))
{
    return import_as(ledger, text, size, EDS_FLEET_GUESS, existing, now_ms, meanwhile);
}

struct said import_text(struct eds_ledger *ledger, const char *text,
                        enum eds_fleet_existing existing)
{
    return import_with(ledger, text, strlen(text), existing, NOW_MS, NULL);
}

void must_import(struct eds_ledger *ledger, const char *text)
{
    struct said said = import_text(ledger, text, EDS_FLEET_REFUSE);

    assert_string_equal(said.faults, "");
    assert_int_equal(said.read_rc, EDS_OK);
    assert_int_equal(said.write_rc, EDS_OK);
}

uint64_t version_of(struct eds_ledger *ledger)
{
    uint64_t version = UINT64_MAX;

    assert_int_equal(ledger->roster->version(ledger, &version, NULL), EDS_OK);
    return version;
}

struct eds_enrolment find(struct eds_ledger *ledger, const char *id)
{
    struct eds_enrolment it;

    assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, id, &it, NULL), EDS_OK);
    return it;
}
