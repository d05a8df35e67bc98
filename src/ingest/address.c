/* address.c - IP addresses as text and back; see netpolicy.h.
 *
 * The grammar is that of Rust's IpAddr::from_str, so that a list that was good
 * for the original is good here: decimal without leading zeros in IPv4, up to
 * four hex digits a group in IPv6, at most one "::", which stands for one group
 * of zeros or more, an IPv4 address in place of the last two groups, and
 * neither zone, port, bracket nor white space. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "ingest/netpolicy.h"

#define GROUP_COUNT 8u /* of an IPv6 address, two bytes each */

/* A place in a text. */
struct cursor {
    const char *at, *end;
};

static bool take_char(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* The value of a digit in either base, or 255. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 255;
}

static bool take_octet(struct cursor *c, uint8_t *out)
{
    const char *start = c->at;
    unsigned value = 0;

    while (c->at < c->end && c->at - start < 3 && digit_value(*c->at) < 10)
        value = value * 10 + digit_value(*c->at++);
    if (c->at == start || value > 255 || (*start == '0' && c->at - start > 1))
        return false;
    *out = (uint8_t)value;
    return true;
}

/* Moves the cursor past four octets, or leaves it alone. */
static bool take_v4(struct cursor *c, uint8_t out[4])
{
    struct cursor ahead = *c;

    for (unsigned i = 0; i < 4; i++)
        if ((i > 0 && !take_char(&ahead, '.')) || !take_octet(&ahead, &out[i]))
            return false;
    *c = ahead;
    return true;
}

static bool take_group(struct cursor *c, uint8_t out[2])
{
    const char *start = c->at;
    unsigned value = 0;

    while (c->at < c->end && c->at - start < 4 && digit_value(*c->at) < 16)
        value = value << 4 | digit_value(*c->at++);
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return c->at > start;
}

/* Takes groups with colons between them, at most limit, the last two possibly
 * as an IPv4 address, and returns how many.  A colon that no group follows is
 * left where it is. */
static unsigned take_groups(struct cursor *c, uint8_t *out, unsigned limit, bool *ends_in_v4)
{
    unsigned count = 0;

    *ends_in_v4 = false;
    while (count < limit) {
        struct cursor ahead = *c;

        if (count > 0 && !take_char(&ahead, ':'))
            break;
        if (limit - count >= 2 && take_v4(&ahead, out + 2u * count)) {
            *ends_in_v4 = true;
            *c = ahead;
            return count + 2;
        }
        if (!take_group(&ahead, out + 2u * count))
            break;
        *c = ahead;
        count++;
    }
    return count;
}

static bool take_v6(struct cursor *c, uint8_t out[16])
{
    uint8_t tail[16];
    bool ends_in_v4;
    unsigned head_count = take_groups(c, out, GROUP_COUNT, &ends_in_v4), tail_count;

    if (head_count == GROUP_COUNT)
        return true;
    if (ends_in_v4 || !take_char(c, ':') || !take_char(c, ':'))
        return false;
    tail_count = take_groups(c, tail, GROUP_COUNT - head_count - 1, &ends_in_v4);
    memset(out + 2u * head_count, 0, 2u * (GROUP_COUNT - head_count));
    memcpy(out + 2u * (GROUP_COUNT - tail_count), tail, 2u * tail_count);
    return true;
}

int32_t eds_address_parse(struct eds_address *out, const char *text, size_t size,
                          struct eds_error *err)
{
    struct eds_address address = {0};
    struct cursor c = {text, text + size};
    bool good = take_v4(&c, address.bytes) && c.at == c.end;

    if (!good) {
        c.at = text;
        address.is_v6 = true;
        good = take_v6(&c, address.bytes) && c.at == c.end;
    }
    if (!good)
        return eds_error_set(err, EDS_ERR_MALFORMED, "invalid IP '%.*s': invalid IP address syntax",
                             (int)eds_utf8_valid_size(text, size > 256 ? 256 : size), text);
    *out = address;
    return EDS_OK;
}

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const struct eds_address *address)
{
    return address->is_v6 && memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

void eds_address_unmap(struct eds_address *address)
{
    struct eds_address v4 = {0};

    if (!is_mapped(address))
        return;
    memcpy(v4.bytes, address->bytes + sizeof mapped_prefix, 4);
    *address = v4;
}

/* Finds what "::" replaces: the first of the longest runs of zero groups, two
 * of them or more. */
static void find_zeros(const unsigned groups[GROUP_COUNT], unsigned *start, unsigned *count)
{
    *start = GROUP_COUNT;
    *count = 1;
    for (unsigned i = 0, run = 0; i < GROUP_COUNT; i++) {
        run = groups[i] == 0 ? run + 1 : 0;
        if (run > *count) {
            *start = i + 1 - run;
            *count = run;
        }
    }
}

void eds_address_text(char out[EDS_ADDRESS_TEXT_SIZE], const struct eds_address *address)
{
    const uint8_t *bytes = address->bytes;
    unsigned groups[GROUP_COUNT], zeros_start, zeros_count;
    size_t used = 0;

    if (!address->is_v6 || is_mapped(address)) {
        const uint8_t *v4 = address->is_v6 ? bytes + sizeof mapped_prefix : bytes;

        snprintf(out, EDS_ADDRESS_TEXT_SIZE, "%s%u.%u.%u.%u", address->is_v6 ? "::ffff:" : "",
                 v4[0], v4[1], v4[2], v4[3]);
        return;
    }
    for (unsigned i = 0; i < GROUP_COUNT; i++)
        groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
    find_zeros(groups, &zeros_start, &zeros_count);
    for (unsigned i = 0; i < GROUP_COUNT; i++) {
        bool after_zeros = i == zeros_start + zeros_count;
        int size;

        if (i == zeros_start) {
            size = snprintf(out + used, EDS_ADDRESS_TEXT_SIZE - used, "::");
            i += zeros_count - 1;
        } else {
            size = snprintf(out + used, EDS_ADDRESS_TEXT_SIZE - used, "%s%x",
                            i == 0 || after_zeros ? "" : ":", groups[i]);
        }
        used += (size_t)size; /* 39 characters at most: it fits */
    }
}
