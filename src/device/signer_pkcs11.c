/* signer_pkcs11.c - a key in a PKCS#11 token, which signs and never lets it out.
 *
 * p11-kit finds modules and tokens.  The token is asked for plain Ed25519
 * (CKM_EDDSA without parameters). */
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "edgesentry/signer.h"

#define SLOTS_MAX  64u
#define POINT_SIZE 64u /* bytes; an Ed25519 point, in DER or bare */

struct token {
    CK_FUNCTION_LIST **modules; /* NULL-terminated; all that were loaded */
    CK_FUNCTION_LIST *alone;    /* or the one that the URI names */
    CK_FUNCTION_LIST *module;   /* the token's */
    CK_SESSION_HANDLE session;
    bool has_session;
};

struct pkcs11_signer {
    struct eds_signer signer; /* first */
    struct token token;
    CK_OBJECT_HANDLE key;
};

static int32_t fail(struct eds_error *err, CK_RV rv, const char *doing)
{
    return eds_error_set(err, rv == CKR_HOST_MEMORY ? EDS_ERR_NO_MEMORY : EDS_ERR_IO,
                         "the token cannot %s: %s", doing, p11_kit_strerror(rv));
}

static void token_close(struct token *token)
{
    if (token->has_session)
        token->module->C_CloseSession(token->session);
    if (token->modules != NULL)
        p11_kit_modules_finalize_and_release(token->modules);
    if (token->alone != NULL) {
        (void)p11_kit_module_finalize(token->alone);
        p11_kit_module_release(token->alone);
    }
    *token = (struct token){.modules = NULL};
}

static int32_t load_modules(struct token *token, P11KitUri *uri, struct eds_error *err)
{
    const char *path = p11_kit_uri_get_module_path(uri);
    CK_RV rv;

    if (path == NULL) {
        token->modules = p11_kit_modules_load_and_initialize(0);
        return token->modules != NULL
                   ? EDS_OK
                   : eds_error_set(err, EDS_ERR_IO, "no PKCS#11 module can be loaded: %s",
                                   p11_kit_message());
    }
    token->alone = p11_kit_module_load(path, 0);
    if (token->alone == NULL)
        return eds_error_set(err, EDS_ERR_IO, "the PKCS#11 module %s cannot be loaded: %s", path,
                             p11_kit_message());
    rv = p11_kit_module_initialize(token->alone);
    if (rv == CKR_OK)
        return EDS_OK;
    p11_kit_module_release(token->alone);
    token->alone = NULL;
    return fail(err, rv, "be initialized");
}

/* Opens a session with the first token of a module that the URI names. */
static bool open_session(struct token *token, CK_FUNCTION_LIST *module, P11KitUri *uri)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;

    if (module->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
        return false;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;

        if (module->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
            p11_kit_uri_match_token_info(uri, &info) != 1 ||
            (info.flags & CKF_TOKEN_INITIALIZED) == 0)
            continue;
        if (module->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                  &token->session) != CKR_OK)
            continue;
        token->module = module;
        token->has_session = true;
        return true;
    }
    return false;
}

static int32_t log_in(struct token *token, P11KitUri *uri, const char *pin, struct eds_error *err)
{
    const char *secret = pin != NULL ? pin : p11_kit_uri_get_pin_value(uri);
    CK_RV rv;

    if (secret == NULL)
        return EDS_OK; /* a token that asks for none; else the key will not be found */
    rv = token->module->C_Login(token->session, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)secret,
                                strlen(secret));
    return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? EDS_OK
                                                            : fail(err, rv, "take this PIN");
}

static int32_t token_open(struct token *token, P11KitUri *uri, const char *pin,
                          struct eds_error *err)
{
    int32_t rc = load_modules(token, uri, err);

    if (rc != EDS_OK)
        return rc;
    if (token->alone != NULL)
        (void)open_session(token, token->alone, uri);
    for (CK_FUNCTION_LIST **module = token->modules;
         module != NULL && *module != NULL && !token->has_session; module++)
        (void)open_session(token, *module, uri);
    if (!token->has_session)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no such PKCS#11 token");
    return log_in(token, uri, pin, err);
}

