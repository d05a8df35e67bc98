/* format.c - see format.h. */
#include "base/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

#define DIGITS_MAX 22u   /* of 64 bits in base 8 */
#define WIDTH_MAX  10000 /* about; nobody means more */

struct output {
    char *out;
    size_t size, used; /* used goes on where nothing is written any more */
};

/* One conversion, from % to its letter. */
struct conversion {
    bool left, zeros;
    int width, precision; /* precision: -1 for none */
    char length;          /* h, H for hh, l, q for ll, z, j, t; 0: int */
    char letter;
};

static void put(struct output *output, const char *bytes, size_t size)
{
    if (output->used < output->size) {
        size_t room = output->size - output->used;

        memcpy(output->out + output->used, bytes, size < room ? size : room);
    }
    output->used += size;
}

static void pad(struct output *output, char with, size_t size, int width)
{
    while (width > 0 && size < (size_t)width) {
        put(output, &with, 1);
        size++;
    }
}

/* Puts bytes into their field: spaces before or behind, or zeros behind the sign. */
static void put_field(struct output *output, const struct conversion *how, const char *bytes,
                      size_t size)
{
    bool zeros = how->zeros && !how->left;
    size_t sign = zeros && size > 0 && bytes[0] == '-' ? 1 : 0;

    put(output, bytes, sign);
    if (!how->left)
        pad(output, zeros ? '0' : ' ', size, how->width);
    put(output, bytes + sign, size - sign);
    if (how->left)
        pad(output, ' ', size, how->width);
}

static void put_number(struct output *output, const struct conversion *how, uint64_t number,
                       bool negative)
{
    const unsigned base = how->letter == 'o' ? 8 : (how->letter | 0x20) == 'x' ? 16 : 10;
    const char *digits = how->letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[DIGITS_MAX + 1];
    size_t at = sizeof text;

    do {
        text[--at] = digits[number % base];
        number /= base;
    } while (number > 0);
    if (negative)
        text[--at] = '-';
    put_field(output, how, text + at, sizeof text - at);
}

/* A va_list inside of a struct can be handed on by its address anywhere. */
struct arguments {
    va_list list;
};

static int64_t take_signed(struct arguments *arguments, char length)
{
    switch (length) {
    case 'l':
        return va_arg(arguments->list, long);
    case 'q':
        return va_arg(arguments->list, long long);
    case 'z':
    case 't':
        return va_arg(arguments->list, ptrdiff_t);
    case 'j':
        return va_arg(arguments->list, intmax_t);
    case 'h':
        return (short)va_arg(arguments->list, int);
    case 'H':
        return (signed char)va_arg(arguments->list, int);
    default:
        return va_arg(arguments->list, int);
    }
}

static uint64_t take_unsigned(struct arguments *arguments, char length)
{
    switch (length) {
    case 'l':
        return va_arg(arguments->list, unsigned long);
    case 'q':
        return va_arg(arguments->list, unsigned long long);
    case 'z':
    case 't':
        return va_arg(arguments->list, size_t);
    case 'j':
        return va_arg(arguments->list, uintmax_t);
    case 'h':
        return (unsigned short)va_arg(arguments->list, unsigned);
    case 'H':
        return (unsigned char)va_arg(arguments->list, unsigned);
    default:
        return va_arg(arguments->list, unsigned);
    }
}

/* A decimal number, or * for the next argument; at stands at its first byte. */
static int read_number(const char **at, struct arguments *arguments)
{
    int number = 0;

    if (**at == '*') {
        (*at)++;
        return va_arg(arguments->list, int);
    }
    for (; **at >= '0' && **at <= '9'; (*at)++)
        number = number < WIDTH_MAX ? 10 * number + (**at - '0') : number;
    return number;
}

/* Reads a conversion behind its %.  Returns what stands behind it. */
static const char *read_conversion(struct conversion *how, const char *at,
                                   struct arguments *arguments)
{
    *how = (struct conversion){.precision = -1};
    for (; *at == '-' || *at == '0'; at++) {
        how->left = how->left || *at == '-';
        how->zeros = how->zeros || *at == '0';
    }
    how->width = read_number(&at, arguments);
    if (how->width < 0) {
        how->left = true;
        how->width = how->width > -WIDTH_MAX ? -how->width : WIDTH_MAX;
    }
    if (*at == '.') {
        at++;
        how->precision = read_number(&at, arguments);
    }
    if (*at != '\0' && strchr("hlzjt", *at) != NULL) {
        how->length = *at++;
        if (*at == how->length && (*at == 'h' || *at == 'l'))
            how->length = *at++ == 'h' ? 'H' : 'q';
    }
    how->letter = *at;
    return *at != '\0' ? at + 1 : at;
}

static void put_string(struct output *output, const struct conversion *how, const char *string)
{
    size_t size = 0;

    if (string == NULL)
        string = "(null)";
    while ((how->precision < 0 || size < (size_t)how->precision) && string[size] != '\0')
        size++;
    put_field(output, how, string, size);
}

/* False: no such conversion. */
static bool convert(struct output *output, struct conversion *how, struct arguments *arguments)
{
    int64_t number;
    char character;

    switch (how->letter) {
    case 'd':
    case 'i':
        number = take_signed(arguments, how->length);
        put_number(output, how, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
        return true;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        put_number(output, how, take_unsigned(arguments, how->length), false);
        return true;
    case 'c':
        character = (char)va_arg(arguments->list, int);
        how->zeros = false;
        put_field(output, how, &character, 1);
        return true;
    case 's':
        how->zeros = false;
        put_string(output, how, va_arg(arguments->list, const char *));
        return true;
    case '%':
        put(output, "%", 1);
        return true;
    default:
        return false;
    }
}

size_t eds_format_arguments(char *out, size_t size, const char *format, va_list list)
{
    struct output output = {.out = out, .size = size - 1};
    struct arguments arguments;
    const char *at = format;

    va_copy(arguments.list, list);
    while (*at != '\0') {
        const char *percent = strchr(at, '%'), *behind;
        struct conversion how;

        if (percent == NULL)
            percent = at + strlen(at);
        put(&output, at, (size_t)(percent - at));
        if (*percent == '\0')
            break;
        behind = read_conversion(&how, percent + 1, &arguments);
        if (!convert(&output, &how, &arguments)) {
            put(&output, percent, strlen(percent)); /* what its argument is nobody knows */
            break;
        }
        at = behind;
    }
    va_end(arguments.list);
    out[output.used < size ? output.used : eds_utf8_valid_size(out, size - 1)] = '\0';
    return output.used;
}

size_t eds_format(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    size_t used;

    va_start(arguments, format);
    used = eds_format_arguments(out, size, format, arguments);
    va_end(arguments);
    return used;
}
