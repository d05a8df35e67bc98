/* version.c - see version.h. */
#include "cli/version.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>

#include "cli/command.h"

/* Names are those of the CMake options, spelled as the original's features. */
static const char *const features[] = {
#if EDS_TRANSPORT_HTTP
    "transport-http",
#endif
    "store-sqlite",
    "store-memory",
};

int eds_version_print(bool as_json)
{
    if (!as_json) {
        puts("eds " EDS_VERSION);
        return EDS_EXIT_OK;
    }
    fputs("{\"name\":\"eds\",\"version\":\"" EDS_VERSION "\",\"features\":[", stdout);
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        printf("%s\"%s\"", i > 0 ? "," : "", features[i]);
    printf("],\"libraries\":{\"libsodium\":\"%s\",\"sqlite\":\"%s\"}}\n", sodium_version_string(),
           sqlite3_libversion());
    return EDS_EXIT_OK;
}
