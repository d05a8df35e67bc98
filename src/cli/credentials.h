/* credentials.h - secrets that a service manager hands over as files. */
#ifndef EDS_CLI_CREDENTIALS_H
#define EDS_CLI_CREDENTIALS_H

#include "edgesentry/error.h"

/* eds_credentials_take makes variables of the environment of the files in
 * $CREDENTIALS_DIRECTORY (systemd's LoadCredential=) that are named as those that are
 * read here: EDS_..., AWS_... and PG....  What is set already stays.  To be called before
 * there are threads.
 *
 * EDS_OK, also without such a directory; EDS_ERR_IO or EDS_ERR_MALFORMED for a file
 * that cannot be read, or is not one line. */
int32_t eds_credentials_take(struct eds_error *err);

#endif
