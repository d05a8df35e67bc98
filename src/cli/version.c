/* version.c - see version.h. */
#include "cli/version.h"

#include <stdio.h>

#include "cli/command.h"
#include "cli/features.h"
#include "edgesentry/blake3.h"
#include "edgesentry/verifier.h"

/* A name and what is said of it: plain ASCII from the build, nothing to escape. */
struct pair {
    const char *name, *value;
};

static const struct pair features[] = {EDS_FEATURES_INIT};
static const struct pair libraries[] = {EDS_LIBRARIES_INIT};

static void print_pairs(const char *name, const struct pair *pairs, size_t count)
{
    printf(",\"%s\":{", name);
    for (size_t i = 0; i < count; i++)
        printf("%s\"%s\":\"%s\"", i > 0 ? "," : "", pairs[i].name, pairs[i].value);
    putchar('}');
}

int eds_version_print(bool as_json)
{
    if (!as_json) {
        puts("eds " EDS_VERSION);
        return EDS_EXIT_OK;
    }
    fputs("{\"name\":\"eds\",\"version\":\"" EDS_VERSION "\"", stdout);
    print_pairs("features", features, sizeof features / sizeof features[0]);
    print_pairs("libraries", libraries, sizeof libraries / sizeof libraries[0]);
    printf(",\"verify_level\":\"%s\",\"hash_level\":\"%s\"}\n",
           eds_verifier_level_name(eds_verifier_init()),
           eds_blake3_level_name(eds_blake3_get_level()));
    return EDS_EXIT_OK;
}
