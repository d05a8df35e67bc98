/* fuzz_cidr.c - any text as a rule and as an address.
 *
 * A rule that is taken, written out and read again is the same rule; it lets
 * its own address in and keeps out the address that differs in the prefix's
 * last bit.  A text is an address exactly when the system's inet_pton says so
 * (glibc's agrees with Rust's IpAddr), and then the same address. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/netpolicy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void try_rule(const char *text, size_t size)
{
    struct eds_netpolicy policy = {.network_count = 0}, again = {.network_count = 0};
    char address_text[EDS_ADDRESS_TEXT_SIZE], rule_text[64];
    struct eds_network *network = &policy.networks[0];
    struct eds_address own;
    struct eds_error err;
    int32_t rc = eds_netpolicy_allow(&policy, text, size, &err);

    demand(rc == EDS_OK || (rc == EDS_ERR_MALFORMED && strlen(err.text) > 0));
    demand(policy.network_count == (rc == EDS_OK ? 1u : 0u));
    if (rc != EDS_OK)
        return;
    eds_address_text(address_text, &network->address);
    snprintf(rule_text, sizeof rule_text, "%s/%u", address_text, network->prefix_size);
    demand(eds_netpolicy_allow(&again, rule_text, strlen(rule_text), NULL) == EDS_OK);
    demand(memcmp(&again.networks[0].address, &network->address, sizeof network->address) == 0);
    demand(again.networks[0].prefix_size == network->prefix_size);
    own = network->address;
    eds_address_unmap(&own); /* an IPv4 address is in no network of IPv6, not even ::/0 */
    demand((eds_netpolicy_check(&policy, &own, NULL) == EDS_OK) ==
           (own.is_v6 == network->address.is_v6));
    if (network->prefix_size > 0) {
        struct eds_address outside = network->address;
        unsigned bit = network->prefix_size - 1;

        outside.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        demand(eds_netpolicy_check(&policy, &outside, NULL) == EDS_ERR_NOT_FOUND);
    }
}

static void try_address(const char *text, size_t size)
{
    struct eds_address address = {0}, again;
    char out[EDS_ADDRESS_TEXT_SIZE];
    bool good = eds_address_parse(&address, text, size, NULL) == EDS_OK;

#ifdef __GLIBC__
    uint8_t bytes[16] = {0};
    bool no_nul = memchr(text, '\0', size) == NULL;
    bool is_v4 = no_nul && inet_pton(AF_INET, text, bytes) == 1;
    bool is_v6 = no_nul && !is_v4 && inet_pton(AF_INET6, text, bytes) == 1;

    demand(good == (is_v4 || is_v6));
    if (good)
        demand(address.is_v6 == is_v6 && memcmp(address.bytes, bytes, sizeof bytes) == 0);
#endif
    if (!good)
        return;
    eds_address_text(out, &address);
    demand(eds_address_parse(&again, out, strlen(out), NULL) == EDS_OK);
    demand(memcmp(&again, &address, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of the exact size, so that a step too far is seen */

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    try_rule(text, size);
    try_address(text, size);
    free(text);
    return 0;
}
