/* edge_gateway.c - role 2 of 3: the gateway routes and does not judge.
 *
 *   edge_gateway [DIRECTORY]       (default /tmp)
 *
 * Reads what edge_device wrote and forwards every line, byte for byte, to
 * DIRECTORY/eds_fwd_envelopes.ndjson and eds_fwd_tampered.ndjson.  It looks into
 * an envelope only to see whose it is; signatures are not its business, so a
 * tampered record goes on as well: the cloud refuses it. */
#include <stdio.h>
#include <string.h>

#include "edgesentry/json.h"

#define LINE_SIZE 65536

/* Forwards one line unchanged; the copy is for looking, as decoding uses it up. */
static int32_t forward_line(FILE *out, const char *line, struct eds_error *err)
{
    static char copy[LINE_SIZE];
    struct eds_envelope envelope;
    size_t size = strlen(line);
    int32_t rc;

    memcpy(copy, line, size);
    rc = eds_json_envelope_decode(&envelope, copy, size, err);
    if (rc != EDS_OK)
        return rc;
    if (fputs(line, out) < 0)
        return eds_error_set(err, EDS_ERR_IO, "a line could not be written");
    printf("FORWARDED: device=%s sequence=%llu\n", (const char *)envelope.entry.record.device_id,
           (unsigned long long)envelope.entry.record.sequence);
    return EDS_OK;
}

static int32_t forward_file(const char *directory, const char *name, struct eds_error *err)
{
    static char line[LINE_SIZE];
    char from[4096], to[4096];
    FILE *in, *out = NULL;
    int32_t rc = EDS_ERR_IO;

    snprintf(from, sizeof from, "%s/eds_%s.ndjson", directory, name);
    snprintf(to, sizeof to, "%s/eds_fwd_%s.ndjson", directory, name);
    eds_error_set(err, rc, "%s can't be read, or %s not be written; did edge_device run?", from,
                  to);
    in = fopen(from, "r");
    if (in == NULL)
        goto out;
    out = fopen(to, "w");
    if (out == NULL)
        goto out;
    rc = EDS_OK;
    while (rc == EDS_OK && fgets(line, sizeof line, in) != NULL)
        rc = forward_line(out, line, err);
    if (rc == EDS_OK && ferror(in))
        rc = eds_error_set(err, EDS_ERR_IO, "%s can't be read", from);
out:
    if (in != NULL)
        fclose(in);
    if (out != NULL && fclose(out) != 0 && rc == EDS_OK)
        rc = eds_error_set(err, EDS_ERR_IO, "%s can't be written", to);
    return rc;
}

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : "/tmp";
    struct eds_error err;

    if (forward_file(directory, "envelopes", &err) != EDS_OK ||
        forward_file(directory, "tampered", &err) != EDS_OK) {
        fprintf(stderr, "edge_gateway: %s\n", err.text);
        return 1;
    }
    return 0;
}
