/* chain_keys.c - see chain_keys.h. */
#include "cli/chain_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/device_arg.h"
#include "cli/store_arg.h"
#include "store/roster.h"

/* The environment names a ledger for those who serve; a chain file is verified
 * by a registry only where one is asked for. */
static bool wants_registry(const struct eds_args *args)
{
    return eds_args_given(args, "store") || eds_args_given(args, "data-dir");
}

bool eds_chain_keys_wanted(const struct eds_args *args)
{
    return eds_args_given(args, "public-key-hex") || eds_args_given(args, "device") ||
           wants_registry(args);
}

static void add(struct eds_chain_keys *keys, const uint8_t *public_key, uint64_t last_sequence)
{
    memcpy(keys->public_keys[keys->count], public_key, EDS_PUBLIC_KEY_SIZE);
    keys->last_sequences[keys->count++] = last_sequence;
}

static int32_t take_digits(struct eds_chain_keys *keys, const struct eds_args *args,
                           struct eds_error *err)
{
    for (size_t i = 0; i < eds_args_count(args, "public-key-hex"); i++) {
        uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
        int32_t rc = eds_public_key_parse(public_key, eds_args_at(args, "public-key-hex", i), err);

        if (rc != EDS_OK)
            return rc;
        add(keys, public_key, UINT64_MAX);
    }
    return EDS_OK;
}

static int32_t take_devices(struct eds_chain_keys *keys, const struct eds_args *args,
                            const char *device_id, bool *known, struct eds_error *err)
{
    for (size_t i = 0; i < eds_args_count(args, "device"); i++) {
        struct eds_device_arg device;
        int32_t rc = eds_device_arg_parse(&device, eds_args_at(args, "device", i), err);

        if (rc != EDS_OK)
            return rc;
        if (device_id == NULL || strcmp(device.device_id, device_id) != 0)
            continue;
        add(keys, device.public_key, UINT64_MAX);
        *known = true;
    }
    return EDS_OK;
}

/* A file does not say when its records came in: of a key's window only the end by
 * sequence can be held against it. */
static int32_t take_registered(struct eds_chain_keys *keys, const struct eds_args *args,
                               const char *device_id, bool *known, struct eds_error *err)
{
    struct eds_ledger *ledger = NULL;
    struct eds_enrolment it;
    int32_t rc;

    if (!wants_registry(args) || device_id == NULL)
        return EDS_OK;
    rc = eds_store_open(&ledger, args, true, err);
    if (rc != EDS_OK)
        return rc;
    rc = ledger->roster->find(ledger, EDS_ROLE_DEVICE, device_id, &it, err);
    ledger->ops->close(ledger);
    for (uint32_t i = 0; rc == EDS_OK && i < it.key_count; i++)
        add(keys, it.keys[i].public_key, it.keys[i].not_after_sequence);
    *known = *known || rc == EDS_OK;
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

int32_t eds_chain_keys_take(struct eds_chain_keys *keys, const struct eds_args *args,
                            const char *device_id, struct eds_error *err)
{
    size_t room = eds_args_count(args, "public-key-hex") + eds_args_count(args, "device") +
                  EDS_ENROLMENT_KEYS_MAX;
    bool named = eds_args_given(args, "device") || wants_registry(args);
    bool known = !named || device_id == NULL;
    int32_t rc;

    memset(keys, 0, sizeof *keys);
    keys->public_keys = calloc(room, sizeof keys->public_keys[0]);
    keys->last_sequences = calloc(room, sizeof keys->last_sequences[0]);
    if (keys->public_keys == NULL || keys->last_sequences == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    rc = take_digits(keys, args, err);
    if (rc == EDS_OK)
        rc = take_devices(keys, args, device_id, &known, err);
    if (rc == EDS_OK)
        rc = take_registered(keys, args, device_id, &known, err);
    if (rc == EDS_OK && !known)
        snprintf(keys->fault, sizeof keys->fault, "the chain is of device %.200s, which is %s",
                 device_id, wants_registry(args) ? "not registered" : "none of --device");
    return rc;
}

void eds_chain_keys_free(struct eds_chain_keys *keys)
{
    free(keys->public_keys);
    free(keys->last_sequences);
}

void eds_chain_keys_rules(const struct eds_chain_keys *keys, struct eds_chain_rules *rules)
{
    rules->public_keys = (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])keys->public_keys;
    rules->last_sequences = keys->last_sequences;
    rules->public_key_count = keys->count;
}
