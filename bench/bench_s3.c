/* bench_s3.c - records through ingest into PostgreSQL and an S3 service, one
 * record a request, next to a bare libcurl loop that puts the same payloads and
 * keeps no record; and, for the share of each, into PostgreSQL alone.
 *
 * A lane is a client that waits for each answer.  Both services are started for
 * it (tests/support); without the S3 service it says so and measures nothing. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "ingest/ingest.h"
#include "store/objects.h"

#define LANE_MAX     256u
#define PAYLOAD_SIZE 96u /* bytes */
#define SUPPORT      "tests/support/"

struct parcel {
    struct eds_entry entry;
    uint8_t payload[PAYLOAD_SIZE];
    struct eds_submission submission;
};

/* A client: a device, its records, and how long each took. */
struct lane {
    struct eds_ingest *ingest; /* NULL: bare puts */
    const char *bucket_url;
    size_t count;
    struct parcel *parcels;
    uint64_t *took_ns;
};

struct result {
    double per_second, p99_ms;
};

static unsigned generation; /* so that no two runs share a payload */

static void demand(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench_s3: %s\n", what);
        exit(1);
    }
}

static size_t discard(char *bytes, size_t one, size_t size, void *context)
{
    (void)bytes;
    (void)context;
    return one * size;
}

/* What somebody would write who only wants the payloads in the bucket. */
static void put_bare(CURL *curl, const struct lane *lane, const struct parcel *parcel)
{
    struct curl_slist *headers = NULL;
    char url[1024];
    long status = 0;

    snprintf(url, sizeof url, "%s/bare/%s", lane->bucket_url,
             (const char *)parcel->entry.record.object_ref);
    headers = curl_slist_append(headers, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    headers = curl_slist_append(headers, "Content-Type: application/octet-stream");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_USERNAME, getenv("AWS_ACCESS_KEY_ID"));
    curl_easy_setopt(curl, CURLOPT_PASSWORD, getenv("AWS_SECRET_ACCESS_KEY"));
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)PAYLOAD_SIZE);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, parcel->payload);
    demand(curl_easy_perform(curl) == CURLE_OK, "a bare put failed");
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    demand(status == 200, "a bare put was refused");
    curl_slist_free_all(headers);
}

static void *run_lane(void *context)
{
    struct lane *lane = context;
    CURL *curl = lane->ingest == NULL ? curl_easy_init() : NULL;

    for (size_t i = 0; i < lane->count; i++) {
        struct parcel *parcel = &lane->parcels[i];
        uint64_t start_ns = bench_now_ns();

        if (lane->ingest == NULL)
            put_bare(curl, lane, parcel);
        else
            demand(eds_ingest_submit_wait(lane->ingest, &parcel->submission) ==
                       EDS_VERDICT_ACCEPTED,
                   parcel->submission.message);
        lane->took_ns[i] = bench_now_ns() - start_ns;
    }
    if (curl != NULL)
        curl_easy_cleanup(curl);
    return NULL;
}