/* Finds the one Ed25519 key of a class that the URI's object attributes name. */
static int32_t find_key(const struct token *token, P11KitUri *uri, CK_OBJECT_CLASS class,
                        CK_OBJECT_HANDLE *out, struct eds_error *err)
{
    CK_KEY_TYPE type = CKK_EC_EDWARDS;
    CK_ATTRIBUTE wanted[4] = {{CKA_CLASS, &class, sizeof class},
                              {CKA_KEY_TYPE, &type, sizeof type}};
    static const CK_ATTRIBUTE_TYPE names[] = {CKA_LABEL, CKA_ID};
    CK_ULONG wanted_count = 2, found_count = 0;
    CK_OBJECT_HANDLE found[2];
    CK_RV rv;

    for (size_t i = 0; i < 2; i++) {
        CK_ATTRIBUTE *attribute = p11_kit_uri_get_attribute(uri, names[i]);

        if (attribute != NULL)
            wanted[wanted_count++] = *attribute;
    }
    rv = token->module->C_FindObjectsInit(token->session, wanted, wanted_count);
    if (rv == CKR_OK) {
        rv = token->module->C_FindObjects(token->session, found, 2, &found_count);
        (void)token->module->C_FindObjectsFinal(token->session);
    }
    if (rv != CKR_OK)
        return fail(err, rv, "look for a key");
    if (found_count == 1) {
        *out = found[0];
        return EDS_OK;
    }
    return eds_error_set(
        err, EDS_ERR_NOT_FOUND, "the token has %s Ed25519 %s key of this name%s",
        found_count == 0 ? "no" : "more than one", class == CKO_PRIVATE_KEY ? "private" : "public",
        found_count == 0 && class == CKO_PRIVATE_KEY ? " (or wants its PIN first)" : "");
}

/* A point is an OCTET STRING of 32 bytes; some tokens give the bytes bare. */
static int32_t read_point(const struct token *token, CK_OBJECT_HANDLE key,
                          uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err)
{
    uint8_t point[POINT_SIZE];
    CK_ATTRIBUTE attribute = {CKA_EC_POINT, point, sizeof point};
    CK_RV rv = token->module->C_GetAttributeValue(token->session, key, &attribute, 1);

    if (rv != CKR_OK)
        return fail(err, rv, "tell its public key");
    if (attribute.ulValueLen == 34 && point[0] == 0x04 && point[1] == 0x20)
        memcpy(public_key, point + 2, EDS_PUBLIC_KEY_SIZE);
    else if (attribute.ulValueLen == EDS_PUBLIC_KEY_SIZE)
        memcpy(public_key, point, EDS_PUBLIC_KEY_SIZE);
    else
        return eds_error_set(err, EDS_ERR_INVALID_KEY,
                             "the token's public key has an unknown form");
    return EDS_OK;
}

static int32_t pkcs11_sign(struct eds_signer *signer, const void *message, size_t size,
                           uint8_t signature[EDS_SIGNATURE_SIZE], struct eds_error *err)
{
    struct pkcs11_signer *pkcs11 = (struct pkcs11_signer *)signer;
    const struct token *token = &pkcs11->token;
    CK_MECHANISM mechanism = {CKM_EDDSA, NULL, 0};
    CK_ULONG signature_size = EDS_SIGNATURE_SIZE;
    CK_RV rv = token->module->C_SignInit(token->session, &mechanism, pkcs11->key);

    if (rv == CKR_OK)
        rv = token->module->C_Sign(token->session, (CK_BYTE_PTR)(uintptr_t)message, size, signature,
                                   &signature_size);
    if (rv != CKR_OK)
        return fail(err, rv, "sign");
    if (signature_size != EDS_SIGNATURE_SIZE)
        return eds_error_set(err, EDS_ERR_IO, "the token gave a signature of %lu bytes",
                             (unsigned long)signature_size);
    return EDS_OK;
}

static void pkcs11_close(struct eds_signer *signer)
{
    token_close(&((struct pkcs11_signer *)signer)->token);
    free(signer);
}

static const struct eds_signer_ops pkcs11_ops = {
    .name = "pkcs11", .sign = pkcs11_sign, .close = pkcs11_close};

