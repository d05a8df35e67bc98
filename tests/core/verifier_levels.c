/* verifier_levels.c - see verifier_levels.h. */
#include "verifier_levels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/error.h"

struct eds_verifier_table *new_table(const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    struct eds_verifier_table *table = aligned_alloc(64, sizeof *table);

    assert_non_null(table);
    if (eds_verifier_table_build(table, public_key) == EDS_OK)
        return table;
    free(table);
    return NULL;
}

struct eds_verifier_work *new_work(void)
{
    void *work = aligned_alloc(64, EDS_VERIFIER_WORK_SIZE);

    assert_non_null(work);
    memset(work, 0xa5, EDS_VERIFIER_WORK_SIZE);
    return work;
}

bool next_level(unsigned *level)
{
    eds_verifier_init();
    while (*level < EDS_VERIFIER_LEVEL_COUNT &&
           eds_verifier_set_level((enum eds_verifier_level) * level) != EDS_OK)
        (*level)++;
    return *level < EDS_VERIFIER_LEVEL_COUNT;
}

static void expect(const struct verifier_case *one, size_t index, bool verdict, bool wanted)
{
    if (verdict == wanted)
        return;
    print_error("level %s, case %zu: %s, but libsodium says %s\nkey ",
                eds_verifier_level_name(eds_verifier_get_level()), index, verdict ? "good" : "bad",
                wanted ? "good" : "bad");
    for (size_t i = 0; i < sizeof one->public_key; i++)
        print_error("%02x", one->public_key[i]);
    print_error("\nsignature ");
    for (size_t i = 0; i < sizeof one->signature; i++)
        print_error("%02x", one->signature[i]);
    print_error("\nmessage of %zu bytes ", one->message_size);
    for (size_t i = 0; i < one->message_size; i++)
        print_error("%02x", one->message[i]);
    fail_msg("verdict differs");
}

/* So many cases are judged together; each may need a table of its own. */
#define TOGETHER 150u

static size_t judge_some(const struct verifier_case *cases, size_t count, size_t first)
{
    struct eds_verifier_table *tables[TOGETHER] = {NULL};
    struct eds_verify_job jobs[TOGETHER];
    struct eds_verifier_work *work = new_work();
    bool verdicts[TOGETHER], wanted[TOGETHER];
    size_t good = 0;

    for (size_t i = 0; i < count; i++) {
        const struct verifier_case *one = &cases[i];

        if (one->table == NULL)
            tables[i] = new_table(one->public_key);
        jobs[i].table = one->table != NULL ? one->table : tables[i];
        jobs[i].public_key = jobs[i].table == NULL ? one->public_key : NULL;
        jobs[i].message = one->message_size > 0 ? one->message : NULL;
        jobs[i].message_size = one->message_size;
        jobs[i].signature = one->signature;
        wanted[i] =
            eds_ed25519_verify(one->signature, one->message, one->message_size, one->public_key);
        good += wanted[i];
    }
    for (unsigned level = 0; next_level(&level); level++) {
        /* libsodium need not be judged by itself often, nor one by one by the
         * levels that share a way with portable */
        size_t many = level == EDS_VERIFIER_LIBSODIUM && count > 8 ? 8 : count;
        size_t one_by_one = level <= EDS_VERIFIER_PORTABLE ? many : 0;

        for (size_t i = 0; i < many; i++)
            verdicts[i] = !wanted[i]; /* each one has to be written */
        eds_verify_many(work, jobs, many, verdicts);
        for (size_t i = 0; i < many; i++)
            expect(&cases[i], first + i, verdicts[i], wanted[i]);
        for (size_t i = 0; i < one_by_one; i++)
            expect(&cases[i], first + i, eds_verify_one(&jobs[i]), wanted[i]);
    }
    for (size_t i = 0; i < count; i++)
        free(tables[i]);
    free(work);
    return good;
}

void judge_all(const struct verifier_case *cases, size_t count, size_t *good)
{
    size_t good_count = 0;

    for (size_t i = 0; i < count; i += TOGETHER)
        good_count += judge_some(cases + i, count - i < TOGETHER ? count - i : TOGETHER, i);
    if (good != NULL)
        *good = good_count;
}
