/* keyfile.c - see keyfile.h.
 *
 * The encrypted form is authenticated together with its format tag and public
 * key, so neither can be exchanged under a private key.  Argon2's limits come
 * from the file and are bounded here: a hostile file may make us refuse it,
 * not fill the memory. */
#include "device/keyfile.h"

#include <sodium.h>
#include <string.h>

#include "base/hex.h"
#include "base/port.h"
#include "base/text.h"
#include "base/wipe.h"
#include "device/flat_json.h"

#define FORMAT     "edgesentry-encrypted-key-v1"
#define KDF        "argon2id13"
#define CIPHER     "xchacha20poly1305-ietf"
#define SALT_SIZE  crypto_pwhash_SALTBYTES
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define BOX_SIZE   (EDS_SEED_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define KEY_SIZE   crypto_aead_xchacha20poly1305_ietf_KEYBYTES

/* libsodium's "sensitive" limits: the most that a file may ask for. */
#define OPERATIONS_MAX 16u
#define MEMORY_MAX     (1024u * 1024u * 1024u) /* bytes */

/* The encrypted form, decoded. */
struct sealed {
    uint64_t operations, memory;
    uint8_t salt[SALT_SIZE];
    uint8_t nonce[NONCE_SIZE];
    uint8_t box[BOX_SIZE];
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
};

enum {
    SEALED_FORMAT,
    SEALED_KDF,
    SEALED_OPERATIONS,
    SEALED_MEMORY,
    SEALED_SALT,
    SEALED_CIPHER,
    SEALED_NONCE,
    SEALED_BOX,
    SEALED_PUBLIC_KEY,
    SEALED_COUNT
};

static const struct eds_flat_field sealed_fields[SEALED_COUNT] = {
    [SEALED_FORMAT] = {.name = "format"},
    [SEALED_KDF] = {.name = "kdf"},
    [SEALED_OPERATIONS] = {.name = "kdf_operations", .is_number = true},
    [SEALED_MEMORY] = {.name = "kdf_memory_bytes", .is_number = true},
    [SEALED_SALT] = {.name = "salt_hex"},
    [SEALED_CIPHER] = {.name = "cipher"},
    [SEALED_NONCE] = {.name = "nonce_hex"},
    [SEALED_BOX] = {.name = "ciphertext_hex"},
    [SEALED_PUBLIC_KEY] = {.name = "public_key_hex"},
};

bool eds_keyfile_is_encrypted(const char *text, size_t size)
{
    return memmem(text, size, "\"ciphertext_hex\"", strlen("\"ciphertext_hex\"")) != NULL;
}

static int32_t take_hex(uint8_t *out, size_t size, const struct eds_flat_field *field,
                        struct eds_error *err)
{
    struct eds_error why;

    if (field->value == NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED, "key file: missing field `%s`", field->name);
    if (eds_hex_decode_exactly(out, size, field->value, field->size, &why) == EDS_OK)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_MALFORMED, "key file: field `%s`: %s", field->name, why.text);
}

static int32_t take_word(const struct eds_flat_field *field, const char *wanted,
                         struct eds_error *err)
{
    if (field->value == NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED, "key file: missing field `%s`", field->name);
    if (field->size == strlen(wanted) && memcmp(field->value, wanted, field->size) == 0)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_UNSUPPORTED, "key file: this version only reads %s `%s`",
                         field->name, wanted);
}

static int32_t take_limit(uint64_t *out, uint64_t most, const struct eds_flat_field *field,
                          struct eds_error *err)
{
    uint64_t number = 0;

    if (field->value == NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED, "key file: missing field `%s`", field->name);
    for (size_t i = 0; i < field->size; i++) {
        number = number * 10 + (uint64_t)(field->value[i] - '0');
        if (number > most) /* far below 2^64 / 10: no wrap before this shows */
            return eds_error_set(err, EDS_ERR_UNSUPPORTED, "key file: %s asks for more than %llu",
                                 field->name, (unsigned long long)most);
    }
    *out = number;
    return EDS_OK;
}

static int32_t parse_sealed(struct sealed *out, const char *text, size_t size,
                            struct eds_error *err)
{
    struct eds_flat_field f[SEALED_COUNT];
    struct eds_error why;
    int32_t rc;