static void fill_lane(struct lane *lane, struct eds_registry *registry, unsigned number)
{
    uint8_t seed[EDS_SEED_SIZE] = {1}, key[EDS_PUBLIC_KEY_SIZE], hash[EDS_HASH_SIZE] = {0};
    char id[64], ref[96];

    memcpy(seed + 4, &number, sizeof number);
    memcpy(seed + 8, &generation, sizeof generation);
    snprintf(id, sizeof id, "lift-%u-%u", generation, number);
    eds_ed25519_public_key(key, seed);
    demand(eds_registry_add_key(registry, id, key, false, NULL) == EDS_OK, "registry");
    for (size_t i = 0; i < lane->count; i++) {
        struct parcel *parcel = &lane->parcels[i];

        snprintf((char *)parcel->payload, PAYLOAD_SIZE, "%s saw event %zu", id, i);
        snprintf(ref, sizeof ref, "%s/%zu", id, i);
        demand(eds_record_sign(&parcel->entry.record, id, i + 1, 1700000000000u + i,
                               parcel->payload, PAYLOAD_SIZE, hash, ref, seed, NULL) == EDS_OK &&
                   eds_record_digest(hash, &parcel->entry.record) == EDS_OK,
               "signing");
        parcel->submission.request = (struct eds_request){
            .entry = &parcel->entry, .payload = parcel->payload, .payload_size = PAYLOAD_SIZE};
    }
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Lets the lanes run; ledger NULL: bare puts. */
static struct result run(unsigned lane_count, size_t each, struct eds_ledger *ledger,
                         struct eds_objects *objects, const char *bucket_url)
{
    struct eds_registry *registry = eds_registry_create();
    struct parcel *parcels = calloc(lane_count * each, sizeof *parcels);
    uint64_t *took_ns = calloc(lane_count * each, sizeof *took_ns), start_ns;
    static struct lane lanes[LANE_MAX];
    pthread_t threads[LANE_MAX];
    struct eds_ingest *ingest = NULL;
    struct result result;

    demand(registry != NULL && parcels != NULL && took_ns != NULL, "no memory");
    generation++;
    for (unsigned i = 0; i < lane_count; i++) {
        lanes[i] = (struct lane){NULL, bucket_url, each, parcels + i * each, took_ns + i * each};
        fill_lane(&lanes[i], registry, i);
    }
    if (ledger != NULL) {
        struct eds_ingest_config config = {
            .ledger = ledger, .registry = registry, .objects = objects};

        demand(eds_ingest_start(&ingest, &config, NULL) == EDS_OK, "ingest");
    }
    start_ns = bench_now_ns();
    for (unsigned i = 0; i < lane_count; i++) {
        lanes[i].ingest = ingest;
        demand(pthread_create(&threads[i], NULL, run_lane, &lanes[i]) == 0, "thread");
    }
    for (unsigned i = 0; i < lane_count; i++)
        pthread_join(threads[i], NULL);
    result.per_second = (double)(lane_count * each) * 1e9 / (double)(bench_now_ns() - start_ns);
    eds_ingest_stop(ingest);
    qsort(took_ns, lane_count * each, sizeof *took_ns, by_time);
    result.p99_ms = (double)bench_percentile(took_ns, lane_count * each, 0.99) / 1e6;
    eds_registry_destroy(registry);
    free(parcels);
    free(took_ns);
    return result;
}

/* Starts a service by its script; 0, said why, if there is none. */
static int start_service(const char *script, const char *folder)
{
    char line[BENCH_PATH_SIZE + 128], answer[256] = "";
    FILE *pipe;

    snprintf(line, sizeof line, SUPPORT "%s start '%s' %ld", script, folder, (long)getpid());
    pipe = popen(line, "r");
    demand(pipe != NULL, line);
    if (fgets(answer, sizeof answer, pipe) == NULL)
        answer[0] = '\0';
    (void)pclose(pipe);
    if (atoi(answer) == 0)
        printf("PostgreSQL and S3 skipped: %s", answer);
    return atoi(answer);
}

static void run_script(const char *format, const char *folder)
{
    char line[BENCH_PATH_SIZE + 128];

    snprintf(line, sizeof line, format, folder);
    demand(system(line) == 0, line);
}

static void measure(int postgres_port, int s3_port)
{
    static const struct {
        unsigned lanes;
        size_t each;
    } loads[] = {{1, 150}, {16, 50}, {LANE_MAX, 8}};
    struct eds_objects *objects = NULL;
    struct eds_ledger *ledger = NULL;
    struct eds_error err = {.text = ""};
    char url[256], bucket_url[128], name[64];

    snprintf(url, sizeof url, "postgresql://eds@127.0.0.1:%d/postgres", postgres_port);
    demand(eds_ledger_open(&ledger, url, &err) == EDS_OK, err.text);
    snprintf(bucket_url, sizeof bucket_url, "http://127.0.0.1:%d/bucket", s3_port);
    snprintf(url, sizeof url, "s3://bucket/ours?endpoint=http://127.0.0.1:%d", s3_port);
    demand(eds_objects_open(&objects, url, false, &err) == EDS_OK, err.text);
    run(8, 10, ledger, objects, bucket_url); /* the services warm up */
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        unsigned lanes = loads[i].lanes;
        struct result bare = run(lanes, loads[i].each, NULL, NULL, bucket_url);
        struct result both = run(lanes, loads[i].each, ledger, objects, bucket_url);
        struct result alone = run(lanes, loads[i].each, ledger, NULL, bucket_url);

        snprintf(name, sizeof name, "postgres_s3_%u", lanes);
        bench_report(name, both.per_second, "records/s", "bare libcurl puts", bare.per_second,
                     true);
        snprintf(name, sizeof name, "postgres_s3_%u_p99", lanes);
        bench_report(name, both.p99_ms, "ms", "bare libcurl puts", bare.p99_ms, false);
        snprintf(name, sizeof name, "postgres_s3_%u_over_postgres", lanes);
        bench_report(name, both.per_second, "records/s", "payloads in PostgreSQL", alone.per_second,
                     true);
    }
    objects->ops->close(objects);
    ledger->ops->close(ledger);
}

int main(void)
{
    char folder[BENCH_PATH_SIZE], place[BENCH_PATH_SIZE + 8];
    int postgres_port, s3_port;

    bench_begin("PostgreSQL and S3, one record a request");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    setenv("AWS_ACCESS_KEY_ID", "AKEDSTEST", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SKEDSTEST/with+odd=signs", 1);
    bench_temporary(folder);
    run_script("chmod 755 '%s'", folder); /* PostgreSQL does not run as root */
    snprintf(place, sizeof place, "%s/s3", folder);
    s3_port = start_service("rgw.sh", place);
    if (s3_port != 0) {
        char line[128];

        snprintf(line, sizeof line, SUPPORT "s3.py %d make bucket", s3_port);
        demand(system(line) == 0, line);
        snprintf(place, sizeof place, "%s/pg", folder);
        postgres_port = start_service("postgres.sh", place);
        if (postgres_port != 0) {
            measure(postgres_port, s3_port);
            run_script(SUPPORT "postgres.sh remove '%s/pg'", folder);
        }
        run_script(SUPPORT "rgw.sh remove '%s/s3'", folder);
    }
    bench_remove(folder);
    return 0;
}
