/* test_ledger_keys.c - which keys a ledger's records may be signed by, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "evidence/ledger_check.h"
#include "evidence/ledger_fixture.h"

#define FINDINGS_SIZE 4096u

static struct eds_enrolled_key window; /* of both devices' keys */

static size_t give_window(void *context, const char *device_id, const struct eds_enrolled_key **out)
{
    (void)context;
    eds_ed25519_public_key(window.public_key,
                           strcmp(device_id, "lift-01") == 0 ? fixture_seed_1 : fixture_seed_2);
    *out = &window;
    return 1;
}

static void found(void *context, const struct eds_ledger_finding *finding)
{
    char *findings = context;
    char text[512];

    eds_ledger_finding_text(text, sizeof text, finding);
    assert_true(strlen(findings) + strlen(text) + 2 < FINDINGS_SIZE);
    strcat(findings, text);
    strcat(findings, "\n");
}

/* What a key signed in its time stays good, what it signed before or after it not. */
static void test_windows(void **state)
{
    static const struct {
        const char *name;
        uint64_t from, until, last_sequence;
        bool revoked;
        const char *findings;
    } rows[] = {
#define KEY_FAULT ": it is signed by a key of the device that was not valid when it came\n"
#define ALL_FAULT                                                                                  \
    "device=lift-01 sequence=1" KEY_FAULT "device=lift-01 sequence=2" KEY_FAULT                    \
    "device=lift-01 sequence=3" KEY_FAULT "device=lift-02 sequence=1" KEY_FAULT                    \
    "device=lift-02 sequence=2" KEY_FAULT
        {"no borders", 0, EDS_KEY_NO_END, EDS_KEY_NO_END, false, ""},
        {"from just then", FIXTURE_NOW_MS, EDS_KEY_NO_END, EDS_KEY_NO_END, false, ""},
        {"too early", FIXTURE_NOW_MS + 1, EDS_KEY_NO_END, EDS_KEY_NO_END, false, ALL_FAULT},
        {"revoked afterwards", 0, FIXTURE_NOW_MS + 1, EDS_KEY_NO_END, true, ""},
        {"ended as they came in", 0, FIXTURE_NOW_MS - EDS_KEY_GRACE_MS + 1, EDS_KEY_NO_END, true,
         ""},
        {"ended before", 0, FIXTURE_NOW_MS - EDS_KEY_GRACE_MS, EDS_KEY_NO_END, true, ALL_FAULT},
        {"up to a sequence", 0, EDS_KEY_NO_END, 2, false, "device=lift-01 sequence=3" KEY_FAULT},
    };
    struct eds_ledger *good = fixture_open();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char findings[FINDINGS_SIZE] = "";
        struct eds_ledger_check check = {
            .ledger = good, .keys = give_window, .found = found, .context = findings};
        struct eds_ledger_summary summary;

        window = (struct eds_enrolled_key){.not_before_ms = rows[i].from,
                                           .not_after_ms = rows[i].until,
                                           .not_after_sequence = rows[i].last_sequence,
                                           .revoked = rows[i].revoked};
        assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), EDS_OK);
        if (strcmp(findings, rows[i].findings) != 0)
            print_error("%s\n", rows[i].name);
        assert_string_equal(findings, rows[i].findings);
    }
    good->ops->close(good);
}

/* Two keys with windows that do not meet: each record needs the one of its time. */
static size_t give_two(void *context, const char *device_id, const struct eds_enrolled_key **out)
{
    static struct eds_enrolled_key keys[2];

    (void)context;
    (void)device_id;
    for (int i = 0; i < 2; i++) {
        eds_ed25519_public_key(keys[i].public_key, i == 0 ? fixture_seed_1 : fixture_seed_2);
        keys[i].not_after_ms = keys[i].not_after_sequence = EDS_KEY_NO_END;
    }
    keys[0].not_after_sequence = 2;
    *out = keys;
    return 2;
}

static void test_two_keys(void **state)
{
    struct eds_ledger *good = fixture_open();
    char findings[FINDINGS_SIZE] = "";
    struct eds_ledger_check check = {
        .ledger = good, .keys = give_two, .found = found, .context = findings};
    struct eds_ledger_summary summary;

    (void)state;
    assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), EDS_OK);
    assert_string_equal(findings, "device=lift-01 sequence=3" KEY_FAULT);
    assert_int_equal(summary.verified_count, FIXTURE_RECORD_COUNT);
    good->ops->close(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_two_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
