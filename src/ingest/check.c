/* check.c - see check.h. */
#include "ingest/check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/attest.h"

#define ALIGNMENT 64u /* bytes; of the verifier's work */

/* Each entry has up to two signatures. */
#define JOBS_MAX (2 * EDS_CHECK_MAX)

struct eds_check_desk {
    uint8_t work[EDS_VERIFIER_WORK_SIZE]; /* first: it must be aligned */
    struct eds_device devices[EDS_CHECK_MAX];
    const struct eds_device *device_of[EDS_CHECK_MAX]; /* one of them; NULL: not known */
    struct eds_findings findings[EDS_CHECK_MAX];
    uint8_t encoded[EDS_CHECK_MAX][EDS_RECORD_SIZE_MAX];
    uint8_t hashes[EDS_CHECK_MAX][EDS_HASH_SIZE];
    const void *data[EDS_CHECK_MAX];
    size_t sizes[EDS_CHECK_MAX]; /* bytes */
    uint8_t messages[EDS_CHECK_MAX][EDS_ATTEST_MESSAGE_SIZE];
    struct eds_verify_job jobs[JOBS_MAX];
    bool *job_answers[JOBS_MAX]; /* where a job's verdict goes */
    bool verdicts[JOBS_MAX];
};

struct eds_check_desk *eds_check_desk_create(void)
{
    return aligned_alloc(ALIGNMENT,
                         (sizeof(struct eds_check_desk) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

void eds_check_desk_destroy(struct eds_check_desk *desk)
{
    free(desk);
}

static const char *id_of(const struct eds_submission *submission)
{
    return (const char *)submission->request.entry->record.device_id;
}

/* Finds a submission's device, with room for it in *out; NULL if there is none. */
static const struct eds_device *find_device(const struct eds_checks *checks,
                                            const struct eds_submission *submission,
                                            struct eds_device *out)
{
    return eds_registry_find(checks->registry, id_of(submission), out) == EDS_OK ? out : NULL;
}

static void begin(const struct eds_checks *checks, struct eds_submission *submission,
                  const struct eds_device *device)
{
    submission->attest_required = device != NULL && device->attest_required;
    submission->request.key_tables = checks->key_tables;
}

void eds_check_begin(struct eds_submission *submission)
{
    const struct eds_request *request = &submission->request;

    submission->has_payload_hash = request->payload_size > EDS_CHECK_SMALL_MAX;
    if (submission->has_payload_hash)
        eds_blake3(submission->payload_hash, request->payload, request->payload_size);
}

/* Where nothing is known of devices. */
static void check_route(struct eds_submission *submission)
{
    submission->attest_required = false;
    submission->verdict = eds_gate_check_route(&submission->request, submission->message);
}

void eds_check_alone(const struct eds_checks *checks, struct eds_submission *submission)
{
    const struct eds_device *device;
    struct eds_device room;

    if (checks->registry == NULL) {
        check_route(submission);
        return;
    }
    device = find_device(checks, submission, &room);
    begin(checks, submission, device);
    submission->verdict = eds_gate_check_request(&submission->request, device,
                                                 submission->record_hash, submission->message);
}

/* Most often the next record is of the same device: then it need not be found, nor
 * copied, again. */
static void find_devices(const struct eds_checks *checks, struct eds_check_desk *desk,
                         struct eds_submission **submissions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(id_of(submissions[i]), id_of(submissions[i - 1])) == 0)
            desk->device_of[i] = desk->device_of[i - 1];
        else
            desk->device_of[i] = find_device(checks, submissions[i], &desk->devices[i]);
        begin(checks, submissions[i], desk->device_of[i]);
    }
}

static void hash_payloads(struct eds_check_desk *desk, struct eds_submission **submissions,
                          size_t count)
{
    size_t small_count = 0;

    for (size_t i = 0; i < count; i++) {
        if (submissions[i]->has_payload_hash)
            continue;
        desk->data[small_count] = submissions[i]->request.payload;
        desk->sizes[small_count++] = submissions[i]->request.payload_size;
    }
    eds_blake3_many(desk->hashes, desk->data, desk->sizes, small_count);
    for (size_t i = 0, small = 0; i < count; i++)
        memcpy(desk->findings[i].payload_hash,
               submissions[i]->has_payload_hash ? submissions[i]->payload_hash
                                                : desk->hashes[small++],
               EDS_HASH_SIZE);
}

static void hash_records(struct eds_check_desk *desk, struct eds_submission **submissions,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t rc = eds_record_encode(desk->encoded[i], &desk->sizes[i],
                                       &submissions[i]->request.entry->record);

        assert(rc == EDS_OK); /* the strings are what a decoder left: valid */
        (void)rc;
        desk->data[i] = desk->encoded[i];
    }
    eds_blake3_many(desk->hashes, desk->data, desk->sizes, count);
    for (size_t i = 0; i < count; i++)
        memcpy(desk->findings[i].record_hash, desk->hashes[i], EDS_HASH_SIZE);
}

