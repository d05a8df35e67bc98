/* mqtt_password.h - a user's password for a broker. */
#ifndef EDS_CLI_MQTT_PASSWORD_H
#define EDS_CLI_MQTT_PASSWORD_H

#include "edgesentry/error.h"

#define EDS_MQTT_PASSWORD_SIZE 4096u /* bytes, line end and NUL included */

/* eds_mqtt_password_read reads the first line of the file, and warns if others may read
 * it; the caller wipes the password, also after an error. */
int32_t eds_mqtt_password_read(char password[EDS_MQTT_PASSWORD_SIZE], const char *path,
                               struct eds_error *err);

#endif
