/* ledger_log.c - see ledger_log.h.
 *
 * Heaps that differ are looked at in groups that fit into memory, each with three
 * readings: records, lines, records.  A line whose record was not read is looked up,
 * because it may have come since; a record that was read has its line by then, or
 * never had one.  The first reading of the lines may be before, after or beside that of
 * the records: what came between the two makes heaps differ, and no more. */
#include "evidence/ledger_log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "store/key_table.h"

#define HEAP_COUNT     4096u
#define CANDIDATES_MAX (1u << 18) /* records of a group, if it has more than one heap */
#define NAMED_MAX      1000u      /* with as many findings the rest is counted by heaps */

struct heap {
    uint64_t sum; /* modulo 2^64 */
    uint64_t count;
};

struct eds_ledger_log {
    uint8_t secret[16];
    struct heap records[HEAP_COUNT];

    /* The lines are read by a thread of their own, if there is one. */
    struct heap lines[HEAP_COUNT];
    pthread_t reader;
    bool has_reader;
    struct eds_ledger *reader_ledger;
    int32_t reader_rc;
    struct eds_error reader_err;
    atomic_bool is_given_up;
};

int32_t eds_ledger_log_create(struct eds_ledger_log **out, struct eds_error *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to compare the operation log");
    if (eds_port_random((*out)->secret, sizeof(*out)->secret) == 0)
        return EDS_OK;
    free(*out);
    *out = NULL;
    return eds_error_set(err, EDS_ERR_IO, "the system has no random bytes");
}

static void join_reader(struct eds_ledger_log *log)
{
    if (log->has_reader)
        pthread_join(log->reader, NULL);
    log->has_reader = false;
}

void eds_ledger_log_destroy(struct eds_ledger_log *log)
{
    if (log == NULL)
        return;
    atomic_store(&log->is_given_up, true);
    join_reader(log);
    free(log);
}

/* Ids longer than any record's are cut: such a line has no record anyway. */
static uint64_t number_of(const struct eds_ledger_log *log, const char *device_id,
                          uint64_t sequence)
{
    uint8_t text[sizeof sequence + EDS_DEVICE_ID_SIZE];
    size_t size = strnlen(device_id, EDS_DEVICE_ID_SIZE);

    memcpy(text, &sequence, sizeof sequence);
    memcpy(text + sizeof sequence, device_id, size);
    return eds_key_hash(log->secret, text, sizeof sequence + size);
}

static size_t heap_of(uint64_t number)
{
    return number % HEAP_COUNT;
}

static bool differs(const struct eds_ledger_log *log, size_t heap)
{
    return log->records[heap].sum != log->lines[heap].sum ||
           log->records[heap].count != log->lines[heap].count;
}

static void add(struct heap *heap, uint64_t number)
{
    heap->sum += number;
    heap->count++;
}

void eds_ledger_log_add(struct eds_ledger_log *log, const EdsAuditRecord *record)
{
    uint64_t number = number_of(log, (const char *)record->device_id, record->sequence);

    add(&log->records[heap_of(number)], number);
}

static int32_t add_line(void *context, const struct eds_operation *operation, uint64_t created_ms)
{
    struct eds_ledger_log *log = context;
    uint64_t number;

    (void)created_ms;
    if (atomic_load_explicit(&log->is_given_up, memory_order_relaxed))
        return EDS_ERR_BUSY; /* nobody asks for the sums any more */
    if (operation->decision != EDS_DECISION_ACCEPTED)
        return EDS_OK;
    number = number_of(log, operation->device_id, operation->sequence);
    add(&log->lines[heap_of(number)], number);
    return EDS_OK;
}

static void *read_lines(void *context)
{
    struct eds_ledger_log *log = context;

    log->reader_rc =
        log->reader_ledger->ops->operations(log->reader_ledger, add_line, log, &log->reader_err);
    return NULL;
}

void eds_ledger_log_read_beside(struct eds_ledger_log *log, struct eds_ledger *ledger)
{
    log->reader_ledger = ledger;
    log->has_reader = pthread_create(&log->reader, NULL, read_lines, log) == 0;
}

/* Sees to it that all lines are in their heaps. */
static int32_t end_lines(struct eds_ledger_log *log, struct eds_ledger *ledger,
                         struct eds_error *err)
{
    if (!log->has_reader)
        return ledger->ops->operations(ledger, add_line, log, err);
    join_reader(log);
    if (log->reader_rc != EDS_OK && err != NULL)
        *err = log->reader_err;
    return log->reader_rc;
}

/* A group of heaps that differ, and the records in them: a table by number. */
struct group {
    struct eds_ledger_log *log;
    const struct eds_ledger_check *check;
    struct eds_ledger_summary *summary;
    struct eds_error *err;
    size_t first, end; /* heaps */
    struct candidate {
        uint64_t number;
        enum { FREE, WITHOUT_LINE, WITH_LINE } state;
    } * candidates;
    size_t count, room; /* room is a power of two, at least twice the count */
};

static bool is_in(const struct group *group, uint64_t number)
{
    size_t heap = heap_of(number);

    return heap >= group->first && heap < group->end && differs(group->log, heap);
}

/* The place of a number, or the free one where it would be. */
static struct candidate *find(const struct group *group, uint64_t number)
{
    size_t at = (number / HEAP_COUNT) & (group->room - 1);