    memcpy(f, sealed_fields, sizeof f);
    if (eds_flat_json_parse(f, SEALED_COUNT, text, size, &why) != EDS_OK)
        return eds_error_set(err, EDS_ERR_MALFORMED, "key file: %s", why.text);
    if ((rc = take_word(&f[SEALED_FORMAT], FORMAT, err)) != EDS_OK ||
        (rc = take_word(&f[SEALED_KDF], KDF, err)) != EDS_OK ||
        (rc = take_word(&f[SEALED_CIPHER], CIPHER, err)) != EDS_OK ||
        (rc = take_limit(&out->operations, OPERATIONS_MAX, &f[SEALED_OPERATIONS], err)) != EDS_OK ||
        (rc = take_limit(&out->memory, MEMORY_MAX, &f[SEALED_MEMORY], err)) != EDS_OK ||
        (rc = take_hex(out->salt, SALT_SIZE, &f[SEALED_SALT], err)) != EDS_OK ||
        (rc = take_hex(out->nonce, NONCE_SIZE, &f[SEALED_NONCE], err)) != EDS_OK ||
        (rc = take_hex(out->box, BOX_SIZE, &f[SEALED_BOX], err)) != EDS_OK)
        return rc;
    if (out->operations < crypto_pwhash_OPSLIMIT_MIN || out->memory < crypto_pwhash_MEMLIMIT_MIN)
        return eds_error_set(err, EDS_ERR_MALFORMED, "key file: the limits of the kdf are too low");
    return take_hex(out->public_key, EDS_PUBLIC_KEY_SIZE, &f[SEALED_PUBLIC_KEY], err);
}

/* What is authenticated beside the seed: the format's tag and the public key. */
static size_t additional(uint8_t out[sizeof FORMAT + EDS_PUBLIC_KEY_SIZE],
                         const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    memcpy(out, FORMAT, sizeof FORMAT); /* with its NUL, as a border */
    memcpy(out + sizeof FORMAT, public_key, EDS_PUBLIC_KEY_SIZE);
    return sizeof FORMAT + EDS_PUBLIC_KEY_SIZE;
}

static int derive(uint8_t key[KEY_SIZE], const struct sealed *sealed, const char *passphrase,
                  size_t passphrase_size)
{
    return sodium_init() < 0 ? -1
                             : crypto_pwhash(key, KEY_SIZE, passphrase, passphrase_size,
                                             sealed->salt, sealed->operations,
                                             (size_t)sealed->memory, crypto_pwhash_ALG_ARGON2ID13);
}

static int32_t say_no_memory(const struct sealed *sealed, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY,
                         "out of memory: the passphrase's hash needs %llu MiB",
                         (unsigned long long)(sealed->memory >> 20));
}

static int32_t open_sealed(struct eds_key *out, const struct sealed *sealed, const char *passphrase,
                           size_t passphrase_size, struct eds_error *err)
{
    uint8_t key[KEY_SIZE];
    uint8_t beside[sizeof FORMAT + EDS_PUBLIC_KEY_SIZE];
    size_t beside_size = additional(beside, sealed->public_key);
    int32_t rc = EDS_OK;

    if (derive(key, sealed, passphrase, passphrase_size) != 0)
        return say_no_memory(sealed, err);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out->seed, NULL, NULL, sealed->box, BOX_SIZE,
                                                   beside, beside_size, sealed->nonce, key) != 0)
        rc = eds_error_set(err, EDS_ERR_BAD_SIGNATURE,
                           "key file: wrong passphrase, or the file was changed");
    eds_wipe(key, sizeof key);
    return rc;
}

static int32_t parse_plain(struct eds_key *out, bool *has_public, const char *text, size_t size,
                           struct eds_error *err)
{
    struct eds_flat_field f[2] = {{.name = "private_key_hex"}, {.name = "public_key_hex"}};
    struct eds_error why;
    int32_t rc;

    if (eds_flat_json_parse(f, 2, text, size, &why) != EDS_OK)
        return eds_error_set(err, EDS_ERR_MALFORMED, "key file: %s", why.text);
    rc = take_hex(out->seed, EDS_SEED_SIZE, &f[0], err);
    *has_public = f[1].value != NULL;
    if (rc == EDS_OK && *has_public)
        rc = take_hex(out->public_key, EDS_PUBLIC_KEY_SIZE, &f[1], err);
    return rc;
}

/* Bare digits, with white space around them. */
static int32_t parse_bare(struct eds_key *out, const char *text, size_t size, struct eds_error *err)
{
    static const char space[] = " \t\r\n";

    while (size > 0 && memchr(space, text[0], sizeof space - 1) != NULL) {
        text++;
        size--;
    }
    while (size > 0 && memchr(space, text[size - 1], sizeof space - 1) != NULL)
        size--;
    return eds_hex_decode_exactly(out->seed, EDS_SEED_SIZE, text, size, err);
}

static int32_t parse(struct eds_key *out, bool *has_public, const char *text, size_t size,
                     const char *passphrase, size_t passphrase_size, struct eds_error *err)
{
    struct sealed sealed;
    int32_t rc;

    if (memchr(text, '{', size) == NULL)
        return parse_bare(out, text, size, err);
    if (!eds_keyfile_is_encrypted(text, size))
        return parse_plain(out, has_public, text, size, err);
    rc = parse_sealed(&sealed, text, size, err);
    if (rc == EDS_OK)
        rc = open_sealed(out, &sealed, passphrase, passphrase_size, err);
    memcpy(out->public_key, sealed.public_key, EDS_PUBLIC_KEY_SIZE);
    *has_public = true;
    return rc;
}

