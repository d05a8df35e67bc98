/* config_show.h - what the servers would run with, as a configuration file. */
#ifndef EDS_CLI_CONFIG_SHOW_H
#define EDS_CLI_CONFIG_SHOW_H

#include "cli/config.h"

/* eds_config_show writes every server's values to standard output, and where each
 * comes from; passwords are not shown.
 *
 *   only  one server's name; NULL: all
 *
 * Returns how many servers that were. */
unsigned eds_config_show(const struct eds_config *config, const char *only);

#endif
