/* device_arg.h - "--device ID=PUBKEY_HEX" and other public keys by hex. */
#ifndef EDS_CLI_DEVICE_ARG_H
#define EDS_CLI_DEVICE_ARG_H

#include "cli/args.h"
#include "edgesentry/record.h"

struct eds_device_arg {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
};

/* eds_device_arg_parse reads one value of --device.  EDS_OK, or
 * EDS_ERR_MALFORMED in the original's words. */
int32_t eds_device_arg_parse(struct eds_device_arg *out, const char *text, struct eds_error *err);

/* eds_named_key_parse reads a value of the same form of another option, "--operator";
 * form is how its help shows it. */
int32_t eds_named_key_parse(struct eds_device_arg *out, const char *text, const char *option,
                            const char *form, struct eds_error *err);

/* eds_public_key_parse reads 64 hex digits that are the key of some point.
 * EDS_OK; EDS_ERR_MALFORMED for other digits; EDS_ERR_INVALID_KEY with the
 * fault ("signature error: ...") for a key that no signature can be valid
 * under; out is filled then. */
int32_t eds_public_key_parse(uint8_t out[EDS_PUBLIC_KEY_SIZE], const char *text,
                             struct eds_error *err);

/* eds_public_key_arg reads --public-key-hex as above; *err names the option. */
int32_t eds_public_key_arg(uint8_t out[EDS_PUBLIC_KEY_SIZE], const struct eds_args *args,
                           struct eds_error *err);

#endif
