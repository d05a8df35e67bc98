/* fuzz_device_csv.c - any bytes as a CSV file of devices; see fleet_property.h. */
#include "fuzz/fleet_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_devices(data, size, EDS_FLEET_CSV);
    return 0;
}