int32_t eds_keyfile_parse(struct eds_key *out, const char *text, size_t size,
                          const char *passphrase, size_t passphrase_size, struct eds_error *err)
{
    uint8_t derived[EDS_PUBLIC_KEY_SIZE];
    bool has_public = false;
    int32_t rc = parse(out, &has_public, text, size, passphrase, passphrase_size, err);

    if (rc == EDS_OK) {
        eds_ed25519_public_key(derived, out->seed);
        if (has_public && memcmp(derived, out->public_key, sizeof derived) != 0)
            rc = eds_error_set(err, EDS_ERR_INVALID_KEY,
                               "key file: public_key_hex does not belong to the private key");
        memcpy(out->public_key, derived, sizeof derived);
    }
    if (rc != EDS_OK)
        eds_wipe(out, sizeof *out);
    return rc;
}

size_t eds_keyfile_format(char out[EDS_KEYFILE_SIZE_MAX], const struct eds_key *key)
{
    struct eds_text text;

    eds_text_begin(&text, out, EDS_KEYFILE_SIZE_MAX);
    eds_text_string(&text, "{\n  \"private_key_hex\": \"");
    eds_text_hex(&text, key->seed, EDS_SEED_SIZE);
    eds_text_string(&text, "\",\n  \"public_key_hex\": \"");
    eds_text_hex(&text, key->public_key, EDS_PUBLIC_KEY_SIZE);
    eds_text_string(&text, "\"\n}");
    return eds_text_end(&text);
}

static void add_hex(struct eds_text *text, int field, const void *bytes, size_t size)
{
    eds_text_string(text, ",\n  \"");
    eds_text_string(text, sealed_fields[field].name);
    eds_text_string(text, "\": \"");
    eds_text_hex(text, bytes, size);
    eds_text_char(text, '"');
}

static size_t format_sealed(char out[EDS_KEYFILE_SIZE_MAX], const struct sealed *sealed)
{
    struct eds_text text;

    eds_text_begin(&text, out, EDS_KEYFILE_SIZE_MAX);
    eds_text_string(&text, "{\n  \"format\": \"" FORMAT "\",\n  \"kdf\": \"" KDF
                           "\",\n  \"kdf_operations\": ");
    eds_text_u64(&text, sealed->operations);
    eds_text_string(&text, ",\n  \"kdf_memory_bytes\": ");
    eds_text_u64(&text, sealed->memory);
    add_hex(&text, SEALED_SALT, sealed->salt, SALT_SIZE);
    eds_text_string(&text, ",\n  \"cipher\": \"" CIPHER "\"");
    add_hex(&text, SEALED_NONCE, sealed->nonce, NONCE_SIZE);
    add_hex(&text, SEALED_BOX, sealed->box, BOX_SIZE);
    add_hex(&text, SEALED_PUBLIC_KEY, sealed->public_key, EDS_PUBLIC_KEY_SIZE);
    eds_text_string(&text, "\n}");
    return eds_text_end(&text);
}

int32_t eds_keyfile_encrypt(char out[EDS_KEYFILE_SIZE_MAX], size_t *size, const struct eds_key *key,
                            const char *passphrase, size_t passphrase_size, struct eds_error *err)
{
    struct sealed sealed = {.operations = crypto_pwhash_OPSLIMIT_MODERATE,
                            .memory = crypto_pwhash_MEMLIMIT_MODERATE};
    uint8_t derived[KEY_SIZE];
    uint8_t beside[sizeof FORMAT + EDS_PUBLIC_KEY_SIZE];
    size_t beside_size = additional(beside, key->public_key);

    memcpy(sealed.public_key, key->public_key, EDS_PUBLIC_KEY_SIZE);
    if (eds_port_random(sealed.salt, SALT_SIZE) != 0 ||
        eds_port_random(sealed.nonce, NONCE_SIZE) != 0)
        return eds_error_set(err, EDS_ERR_PANIC, "the system gives no random bytes");
    if (derive(derived, &sealed, passphrase, passphrase_size) != 0) {
        sealed.operations = crypto_pwhash_OPSLIMIT_INTERACTIVE;
        sealed.memory = crypto_pwhash_MEMLIMIT_INTERACTIVE;
        if (derive(derived, &sealed, passphrase, passphrase_size) != 0)
            return say_no_memory(&sealed, err);
    }
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed.box, NULL, key->seed, EDS_SEED_SIZE, beside,
                                               beside_size, NULL, sealed.nonce, derived);
    eds_wipe(derived, sizeof derived);
    *size = format_sealed(out, &sealed);
    return EDS_OK;
}