    while (group->candidates[at].state != FREE && group->candidates[at].number != number)
        at = (at + 1) & (group->room - 1);
    return &group->candidates[at];
}

static int32_t make_room(struct group *group)
{
    struct group larger = *group;

    if (2 * (group->count + 1) <= group->room)
        return EDS_OK;
    larger.room = group->room > 0 ? 2 * group->room : 1024;
    larger.candidates = calloc(larger.room, sizeof *larger.candidates);
    if (larger.candidates == NULL)
        return eds_error_set(group->err, EDS_ERR_NO_MEMORY,
                             "no memory to compare the operation log");
    for (size_t i = 0; i < group->room; i++)
        if (group->candidates[i].state != FREE)
            *find(&larger, group->candidates[i].number) = group->candidates[i];
    free(group->candidates);
    *group = larger;
    return EDS_OK;
}

static int32_t collect(void *context, const struct eds_stored *stored)
{
    struct group *group = context;
    const EdsAuditRecord *record = &stored->entry->record;
    uint64_t number = number_of(group->log, (const char *)record->device_id, record->sequence);
    struct candidate *place;
    int32_t rc;

    if (!is_in(group, number))
        return EDS_OK;
    rc = make_room(group);
    if (rc != EDS_OK)
        return rc;
    place = find(group, number);
    group->count += place->state == FREE;
    *place = (struct candidate){number, WITHOUT_LINE};
    return EDS_OK;
}

static void report(const struct group *group, enum eds_ledger_fault fault, const char *device_id,
                   uint64_t sequence)
{
    const struct eds_ledger_finding finding = {
        .fault = fault, .device_id = device_id, .sequence = sequence};

    group->summary->finding_count++;
    if (group->check->found != NULL)
        group->check->found(group->check->context, &finding);
}

static int32_t match(void *context, const struct eds_operation *operation, uint64_t created_ms)
{
    struct group *group = context;
    struct eds_ledger *ledger = group->check->ledger;
    uint64_t number = number_of(group->log, operation->device_id, operation->sequence);
    struct candidate *place;
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc;

    (void)created_ms;
    if (operation->decision != EDS_DECISION_ACCEPTED || !is_in(group, number))
        return EDS_OK;
    place = find(group, number);
    if (place->state != FREE) {
        if (place->state == WITH_LINE)
            report(group, EDS_LEDGER_LOG_TWICE, operation->device_id, operation->sequence);
        place->state = WITH_LINE;
        return EDS_OK;
    }
    rc = ledger->ops->record_hash(ledger, operation->device_id, operation->sequence, hash,
                                  group->err);
    if (rc != EDS_ERR_NOT_FOUND)
        return rc;
    report(group, EDS_LEDGER_LOG_ALONE, operation->device_id, operation->sequence);
    return EDS_OK;
}

static int32_t name_record(void *context, const struct eds_stored *stored)
{
    struct group *group = context;
    const EdsAuditRecord *record = &stored->entry->record;
    const char *device_id = (const char *)record->device_id;
    uint64_t number = number_of(group->log, device_id, record->sequence);

    if (is_in(group, number) && find(group, number)->state == WITHOUT_LINE)
        report(group, EDS_LEDGER_LOG_ABSENT, device_id, record->sequence);
    return EDS_OK;
}

static int32_t name_differences(struct group *group)
{
    struct eds_ledger *ledger = group->check->ledger;
    int32_t rc;

    group->count = group->room = 0;
    group->candidates = NULL;
    rc = make_room(group);
    if (rc == EDS_OK)
        rc = ledger->ops->scan(ledger, NULL, collect, group, group->err);
    if (rc == EDS_OK)
        rc = ledger->ops->operations(ledger, match, group, group->err);
    if (rc == EDS_OK)
        rc = ledger->ops->scan(ledger, NULL, name_record, group, group->err);
    free(group->candidates);
    return rc;
}

/* What is left over is counted, not named. */
static void count_rest(const struct eds_ledger_log *log, size_t first,
                       struct eds_ledger_summary *summary)
{
    for (size_t i = first; i < HEAP_COUNT; i++) {
        uint64_t records = log->records[i].count, lines = log->lines[i].count;
        uint64_t more = records > lines ? records - lines : lines - records;

        if (differs(log, i))
            summary->finding_count += more > 0 ? more : 1;
    }
}

int32_t eds_ledger_log_check(struct eds_ledger_log *log, const struct eds_ledger_check *check,
                             struct eds_ledger_summary *summary, struct eds_error *err)
{
    struct group group = {.log = log, .check = check, .summary = summary, .err = err};
    uint64_t named_before = summary->finding_count;
    int32_t rc = end_lines(log, check->ledger, err);

    while (rc == EDS_OK && group.end < HEAP_COUNT &&
           summary->finding_count - named_before < NAMED_MAX) {
        uint64_t record_count = 0;

        group.first = group.end;
        do { /* as many heaps as have records for one group, and at least one */
            record_count += differs(log, group.end) ? log->records[group.end].count : 0;
            group.end++;
        } while (group.end < HEAP_COUNT && record_count < CANDIDATES_MAX);
        for (size_t i = group.first; i < group.end; i++)
            if (differs(log, i)) {
                rc = name_differences(&group);
                break;
            }
    }
    if (rc == EDS_OK)
        count_rest(log, group.end, summary);
    return rc;
}
