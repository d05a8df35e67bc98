/* curl_identity.h - whom a client of ours trusts over https, and as whom it comes. */
#ifndef EDS_TRANSPORT_CURL_IDENTITY_H
#define EDS_TRANSPORT_CURL_IDENTITY_H

#include <curl/curl.h>

/* eds_curl_set_identity sets PEM files; each may be NULL.
 *
 *   ca_file    who vouches for servers, instead of the system's
 *   cert_file  our certificate
 *   key_file   its key; NULL: it is in cert_file */
CURLcode eds_curl_set_identity(CURL *easy, const char *ca_file, const char *cert_file,
                               const char *key_file);

#endif
