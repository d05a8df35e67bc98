/* ledger.c - which store a URL means. */
#include "store/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/features.h"
#include "base/wipe.h"
#include "store/ledger_memory.h"
#if EDS_POSTGRES
#include "store/ledger_postgres.h"
#endif
#if EDS_STORE_SQLITE
#include "store/ledger_sqlite.h"
#endif

static const char *const decision_names[] = {
    [EDS_DECISION_ACCEPTED] = "Accepted",
    [EDS_DECISION_REJECTED] = "Rejected",
    [EDS_DECISION_QUARANTINED] = "Quarantined",
    [EDS_DECISION_CHANGED] = "Changed",
};
#define DECISION_COUNT (sizeof decision_names / sizeof decision_names[0])

const char *eds_decision_name(enum eds_decision decision)
{
    assert((size_t)decision < DECISION_COUNT);
    return decision_names[decision];
}

bool eds_decision_parse(enum eds_decision *out, const char *word)
{
    for (size_t i = 0; i < DECISION_COUNT; i++)
        if (strcmp(decision_names[i], word) == 0) {
            *out = (enum eds_decision)i;
            return true;
        }
    return false;
}

/* If text starts with prefix, returns what follows, else NULL. */
static const char *after_prefix(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);

    return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

#if EDS_STORE_SQLITE
static int32_t open_sqlite(struct eds_ledger **out, const char *path, struct eds_error *err)
{
    static const char read_only[] = "?mode=ro";
    size_t size = strlen(path), suffix_size = sizeof read_only - 1;
    char *file;
    int32_t rc;

    if (size < suffix_size || strcmp(path + size - suffix_size, read_only) != 0)
        return eds_sqlite_open(out, path, false, err);
    file = malloc(size - suffix_size + 1);
    if (file == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a path");
    memcpy(file, path, size - suffix_size);
    file[size - suffix_size] = '\0';
    rc = eds_sqlite_open(out, file, true, err);
    free(file);
    return rc;
}
#else
static int32_t open_sqlite(struct eds_ledger **out, const char *path, struct eds_error *err)
{
    (void)out;
    return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                         "cannot open '%s': this build has no SQLite (EDS_STORE_SQLITE)", path);
}
#endif

#if EDS_POSTGRES
/* The size of a URL without that last parameter; 0 if it is not there. */
static size_t size_before(const char *url, const char *parameter)
{
    size_t size = strlen(url), parameter_size = strlen(parameter);

    if (size <= parameter_size || strcmp(url + size - parameter_size, parameter) != 0 ||
        strchr("?&", url[size - parameter_size - 1]) == NULL)
        return 0;
    return size - parameter_size - 1;
}

/* mode=... is ours; everything else in the URL is libpq's. */
static int32_t open_postgres(struct eds_ledger **out, const char *url, struct eds_error *err)
{
    size_t read_size = size_before(url, "mode=ro"), adopt_size = size_before(url, "mode=adopt");
    size_t size = read_size + adopt_size; /* one of them is 0 */
    char *rest;
    int32_t rc;

    if (size == 0)
        return eds_postgres_open(out, url, POSTGRES_MODE_WRITE, err);
    rest = strndup(url, size);
    if (rest == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a URL");
    rc =
        eds_postgres_open(out, rest, read_size > 0 ? POSTGRES_MODE_READ : POSTGRES_MODE_ADOPT, err);
    eds_wipe(rest, size); /* a password may be in it */
    free(rest);
    return rc;
}
#else
static int32_t open_postgres(struct eds_ledger **out, const char *url, struct eds_error *err)
{
    (void)out;
    (void)url; /* not to be shown: a password may be in it */
    return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                         "cannot open a PostgreSQL URL: this build has no PostgreSQL "
                         "(EDS_POSTGRES)");
}
#endif

int32_t eds_ledger_open(struct eds_ledger **out, const char *url, struct eds_error *err)
{
    const char *path = after_prefix(url, "sqlite:");

    *out = NULL;
    if (path != NULL)
        return open_sqlite(out, path, err);
    if (strcmp(url, "memory:") == 0)
        return eds_memory_open(out, err);
    if (after_prefix(url, "postgresql://") != NULL || after_prefix(url, "postgres://") != NULL)
        return open_postgres(out, url, err);
    return eds_error_set(
        err, EDS_ERR_USAGE,
        "unknown ledger '%s': expected sqlite:PATH, postgresql://... or memory:", url);
}
