/* service_reload.h - a server's configuration, read again while it runs. */
#ifndef EDS_CLI_SERVICE_RELOAD_H
#define EDS_CLI_SERVICE_RELOAD_H

#include "cli/service.h"

/* eds_service_reload reads the files again and puts what is reloadable into effect, all
 * of it or, if anything in them is not good, nothing.  The log says which keys have
 * another value than before, and which of them wait for a restart. */
void eds_service_reload(struct eds_service *service);

/* eds_service_configure_log sets the log up as the options say. */
void eds_service_configure_log(const struct eds_args *args);

#endif
