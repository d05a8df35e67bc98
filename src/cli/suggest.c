/* suggest.c - see suggest.h. */
#include "cli/suggest.h"

#include <string.h>

#define WORD_SIZE_MAX 40u /* longer words are not compared */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits between two words, two neighbours swapped counting as one. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][WORD_SIZE_MAX + 1]; /* the last three rows of the table */
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_size; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *spare = before;

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);

            row[j] = least(least(above[j], row[j - 1]) + 1, changed);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[b_size];
}

struct eds_suggestion eds_suggest_begin(const char *typed, size_t typed_size)
{
    return (struct eds_suggestion){typed, typed_size, NULL, typed_size / 3 + 1};
}

void eds_suggest_try(struct eds_suggestion *best, const char *word)
{
    size_t size = strlen(word);
    size_t edits;

    if (best->typed_size == 0 || best->typed_size > WORD_SIZE_MAX || size > WORD_SIZE_MAX)
        return;
    if (size > best->typed_size && best->typed_size >= 3 &&
        memcmp(word, best->typed, best->typed_size) == 0)
        edits = 1; /* the beginning of a word is as good as one letter off */
    else
        edits = distance(best->typed, best->typed_size, word, size);
    if (edits < best->distance || (edits == best->distance && best->word == NULL)) {
        best->distance = edits;
        best->word = word;
    }
}
