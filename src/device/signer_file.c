/* signer_file.c - a key in a file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/features.h"
#include "base/wipe.h"
#include "device/keyfile.h"
#include "edgesentry/signer.h"

static int32_t read_file(const char *path, char out[EDS_KEYFILE_SIZE_MAX], size_t *size,
                         struct eds_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;

    *size = 0;
    if (fd < 0)
        return eds_error_set(err, EDS_ERR_IO, "cannot open the key file %s: %s", path,
                             strerror(errno));
    while (*size < EDS_KEYFILE_SIZE_MAX && got > 0) {
        got = read(fd, out + *size, EDS_KEYFILE_SIZE_MAX - *size);
        if (got > 0)
            *size += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    close(fd);
    if (got < 0)
        return eds_error_set(err, EDS_ERR_IO, "cannot read the key file %s: %s", path,
                             strerror(errno));
    if (got > 0)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "%s is too large for a key file", path);
    return EDS_OK;
}

int32_t eds_signer_from_key_file(struct eds_signer **out, const char *path, const char *passphrase,
                                 size_t passphrase_size, struct eds_error *err)
{
    char text[EDS_KEYFILE_SIZE_MAX];
    struct eds_key key = {.seed = {0}};
    size_t size;
    int32_t rc = read_file(path, text, &size, err);

    if (rc == EDS_OK)
        rc = eds_keyfile_parse(&key, text, size, passphrase != NULL ? passphrase : "",
                               passphrase != NULL ? passphrase_size : 0, err);
    if (rc == EDS_OK)
        rc = eds_signer_from_seed(out, key.seed, err);
    eds_wipe(text, sizeof text);
    eds_wipe(&key, sizeof key);
    return rc;
}

#if !EDS_PKCS11
int32_t eds_signer_from_pkcs11(struct eds_signer **out, const char *uri, const char *pin,
                               struct eds_error *err)
{
    (void)out;
    (void)uri;
    (void)pin;
    return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                         "this build has no PKCS#11 (EDS_PKCS11): keys come from files");
}

int32_t eds_signer_pkcs11_generate(const char *uri, const char *pin,
                                   uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err)
{
    (void)public_key;
    return eds_signer_from_pkcs11(NULL, uri, pin, err);
}
#endif
