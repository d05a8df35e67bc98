/* test_store_sqlite.c - the sqlite store keeps what every buffer store promises. */
#include "device/store_conformance.h"

int main(void)
{
    return store_conformance("sqlite:", "");
}
