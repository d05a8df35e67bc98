/* test_store_log.c - the log store keeps what every buffer store promises. */
#include "device/store_conformance.h"

int main(void)
{
    return store_conformance("log:", "?size=2097152");
}
