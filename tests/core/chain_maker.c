/* chain_maker.c - see chain_maker.h. */
#include "core/chain_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void make_chain(struct made_chain *made, uint8_t key_byte)
{
    memset(made, 0, sizeof *made);
    memset(made->seed, key_byte, sizeof made->seed);
    eds_ed25519_public_key(made->public_key, made->seed);
    for (unsigned i = 0; i < CHAIN_LENGTH; i++) {
        snprintf(made->payloads[i], sizeof made->payloads[i], "payload %u", i);
        assert_int_equal(eds_record_sign(&made->entries[i].record, "lift-01", i + 1,
                                         1700000000000u + i, made->payloads[i],
                                         strlen(made->payloads[i]), NULL, "ref", made->seed, NULL),
                         EDS_OK);
    }
    rebuild(made, 0, true);
}

void rebuild(struct made_chain *made, size_t first, bool attest)
{
    uint8_t hash[EDS_HASH_SIZE];

    for (size_t i = first; i < CHAIN_LENGTH; i++) {
        EdsAuditRecord *record = &made->entries[i].record;

        if (i > first)
            memcpy(record->prev_record_hash, hash, sizeof hash);
        assert_int_equal(eds_record_digest(hash, record), EDS_OK);
        if (attest)
            eds_attest_sign(&made->entries[i].attestation, hash, made->seed);
    }
}

struct eds_chain_finding check(const struct made_chain *made, enum eds_strength strength,
                               size_t count)
{
    const struct eds_chain_rules rules = {
        .strength = strength, .public_keys = &made->public_key, .public_key_count = 1};
    struct eds_chain_finding finding = {.fault = EDS_CHAIN_GOOD};
    struct eds_chain chain;
    int32_t rc = EDS_OK;

    eds_chain_begin(&chain, strength);
    for (size_t i = 0; i < count && rc == EDS_OK; i++) {
        const struct eds_entry *entry = &made->entries[i];
        size_t payload_size = strlen(made->payloads[i]);
        uint8_t hash[EDS_HASH_SIZE];

        rc = eds_chain_link(&chain, &entry->record, hash, &finding);
        if (rc != EDS_OK)
            break;
        rc = eds_chain_inspect(&rules, entry, hash, payload_size > 0 ? made->payloads[i] : NULL,
                               payload_size, &finding);
        finding.index = i;
    }
    assert_int_equal(rc, finding.fault == EDS_CHAIN_GOOD ? EDS_OK : EDS_ERR_CHAIN_INVALID);
    return finding;
}
