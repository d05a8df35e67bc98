/* proxy_header.c - see proxy_header.h. */
#include "transport/proxy_header.h"

#include <string.h>

#define SIGNATURE_SIZE 12u
#define FIXED_SIZE     16u  /* of version 2: signature, command, family, length */
#define LINE_SIZE_MAX  107u /* of version 1, CR LF included */

enum { LOCAL = 0x20, PROXY = 0x21 };                     /* version 2 and the command */
enum { AF_NONE = 0, AF_V4 = 1, AF_V6 = 2, AF_PATH = 3 }; /* the upper half of the family */

static const uint8_t signature[SIGNATURE_SIZE] = "\r\n\r\n\0\r\nQUIT\n";

static enum eds_proxy_header read_binary(struct eds_address *source, const uint8_t *bytes,
                                         size_t size, size_t *used)
{
    static const unsigned sizes[] = {[AF_NONE] = 0, [AF_V4] = 12, [AF_V6] = 36, [AF_PATH] = 216};
    unsigned family, rest;

    if (size >= 13 && bytes[12] != LOCAL && bytes[12] != PROXY)
        return EDS_PROXY_MALFORMED;
    if (size < FIXED_SIZE)
        return EDS_PROXY_PART;
    family = bytes[13] >> 4;
    rest = (unsigned)bytes[14] << 8 | bytes[15];
    if (family > AF_PATH || (bytes[13] & 15) > 2 || rest > EDS_PROXY_HEADER_SIZE_MAX - FIXED_SIZE ||
        (bytes[12] == PROXY && rest < sizes[family]))
        return EDS_PROXY_MALFORMED;
    if (size < FIXED_SIZE + rest)
        return EDS_PROXY_PART;
    *used = FIXED_SIZE + rest;
    if (bytes[12] == LOCAL || (family != AF_V4 && family != AF_V6))
        return EDS_PROXY_LOCAL;
    *source = (struct eds_address){.is_v6 = family == AF_V6};
    memcpy(source->bytes, bytes + FIXED_SIZE, source->is_v6 ? 16 : 4);
    eds_address_unmap(source);
    return EDS_PROXY_SOURCE;
}

/* A port as the specification has it: 0 to 65535 without a zero in front. */
static bool is_port(const char *text, size_t size)
{
    unsigned value = 0;

    if (size == 0 || size > 5 || (size > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    return value <= 65535;
}

/* The next word of a line; words are parted by one space. */
static size_t word(const char **at, const char *end)
{
    const char *start = *at, *space = memchr(start, ' ', (size_t)(end - start));
    size_t size = (size_t)((space != NULL ? space : end) - start);

    *at = space != NULL ? space + 1 : end;
    return size;
}

/* "TCP4 SOURCE DESTINATION PORT PORT", or "UNKNOWN" and anything. */
static enum eds_proxy_header read_line(struct eds_address *source, const char *line, size_t size)
{
    const char *at = line, *end = line + size, *words[5];
    struct eds_address destination;
    size_t sizes[5];
    bool is_v6;

    for (unsigned i = 0; i < 5; i++) {
        words[i] = at;
        sizes[i] = word(&at, end);
    }
    if (sizes[0] == 7 && memcmp(words[0], "UNKNOWN", 7) == 0)
        return EDS_PROXY_LOCAL;
    if (at != end || end[-1] == ' ' || sizes[0] != 4 ||
        (memcmp(words[0], "TCP4", 4) != 0 && memcmp(words[0], "TCP6", 4) != 0))
        return EDS_PROXY_MALFORMED;
    is_v6 = words[0][3] == '6';
    if (eds_address_parse(source, words[1], sizes[1], NULL) != EDS_OK ||
        eds_address_parse(&destination, words[2], sizes[2], NULL) != EDS_OK ||
        source->is_v6 != is_v6 || destination.is_v6 != is_v6 || !is_port(words[3], sizes[3]) ||
        !is_port(words[4], sizes[4]))
        return EDS_PROXY_MALFORMED;
    eds_address_unmap(source);
    return EDS_PROXY_SOURCE;
}

static enum eds_proxy_header read_text(struct eds_address *source, const char *text, size_t size,
                                       size_t *used)
{
    size_t limit = size < LINE_SIZE_MAX ? size : LINE_SIZE_MAX;
    const char *stop = memchr(text, '\n', limit);
    enum eds_proxy_header found;

    if (stop == NULL)
        return size < LINE_SIZE_MAX ? EDS_PROXY_PART : EDS_PROXY_MALFORMED;
    if (stop - text < 8 || stop[-1] != '\r')
        return EDS_PROXY_MALFORMED;
    found = read_line(source, text + 6, (size_t)(stop - 1 - text) - 6);
    *used = found != EDS_PROXY_MALFORMED ? (size_t)(stop + 1 - text) : 0;
    return found;
}

enum eds_proxy_header eds_proxy_header_read(struct eds_address *source, const void *bytes,
                                            size_t size, size_t *used)
{
    *used = 0;
    if (size == 0)
        return EDS_PROXY_PART;
    if (memcmp(bytes, signature, size < SIGNATURE_SIZE ? size : SIGNATURE_SIZE) == 0)
        return size < SIGNATURE_SIZE ? EDS_PROXY_PART : read_binary(source, bytes, size, used);
    if (memcmp(bytes, "PROXY ", size < 6 ? size : 6) == 0)
        return size < 6 ? EDS_PROXY_PART : read_text(source, bytes, size, used);
    return EDS_PROXY_NONE;
}
