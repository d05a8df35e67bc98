/* test_store_memory.c - the memory store keeps what every buffer store promises. */
#include "device/store_conformance.h"

int main(void)
{
    return store_conformance("memory:", "");
}
