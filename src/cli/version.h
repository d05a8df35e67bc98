/* version.h - which version this is, and what was built into it. */
#ifndef EDS_CLI_VERSION_H
#define EDS_CLI_VERSION_H

#include <stdbool.h>

/* eds_version_print writes "eds 1.2.3", or as JSON also the features and the
 * libraries in use.  Returns EDS_EXIT_OK. */
int eds_version_print(bool as_json);

#endif
