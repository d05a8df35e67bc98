/* curl_identity.c - see curl_identity.h. */
#include "transport/curl_identity.h"

#include <stdbool.h>
#include <string.h>

/* OpenSSL asks on the terminal for the passphrase of an encrypted key, unless there is
 * one.  With GnuTLS there must be none: it would take a plain key for an encrypted one. */
static bool asks_for_passphrases(void)
{
    const char *library = curl_version_info(CURLVERSION_NOW)->ssl_version;

    return library != NULL && strstr(library, "OpenSSL") != NULL;
}

CURLcode eds_curl_set_identity(CURL *easy, const char *ca_file, const char *cert_file,
                               const char *key_file)
{
    CURLcode code = CURLE_OK;

    if (ca_file != NULL)
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    if (code == CURLE_OK && cert_file != NULL)
        code = curl_easy_setopt(easy, CURLOPT_SSLCERT, cert_file);
    if (code == CURLE_OK && cert_file != NULL)
        code = curl_easy_setopt(easy, CURLOPT_SSLKEY, key_file != NULL ? key_file : cert_file);
    if (code == CURLE_OK && cert_file != NULL && asks_for_passphrases())
        code = curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "");
    return code;
}
