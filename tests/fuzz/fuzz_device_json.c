/* fuzz_device_json.c - any bytes as a JSON array of devices, as lines of JSON, and as
 * whatever they look like; see fleet_property.h. */
#include "fuzz/fleet_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_devices(data, size, EDS_FLEET_JSON);
    check_devices(data, size, EDS_FLEET_NDJSON);
    check_devices(data, size, EDS_FLEET_GUESS);
    return 0;
}
