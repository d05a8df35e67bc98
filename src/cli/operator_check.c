/* operator_check.c - see operator_check.h. */
#include "cli/operator_check.h"

#include <string.h>

#include "cli/device_job.h"

int32_t eds_operator_check(struct eds_ledger *ledger, const char *name,
                           const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], uint64_t now_ms,
                           uint64_t *revision, struct eds_error *err)
{
    struct eds_enrolment it;
    int32_t rc = ledger->roster->find(ledger, EDS_ROLE_OPERATOR, name, &it, err);

    if (rc != EDS_OK)
        return rc;
    if (it.state != EDS_DEVICE_ACTIVE)
        return eds_error_set(err, EDS_ERR_REFUSED, "operator %s is %s", name,
                             eds_device_state_name(it.state));
    *revision = it.revision;
    for (uint32_t i = 0; i < it.key_count; i++)
        if (memcmp(it.keys[i].public_key, public_key, EDS_PUBLIC_KEY_SIZE) == 0) {
            if (eds_key_standing(&it.keys[i], now_ms, 0) == EDS_KEY_VALID)
                return EDS_OK;
            return eds_error_set(err, EDS_ERR_REFUSED, "this key of operator %s is %s", name,
                                 eds_device_key_word(&it.keys[i], now_ms));
        }
    return eds_error_set(err, EDS_ERR_REFUSED, "the key is none of operator %s", name);
}
