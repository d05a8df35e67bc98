/* test_ledger_payloads.c - a payload that is not in the ledger is looked for in
 * the store that is given, and what is wrong with it is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/ledger_check.h"
#include "evidence/ledger_fixture.h"
#include "evidence/whole_scan.h"

#define ELSEWHERE "mem://lift-02/1"

/* The fixture's ledger without one of its payloads. */
static const struct eds_ledger_ops *whole;

static int32_t payload_but_one(struct eds_ledger *ledger, const char *object_ref, void **out,
                               size_t *out_size, struct eds_error *err)
{
    if (strcmp(object_ref, ELSEWHERE) == 0)
        return EDS_ERR_NOT_FOUND;
    return whole->payload(ledger, object_ref, out, out_size, err);
}

/* A store of payloads with one in it, or without, as the test wants. */
struct one_payload {
    struct eds_objects base;
    const char *payload;
    int32_t rc;
    unsigned asked;
};

static int32_t get_one(struct eds_objects *base, const struct eds_object_name *name, void **out,
                       size_t *out_size, struct eds_error *err)
{
    struct one_payload *one = (struct one_payload *)base;

    one->asked++;
    assert_string_equal(name->object_ref, ELSEWHERE);
    if (one->rc != EDS_OK)
        return eds_error_set(err, one->rc, "as the test wants it");
    *out = strdup(one->payload);
    *out_size = strlen(one->payload);
    return EDS_OK;
}

static const struct row {
    const char *payload;
    int32_t get_rc, rc;
    const char *finding; /* NULL: none */
} rows[] = {
    {"lift-02 saw event 1", EDS_OK, EDS_OK, NULL},
    {"lift-02 saw event 2", EDS_OK, EDS_OK, "the payload kept here has another hash"},
    {"lift-02 saw event", EDS_OK, EDS_OK, "the payload kept here has another hash"},
    {"", EDS_OK, EDS_OK, "the payload kept here has another hash"},
    {NULL, EDS_ERR_NOT_FOUND, EDS_OK, "its payload is not there"},
    {NULL, EDS_ERR_TOO_LARGE, EDS_OK, "the payload kept here has another hash"},
    {NULL, EDS_ERR_IO, EDS_ERR_IO, NULL}, /* no verdict */
};

static unsigned finding_count;

static void found(void *context, const struct eds_ledger_finding *finding)
{
    const struct row *row = context;
    char text[512], expected[512] = "device=lift-02 sequence=1: ";

    assert_non_null(row->finding);
    eds_ledger_finding_text(text, sizeof text, finding);
    assert_string_equal(text, strcat(expected, row->finding));
    finding_count++;
}

static void test_elsewhere(void **state)
{
    static const struct eds_objects_ops ops = {.name = "one", .get = get_one};
    struct eds_ledger *ledger = fixture_open();
    struct eds_ledger_ops but_one = *ledger->ops;

    (void)state;
    whole = ledger->ops;
    but_one.payload = payload_but_one;
    but_one.scan_whole = whole_scan;
    ledger->ops = &but_one;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct row row = rows[i];
        struct one_payload one = {{.ops = &ops}, row.payload, row.get_rc, 0};
        struct eds_ledger_check check = {
            .ledger = ledger, .objects = &one.base, .found = found, .context = &row};
        struct eds_ledger_summary summary;

        finding_count = 0;
        assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), row.rc);
        assert_int_equal(finding_count, row.finding != NULL);
        assert_int_equal(one.asked, 1); /* for nothing that the ledger has */
        assert_int_equal(summary.payload_absent_count, 0);
        if (row.rc == EDS_OK)
            assert_int_equal(summary.payload_count, row.get_rc == EDS_OK ? 5 : 4);
    }
    ledger->ops->close(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_elsewhere)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
