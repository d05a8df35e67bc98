/* json_skip.c - moving over a value that nobody here asked for. */
#include "codec/json_cursor.h"

#include <string.h>

#define DEPTH_MAX 32u /* arrays and objects inside each other */

static void skip_string(struct eds_json_cursor *c)
{
    char nothing[1];

    (void)eds_json_string_cut(c, nothing, sizeof nothing);
}

static void skip_digits(struct eds_json_cursor *c)
{
    const char *first = c->at;

    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    if (c->at == first)
        eds_json_fail_expected(c, c->at, "a digit");
}

/* Moves over one of two characters, if it comes next. */
static bool skip_either(struct eds_json_cursor *c, char a, char b)
{
    if (c->at == c->end || (*c->at != a && *c->at != b))
        return false;
    c->at++;
    return true;
}

static void skip_number(struct eds_json_cursor *c)
{
    (void)skip_either(c, '-', '-');
    if (!skip_either(c, '0', '0'))
        skip_digits(c);
    if (skip_either(c, '.', '.'))
        skip_digits(c);
    if (skip_either(c, 'e', 'E')) {
        (void)skip_either(c, '+', '-');
        skip_digits(c);
    }
}

static void skip_word(struct eds_json_cursor *c, const char *word)
{
    for (; *word != '\0'; word++)
        if (!skip_either(c, *word, *word)) {
            eds_json_fail_expected(c, c->at, "true, false or null");
            return;
        }
}

/* Anything but an object or an array. */
static void skip_scalar(struct eds_json_cursor *c)
{
    char first;

    eds_json_space(c);
    first = c->at < c->end ? *c->at : '\0';
    if (first == '"')
        skip_string(c);
    else if (first == 't')
        skip_word(c, "true");
    else if (first == 'f')
        skip_word(c, "false");
    else if (first == 'n')
        skip_word(c, "null");
    else if (first == '-' || (first >= '0' && first <= '9'))
        skip_number(c);
    else
        eds_json_fail_expected(c, c->at, "a value");
}

/* In an object a name and a colon come before each value. */
static void skip_name(struct eds_json_cursor *c, char closer)
{
    if (closer != '}')
        return;
    skip_string(c);
    if (!eds_json_take(c, ':'))
        eds_json_fail_expected(c, c->at, "':'");
}

void eds_json_skip(struct eds_json_cursor *c)
{
    char closers[DEPTH_MAX]; /* of the arrays and objects around the next value */
    unsigned depth = 0;

    do {
        bool object = eds_json_take(c, '{');

        if (object || eds_json_take(c, '[')) {
            if (depth == DEPTH_MAX) {
                eds_json_fail(c, c->at - 1, "arrays and objects more than 32 deep");
                return;
            }
            closers[depth++] = object ? '}' : ']';
            if (!eds_json_take(c, closers[depth - 1])) {
                skip_name(c, closers[depth - 1]);
                continue;
            }
            depth--;
        } else {
            skip_scalar(c);
        }
        while (depth > 0 && eds_json_take(c, closers[depth - 1]))
            depth--;
        if (depth > 0) {
            if (!eds_json_take(c, ','))
                eds_json_fail_expected(c, c->at, "',' or the end of the array or object");
            skip_name(c, closers[depth - 1]);
        }
    } while (depth > 0 && c->rc == EDS_OK);
}