static size_t add_job(struct eds_check_desk *desk, size_t at, const void *message, size_t size,
                      const uint8_t *signature, const uint8_t *public_key, bool *answer)
{
    desk->jobs[at] = (struct eds_verify_job){
        .public_key = public_key, .message = message, .message_size = size, .signature = signature};
    desk->job_answers[at] = answer;
    return at + 1;
}

/* Adds the signatures of one submission; returns how many jobs there are then.
 * One whose payload is not the signed one will be refused without them. */
static size_t add_jobs(struct eds_check_desk *desk, size_t at, size_t index,
                       const struct eds_request *request)
{
    const struct eds_entry *entry = request->entry;
    struct eds_findings *findings = &desk->findings[index];
    const uint8_t *key = eds_gate_likely_key(request, desk->device_of[index]);

    findings->tried = key != NULL && memcmp(findings->payload_hash, entry->record.payload_hash,
                                            EDS_HASH_SIZE) == 0;
    findings->signed_by = findings->attested_by = false;
    if (!findings->tried)
        return at;
    memcpy(findings->public_key, key, sizeof findings->public_key);
    at = add_job(desk, at, entry->record.payload_hash, EDS_HASH_SIZE, entry->record.signature,
                 findings->public_key, &findings->signed_by);
    if (!entry->attestation.present)
        return at;
    eds_attest_message(desk->messages[index], entry->attestation.key_id, findings->record_hash);
    return add_job(desk, at, desk->messages[index], EDS_ATTEST_MESSAGE_SIZE,
                   entry->attestation.signature, findings->public_key, &findings->attested_by);
}

static void try_signatures(const struct eds_checks *checks, struct eds_check_desk *desk,
                           struct eds_submission **submissions, size_t count)
{
    size_t job_count = 0;

    for (size_t i = 0; i < count; i++)
        job_count = add_jobs(desk, job_count, i, &submissions[i]->request);
    eds_key_tables_verify_many(checks->key_tables, (struct eds_verifier_work *)(void *)desk->work,
                               desk->jobs, job_count, desk->verdicts);
    for (size_t i = 0; i < job_count; i++)
        *desk->job_answers[i] = desk->verdicts[i];
}

void eds_check_run(const struct eds_checks *checks, struct eds_check_desk *desk,
                   struct eds_submission **submissions, size_t count)
{
    assert(count > 0 && count <= EDS_CHECK_MAX);
    for (size_t i = 0; i < count && checks->registry == NULL; i++)
        check_route(submissions[i]);
    if (checks->registry == NULL)
        return;
    find_devices(checks, desk, submissions, count);
    hash_payloads(desk, submissions, count);
    hash_records(desk, submissions, count);
    desk->findings[0].tried = false;
    if (count > 1) /* alone there is nothing to be shared */
        try_signatures(checks, desk, submissions, count);
    for (size_t i = 0; i < count; i++) {
        struct eds_submission *submission = submissions[i];

        submission->request.findings = &desk->findings[i];
        submission->verdict = eds_gate_check_request(&submission->request, desk->device_of[i],
                                                     submission->record_hash, submission->message);
        submission->request.findings = NULL; /* the desk's, not the submission's */
    }
}
