/* device_arg.c - see device_arg.h. */
#include "cli/device_arg.h"

#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"

int32_t eds_public_key_parse(uint8_t out[EDS_PUBLIC_KEY_SIZE], const char *text,
                             struct eds_error *err)
{
    int32_t rc = eds_hex_decode_exactly(out, EDS_PUBLIC_KEY_SIZE, text, strlen(text), err);
    enum eds_key_fault fault;

    if (rc != EDS_OK)
        return rc;
    fault = eds_ed25519_check_key(out);
    if (fault == EDS_KEY_GOOD)
        return EDS_OK;
    if (fault == EDS_KEY_NOT_ON_CURVE)
        return eds_error_set(err, EDS_ERR_INVALID_KEY,
                             "signature error: Cannot decompress Edwards point");
    return eds_error_set(err, EDS_ERR_INVALID_KEY, "signature error: the key %s",
                         eds_key_fault_text(fault));
}

int32_t eds_device_arg_parse(struct eds_device_arg *out, const char *text, struct eds_error *err)
{
    return eds_named_key_parse(out, text, "--device", "ID=PUBKEY_HEX", err);
}

int32_t eds_named_key_parse(struct eds_device_arg *out, const char *text, const char *option,
                            const char *form, struct eds_error *err)
{
    size_t id_size = strcspn(text, "=");
    struct eds_error why;
    int32_t rc;

    if (text[id_size] != '=')
        return eds_error_set(err, EDS_ERR_MALFORMED, "%s must be %s, got: %s", option, form, text);
    if (id_size >= sizeof out->device_id)
        return eds_error_set(err, EDS_ERR_MALFORMED, "%s: the id has %zu bytes, and %u is the most",
                             option, id_size, EDS_DEVICE_ID_SIZE - 1);
    if (id_size == 0 || !eds_utf8_valid(text, id_size))
        return eds_error_set(err, EDS_ERR_MALFORMED, "%s: the id is %s", option,
                             id_size == 0 ? "empty" : "not valid UTF-8");
    memcpy(out->device_id, text, id_size);
    out->device_id[id_size] = '\0';
    rc = eds_public_key_parse(out->public_key, text + id_size + 1, &why);
    if (rc == EDS_ERR_INVALID_KEY)
        return eds_error_set(err, EDS_ERR_MALFORMED, "invalid public key for %s: %s",
                             out->device_id, why.text);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "%s", why.text);
    return EDS_OK;
}

int32_t eds_public_key_arg(uint8_t out[EDS_PUBLIC_KEY_SIZE], const struct eds_args *args,
                           struct eds_error *err)
{
    struct eds_error why;
    int32_t rc = eds_public_key_parse(out, eds_args_text(args, "public-key-hex"), &why);

    if (rc != EDS_OK)
        return eds_error_set(err, rc, "--public-key-hex: %s", why.text);
    return EDS_OK;
}
