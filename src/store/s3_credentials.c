/* s3_credentials.c - see s3_credentials.h. */
#include "store/s3_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/wipe.h"

#define FILE_SIZE_MAX 65536u /* bytes; such a file has a few lines */

void eds_s3_credentials_wipe(struct eds_s3_credentials *credentials)
{
    eds_wipe(credentials, sizeof *credentials);
}

/* What does not fit is left out, and then the pair is not complete. */
static void copy(char *out, size_t size, const char *text, size_t text_size)
{
    if (text_size < size) {
        memcpy(out, text, text_size);
        out[text_size] = '\0';
    }
}

static int32_t from_environment(struct eds_s3_credentials *out, struct eds_error *err)
{
    const char *access = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    const char *token = getenv("AWS_SESSION_TOKEN");

    if (access == NULL || access[0] == '\0' || secret == NULL || secret[0] == '\0')
        return eds_error_set(err, EDS_ERR_NOT_FOUND,
                             "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set");
    copy(out->access_key, sizeof out->access_key, access, strlen(access));
    copy(out->secret_key, sizeof out->secret_key, secret, strlen(secret));
    if (token != NULL)
        copy(out->token, sizeof out->token, token, strlen(token));
    if (out->access_key[0] == '\0' || out->secret_key[0] == '\0' ||
        (token != NULL && token[0] != '\0' && out->token[0] == '\0'))
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "the credentials of the environment are longer "
                             "than any are");
    return EDS_OK;
}

/* Cuts the blanks at both ends off. */
static const char *trim(const char *text, size_t *size)
{
    while (*size > 0 && strchr(" \t\r", text[0]) != NULL)
        text++, (*size)--;
    while (*size > 0 && strchr(" \t\r", text[*size - 1]) != NULL)
        (*size)--;
    return text;
}

static bool is(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

static void take_line(struct eds_s3_credentials *out, const char *line, size_t size)
{
    const char *equals = memchr(line, '=', size);
    size_t name_size = equals != NULL ? (size_t)(equals - line) : 0;
    const char *name = trim(line, &name_size), *value;
    size_t value_size;

    if (equals == NULL)
        return;
    value_size = size - (size_t)(equals + 1 - line);
    value = trim(equals + 1, &value_size);
    if (is(name, name_size, "aws_access_key_id"))
        copy(out->access_key, sizeof out->access_key, value, value_size);
    else if (is(name, name_size, "aws_secret_access_key"))
        copy(out->secret_key, sizeof out->secret_key, value, value_size);
    else if (is(name, name_size, "aws_session_token"))
        copy(out->token, sizeof out->token, value, value_size);
}

int32_t eds_s3_credentials_read(struct eds_s3_credentials *out, const char *text,
                                const char *profile, struct eds_error *err)
{
    bool inside = false, found = false;

    memset(out, 0, sizeof *out);
    while (*text != '\0') {
        size_t line_size = strcspn(text, "\n"), size = line_size;
        const char *line = trim(text, &size);

        if (size > 0 && line[0] == '[') {
            size_t name_size = size > 1 && line[size - 1] == ']' ? size - 2 : 0;
            const char *name = trim(line + 1, &name_size);

            inside = is(name, name_size, profile);
            found = found || inside;
        } else if (inside && size > 0 && strchr("#;", line[0]) == NULL) {
            take_line(out, line, size);
        }
        text += line_size + (text[line_size] == '\n');
    }
    if (!found)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no profile '%s'", profile);
    if (out->access_key[0] == '\0' || out->secret_key[0] == '\0')
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "profile '%s' has not both aws_access_key_id and "
                             "aws_secret_access_key",
                             profile);
    return EDS_OK;
}

/* Reads a small file past stdio, which would keep a copy of it. */
static int32_t read_file(char *out, size_t size, const char *path, struct eds_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t got = 1;

    if (fd < 0)
        return eds_error_set(err, errno == ENOENT ? EDS_ERR_NOT_FOUND : EDS_ERR_IO,
                             "cannot read %s: %s", path, strerror(errno));
    while (got > 0 && used < size - 1) {
        got = read(fd, out + used, size - 1 - used);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            used += (size_t)got;
    }
    close(fd);
    out[used] = '\0';
    if (got < 0)
        return eds_error_set(err, EDS_ERR_IO, "cannot read %s", path);
    if (used == size - 1 || strlen(out) != used)
        return eds_error_set(err, EDS_ERR_MALFORMED, "%s is no file of credentials", path);
    return EDS_OK;
}

static int32_t from_file(struct eds_s3_credentials *out, const char *profile, struct eds_error *err)
{
    const char *given = getenv("AWS_SHARED_CREDENTIALS_FILE"), *home = getenv("HOME");
    char path[PATH_MAX];
    struct eds_error why;
    char *text;
    int32_t rc;

    if (given != NULL && given[0] != '\0')
        snprintf(path, sizeof path, "%s", given);
    else if (home != NULL && home[0] != '\0')
        snprintf(path, sizeof path, "%s/.aws/credentials", home);
    else
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no home directory");
    text = malloc(FILE_SIZE_MAX);
    if (text == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    rc = read_file(text, FILE_SIZE_MAX, path, err);
    if (rc == EDS_OK) {
        rc = eds_s3_credentials_read(out, text, profile, &why);
        if (rc != EDS_OK)
            eds_error_set(err, rc, "%s: %s", path, why.text);
    }
    eds_wipe(text, FILE_SIZE_MAX);
    free(text);
    return rc;
}

static int32_t from_source(struct eds_s3_credentials *out, const struct eds_s3_config *config,
                           enum eds_s3_source source, struct eds_error *err)
{
    memset(out, 0, sizeof *out);
    switch (source) {
    case EDS_S3_ENVIRONMENT:
        return from_environment(out, err);
    case EDS_S3_FILE:
        return from_file(out, config->profile, err);
    default:
        return eds_s3_credentials_ask(out, err);
    }
}

int32_t eds_s3_credentials_load(struct eds_s3_credentials *out, const struct eds_s3_config *config,
                                struct eds_error *err)
{
    static const enum eds_s3_source order[] = {EDS_S3_ENVIRONMENT, EDS_S3_FILE, EDS_S3_INSTANCE};
    struct eds_error whys[sizeof order / sizeof order[0]];
    size_t first = config->source == EDS_S3_ANY ? 0 : config->source - EDS_S3_ENVIRONMENT;
    size_t count = config->source == EDS_S3_ANY ? sizeof order / sizeof order[0] : 1;
    int32_t rc = EDS_ERR_NOT_FOUND;

    /* One that is there and bad is not passed over for the next. */
    for (size_t i = first; i < first + count && rc == EDS_ERR_NOT_FOUND; i++) {
        rc = from_source(out, config, order[i], &whys[i]);
        if (rc != EDS_OK)
            eds_error_set(err, rc, "no credentials for S3: %s", whys[i].text);
    }
    if (rc == EDS_ERR_NOT_FOUND && count > 1)
        eds_error_set(err, rc, "no credentials for S3: %.180s; %.180s; %.180s", whys[0].text,
                      whys[1].text, whys[2].text);
    if (rc != EDS_OK)
        eds_s3_credentials_wipe(out);
    return rc;
}
