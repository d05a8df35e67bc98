/* operator_keys.c - see operator_keys.h. */
#include "cli/operator_keys.h"

#include <stdlib.h>
#include <string.h>

int32_t eds_operator_keys_take(struct eds_operator_keys *keys, const struct eds_args *args,
                               struct eds_ledger *ledger, struct eds_error *err)
{
    size_t count = eds_args_count(args, "operator");
    int32_t rc = EDS_OK;

    memset(keys, 0, sizeof *keys);
    keys->ledger = ledger;
    keys->given = calloc(count + 1, sizeof *keys->given);
    keys->keys = calloc(count + 1, sizeof *keys->keys);
    if (keys->given == NULL || keys->keys == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; rc == EDS_OK && i < count; i++)
        rc = eds_named_key_parse(&keys->given[i], eds_args_at(args, "operator", i), "--operator",
                                 "NAME=PUBKEY_HEX", err);
    keys->given_count = rc == EDS_OK ? count : 0;
    return rc;
}

void eds_operator_keys_free(struct eds_operator_keys *keys)
{
    free(keys->given);
    free(keys->keys);
}

static size_t find_given(struct eds_operator_keys *keys, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < keys->given_count; i++)
        if (strcmp(keys->given[i].device_id, name) == 0) {
            struct eds_enrolled_key *key = &keys->keys[count++];

            *key = (struct eds_enrolled_key){.not_after_ms = EDS_KEY_NO_END,
                                             .not_after_sequence = EDS_KEY_NO_END};
            memcpy(key->public_key, keys->given[i].public_key, EDS_PUBLIC_KEY_SIZE);
        }
    return count;
}

size_t eds_operator_keys_find(struct eds_operator_keys *keys, const char *name,
                              const struct eds_enrolled_key **out)
{
    struct eds_error err;
    int32_t rc;

    *out = keys->keys;
    if (keys->given_count > 0 || keys->ledger == NULL)
        return find_given(keys, name);
    rc = keys->ledger->roster->find(keys->ledger, EDS_ROLE_OPERATOR, name, &keys->enrolment, &err);
    *out = keys->enrolment.keys;
    if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
        keys->failure = err;
    return rc == EDS_OK ? keys->enrolment.key_count : 0;
}
