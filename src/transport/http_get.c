/* http_get.c - see http_get.h. */
#include "transport/http_get.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000L

struct growing {
    char *text;
    size_t size;
};

static size_t take(char *bytes, size_t unit, size_t count, void *context)
{
    struct growing *page = context;
    size_t size = unit * count;
    char *longer;

    if (size > EDS_HTTP_PAGE_MAX - page->size)
        return 0; /* ends the transfer with CURLE_WRITE_ERROR */
    longer = realloc(page->text, page->size + size + 1);
    if (longer == NULL)
        return 0;
    memcpy(longer + page->size, bytes, size);
    page->text = longer;
    page->size += size;
    longer[page->size] = '\0';
    return size;
}

static CURLcode perform(CURL *easy, const char *url, const char *ca_file, struct growing *page,
                        char *reason)
{
    CURLcode code = CURLE_OK;

#define SET(option, value)                                                                         \
    if (code == CURLE_OK)                                                                          \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_USERAGENT, "edgesentry/" EDS_VERSION);
    SET(CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_ERRORBUFFER, reason);
    SET(CURLOPT_WRITEFUNCTION, take);
    SET(CURLOPT_WRITEDATA, page);
    if (ca_file != NULL)
        SET(CURLOPT_CAINFO, ca_file);
#undef SET
    return code == CURLE_OK ? curl_easy_perform(easy) : code;
}

int32_t eds_http_get(struct eds_http_page *out, const char *url, const char *ca_file,
                     struct eds_error *err)
{
    char reason[CURL_ERROR_SIZE] = "";
    struct growing page = {.text = calloc(1, 1)}; /* an answer without a body is one */
    CURL *easy = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    long status = 0;

    *out = (struct eds_http_page){.status = 0};
    if (easy != NULL && page.text != NULL)
        code = perform(easy, url, ca_file, &page, reason);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    if (code == CURLE_OK) {
        *out = (struct eds_http_page){(unsigned)status, page.text, page.size};
        return EDS_OK;
    }
    free(page.text);
    if (code == CURLE_OUT_OF_MEMORY)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    return eds_error_set(err, EDS_ERR_IO, "no answer from %s: %s", url,
                         reason[0] != '\0' ? reason : curl_easy_strerror(code));
}

bool eds_metric_read(const char *page, const char *series, uint64_t *out)
{
    size_t size = strlen(series);

    for (const char *line = page; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, series, size) == 0 && line[size] == ' ' && line[size + 1] >= '0' &&
            line[size + 1] <= '9') {
            *out = strtoull(line + size + 1, NULL, 10);
            return true;
        }
    }
    return false;
}
