/* mqtt_password.c - see mqtt_password.h. */
#include "cli/mqtt_password.h"

#include <string.h>

#include "cli/file.h"
#include "cli/say.h"

int32_t eds_mqtt_password_read(char password[EDS_MQTT_PASSWORD_SIZE], const char *path,
                               struct eds_error *err)
{
    size_t size;
    int32_t rc = eds_file_read_fixed(path, password, EDS_MQTT_PASSWORD_SIZE - 1, &size, err);

    if (rc != EDS_OK)
        return rc;
    eds_warn_if_readable(path);
    password[size] = '\0';
    password[strcspn(password, "\r\n")] = '\0';
    return EDS_OK;
}
