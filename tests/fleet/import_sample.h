/* import_sample.h - imports of texts, for the fleet's tests. */
#ifndef EDS_TESTS_FLEET_IMPORT_SAMPLE_H
#define EDS_TESTS_FLEET_IMPORT_SAMPLE_H

#include "fleet/fleet_sample.h"
#include "fleet/import.h"

#define NOW_MS UINT64_C(1795305600123)

/* What an import said. */
struct said {
    char faults[4096];
    struct eds_fleet_report report;
    int32_t read_rc, write_rc;
};

/* Each fails the test where it does not work. */
struct eds_ledger *open_ledger(const char *url);
void must_import(struct eds_ledger *ledger, const char *text);
uint64_t version_of(struct eds_ledger *ledger);
struct eds_enrolment find(struct eds_ledger *ledger, const char *id);

/* Imports a text, by "alice" because of "a test"; between reading and writing
 * somebody may do something.  import_with guesses the form; import_text does that at
 * NOW_MS. */
struct said import_as(struct eds_ledger *ledger, const char *text, size_t size,
                      enum eds_fleet_format format, enum eds_fleet_existing existing,
                      uint64_t now_ms, void (*meanwhile)(struct eds_ledger *));
struct said import_with(struct eds_ledger *ledger, const char *text, size_t size,
                        enum eds_fleet_existing existing, uint64_t now_ms,
                        void (*meanwhile)(struct eds_ledger *));
struct said import_text(struct eds_ledger *ledger, const char *text,
                        enum eds_fleet_existing existing);

#endif