static int32_t parse_uri(P11KitUri **out, const char *text, struct eds_error *err)
{
    P11KitUri *uri = p11_kit_uri_new();
    int code;

    if (uri == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a PKCS#11 URI");
    code = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    if (code != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(uri) != 0) {
        p11_kit_uri_free(uri);
        return eds_error_set(err, EDS_ERR_USAGE,
                             "this is no PKCS#11 URI: %s; expected "
                             "pkcs11:token=NAME;object=NAME",
                             code != P11_KIT_URI_OK ? p11_kit_uri_message(code)
                                                    : "it has unknown attributes");
    }
    *out = uri;
    return EDS_OK;
}

/* The public key must be that of the private one: it is tried. */
static int32_t try_key(struct pkcs11_signer *pkcs11, struct eds_error *err)
{
    static const char probe[] = "edgesentry/signer-probe/v1"; /* no record is signed like this */
    uint8_t signature[EDS_SIGNATURE_SIZE];
    int32_t rc = pkcs11_sign(&pkcs11->signer, probe, sizeof probe - 1, signature, err);

    if (rc == EDS_OK &&
        !eds_ed25519_verify(signature, probe, sizeof probe - 1, pkcs11->signer.public_key))
        rc = eds_error_set(err, EDS_ERR_INVALID_KEY,
                           "the token's public key is not that of its private key");
    return rc;
}

int32_t eds_signer_from_pkcs11(struct eds_signer **out, const char *uri_text, const char *pin,
                               struct eds_error *err)
{
    struct pkcs11_signer *pkcs11 = NULL;
    P11KitUri *uri = NULL;
    CK_OBJECT_HANDLE public_key;
    int32_t rc = parse_uri(&uri, uri_text, err);

    if (rc != EDS_OK)
        return rc;
    pkcs11 = calloc(1, sizeof *pkcs11);
    if (pkcs11 == NULL) {
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a signer");
        goto out;
    }
    pkcs11->signer.ops = &pkcs11_ops;
    rc = token_open(&pkcs11->token, uri, pin, err);
    if (rc == EDS_OK)
        rc = find_key(&pkcs11->token, uri, CKO_PRIVATE_KEY, &pkcs11->key, err);
    if (rc == EDS_OK)
        rc = find_key(&pkcs11->token, uri, CKO_PUBLIC_KEY, &public_key, err);
    if (rc == EDS_OK)
        rc = read_point(&pkcs11->token, public_key, pkcs11->signer.public_key, err);
    if (rc == EDS_OK)
        rc = try_key(pkcs11, err);
out:
    p11_kit_uri_free(uri);
    if (rc == EDS_OK)
        *out = &pkcs11->signer;
    else if (pkcs11 != NULL)
        pkcs11_close(&pkcs11->signer);
    return rc;
}

static int32_t make_pair(const struct token *token, const CK_ATTRIBUTE *label,
                         CK_OBJECT_HANDLE *public_key, struct eds_error *err)
{
    static uint8_t curve[] = {0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
                              'd',  's',  '2', '5', '5', '1', '9'}; /* PrintableString */
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_MECHANISM mechanism = {CKM_EC_EDWARDS_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public_one[] = {{CKA_EC_PARAMS, curve, sizeof curve},
                                 {CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_PRIVATE, &no, sizeof no},
                                 {CKA_VERIFY, &yes, sizeof yes},
                                 *label};
    CK_ATTRIBUTE private_one[] = {
        {CKA_TOKEN, &yes, sizeof yes},     {CKA_PRIVATE, &yes, sizeof yes},
        {CKA_SENSITIVE, &yes, sizeof yes}, {CKA_EXTRACTABLE, &no, sizeof no},
        {CKA_SIGN, &yes, sizeof yes},      *label};
    CK_OBJECT_HANDLE private_key;
    CK_RV rv = token->module->C_GenerateKeyPair(token->session, &mechanism, public_one, 5,
                                                private_one, 6, public_key, &private_key);

    return rv == CKR_OK ? EDS_OK : fail(err, rv, "make an Ed25519 key");
}

int32_t eds_signer_pkcs11_generate(const char *uri_text, const char *pin,
                                   uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err)
{
    struct token token = {.modules = NULL};
    P11KitUri *uri = NULL;
    const CK_ATTRIBUTE *label;
    CK_OBJECT_HANDLE key;
    int32_t rc = parse_uri(&uri, uri_text, err);

    if (rc != EDS_OK)
        return rc;
    label = p11_kit_uri_get_attribute(uri, CKA_LABEL);
    if (label == NULL)
        rc = eds_error_set(err, EDS_ERR_USAGE, "the URI gives the key no name: add ;object=NAME");
    if (rc == EDS_OK)
        rc = token_open(&token, uri, pin, err);
    if (rc == EDS_OK && find_key(&token, uri, CKO_PRIVATE_KEY, &key, NULL) == EDS_OK)
        rc = eds_error_set(err, EDS_ERR_EXISTS, "the token has a key of this name already");
    if (rc == EDS_OK)
        rc = make_pair(&token, label, &key, err);
    if (rc == EDS_OK)
        rc = read_point(&token, key, public_key, err);
    token_close(&token);
    p11_kit_uri_free(uri);
    return rc;
}
