/* change_script.c - see change_script.h. */
#include "store/change_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/gap_sample.h"
#include "store/orders.h"
#include "store/ledger_dump.h"
#include "store/roster_sample.h"

#define NOW_MS UINT64_C(1795305600123)

/* What a step works with; the chain is as it was before the step. */
struct stage {
    struct eds_ledger *ledger;
    struct chain chain; /* of lift-01 */
    struct batch *batch;
    struct eds_error *err;
};

static int32_t put(struct stage *stage, const struct eds_enrolment *it, const char *message)
{
    struct eds_roster_change change = {it, message, "alice", "a test"};

    return stage->ledger->roster->change(stage->ledger, &change, 1, NOW_MS, stage->err);
}

static int32_t find(struct stage *stage, enum eds_role role, const char *id,
                    struct eds_enrolment *out)
{
    return stage->ledger->roster->find(stage->ledger, role, id, out, stage->err);
}

static int32_t move(struct stage *stage, enum eds_role role, const char *id,
                    enum eds_device_state state)
{
    struct eds_enrolment it;
    int32_t rc = find(stage, role, id, &it);

    if (rc != EDS_OK)
        return rc;
    it.state = state;
    for (uint32_t i = 0; state == EDS_DEVICE_REVOKED && i < it.key_count; i++)
        it.keys[i].revoked = true;
    return put(stage, &it, eds_device_state_name(state));
}

static int32_t add_operator(struct stage *stage)
{
    struct eds_enrolment it = sample_device("alice", 1);

    it.role = EDS_ROLE_OPERATOR;
    return put(stage, &it, "operator added");
}

static int32_t add_devices(struct stage *stage)
{
    struct eds_enrolment lift = sample_device("lift-01", 2), crane = sample_device("crane-07", 3);
    struct eds_roster_change changes[] = {{&lift, "device added", "alice", "a test"},
                                          {&crane, "device added", "alice", "a test"}};

    return stage->ledger->roster->change(stage->ledger, changes, 2, NOW_MS, stage->err);
}

#define FLEET_COUNT 5u

/* As an import does it: batch by batch, in one transaction. */
static int32_t import(struct stage *stage)
{
    struct eds_enrolment fleet[FLEET_COUNT];
    struct eds_roster_change changes[FLEET_COUNT];
    struct sample_source source;

    for (uint32_t i = 0; i < FLEET_COUNT; i++) {
        const char id[] = {'f', 'l', 'e', 'e', 't', '-', (char)('a' + i), '\0'};

        fleet[i] = sample_device(id, 100 + i);
        changes[i] = (struct eds_roster_change){&fleet[i], "device added", "alice", "a fleet"};
    }
    source = sample_source(changes, FLEET_COUNT, 2, 0);
    return stage->ledger->roster->change_all(stage->ledger, &source.source, NOW_MS, stage->err);
}

static int32_t rotate(struct stage *stage)
{
    struct eds_enrolment it;
    int32_t rc = find(stage, EDS_ROLE_DEVICE, "lift-01", &it);

    if (rc != EDS_OK)
        return rc;
    it.keys[0].not_after_ms = NOW_MS + 5;
    it.keys[0].not_after_sequence = 77;
    sample_key(&it, 4)->not_before_ms = NOW_MS;
    return put(stage, &it, "key rotated");
}

static int32_t append(struct stage *stage, unsigned count)
{
    batch_clear(stage->batch);
    for (unsigned i = 0; i < count; i++)
        batch_append(stage->batch, &stage->chain);
    batch_operation(stage->batch, EDS_DECISION_ACCEPTED, "lift-01", stage->chain.sequence, "good");
    return stage->ledger->ops->commit(stage->ledger, &stage->batch->commit, stage->err);
}

static int32_t append_three(struct stage *stage)
{
    return append(stage, 3);
}

static int32_t append_one(struct stage *stage)
{
    return append(stage, 1);
}

static int32_t quarantine(struct stage *stage)
{
    return move(stage, EDS_ROLE_DEVICE, "lift-01", EDS_DEVICE_QUARANTINED);
}

static int32_t release(struct stage *stage)
{
    return move(stage, EDS_ROLE_DEVICE, "lift-01", EDS_DEVICE_ACTIVE);
}

static int32_t close_one(struct stage *stage, struct chain *chain, uint64_t resume_sequence)
{
    struct eds_gap gap = gap_sample(chain, resume_sequence, (unsigned)resume_sequence);
    struct eds_gap_closing closing = {&gap, 0, "gap closed", NOW_MS};
    struct eds_enrolment alice;
    int32_t rc = find(stage, EDS_ROLE_OPERATOR, "alice", &alice);

    closing.operator_revision = alice.revision;
    if (rc == EDS_OK)
        rc = stage->ledger->gaps->close(stage->ledger, &closing, stage->err);
    gap_move_on(chain, &gap);
    return rc;
}

static int32_t close_gap(struct stage *stage)
{
    return close_one(stage, &stage->chain, 9);
}

static int32_t close_first_gap(struct stage *stage)
{
    struct chain crane = chain_of("crane-07");

    return close_one(stage, &crane, 5);
}

static int32_t give_order(struct stage *stage)
{
    struct eds_order order = {.device_id = "lift-01",
                              .counter = 1,
                              .kind = EDS_ORDER_REPORT_STATUS,
                              .issued_ms = NOW_MS,
                              .not_after_ms = NOW_MS + 1,
                              .operator_name = "alice"};
    struct eds_order_word word = {.key_id = {1}, .signature = {2}};
    struct eds_order_giving giving = {
        .order = &order, .word = &word, .message = "given", .why = "a test", .now_ms = NOW_MS};
    struct eds_enrolment alice;
    int32_t rc = find(stage, EDS_ROLE_OPERATOR, "alice", &alice);

    giving.operator_revision = alice.revision;
    return rc == EDS_OK ? stage->ledger->orders->give(stage->ledger, &giving, stage->err) : rc;
}

static int32_t take_order(struct stage *stage)
{
    return stage->ledger->orders->take(stage->ledger, "lift-01", 1, NOW_MS + 2, stage->err);
}

static int32_t settle_order(struct stage *stage)
{
    struct eds_order_settling settling = {.device_id = "lift-01",
                                          .counter = 1,
                                          .result = EDS_ORDER_DONE,
                                          .sequence = 9,
                                          .message = "answered",
                                          .now_ms = NOW_MS + 3};

    return stage->ledger->orders->settle(stage->ledger, &settling, stage->err);
}

static int32_t revoke_key(struct stage *stage)
{
    struct eds_enrolment it;
    int32_t rc = find(stage, EDS_ROLE_DEVICE, "lift-01", &it);

    if (rc != EDS_OK)
        return rc;
    it.keys[0].revoked = true;
    it.keys[0].not_after_ms = NOW_MS;
    return put(stage, &it, "key revoked");
}

static int32_t revoke(struct stage *stage)
{
    return move(stage, EDS_ROLE_DEVICE, "lift-01", EDS_DEVICE_REVOKED);
}

static int32_t retire(struct stage *stage)
{
    return move(stage, EDS_ROLE_DEVICE, "crane-07", EDS_DEVICE_RETIRED);
}

static int32_t revoke_operator(struct stage *stage)
{
    return move(stage, EDS_ROLE_OPERATOR, "alice", EDS_DEVICE_REVOKED);
}

static const struct {
    const char *name;
    int32_t (*take)(struct stage *stage);
} steps[] = {
    {"operator add", add_operator},
    {"device add", add_devices},
    {"import", import},
    {"rotate", rotate},
    {"three records", append_three},
    {"quarantine", quarantine},
    {"release", release},
    {"close a gap", close_gap},
    {"one record", append_one},
    {"close another", close_first_gap},
    {"give an order", give_order},
    {"take the order", take_order},
    {"answer the order", settle_order},
    {"revoke a key", revoke_key},
    {"revoke", revoke},
    {"retire", retire},
    {"operator revoke", revoke_operator},
};

static char *dump(struct eds_ledger *ledger)
{
    struct eds_error err = {.text = ""};
    char *text = ledger_dump(ledger, &err);

    if (text == NULL)
        fail_msg("%s", err.text);
    return text;
}

static bool is_same(struct eds_ledger *ledger, struct eds_ledger *twin)
{
    char *one = dump(ledger), *other = dump(twin);
    bool same = strcmp(one, other) == 0;

    free(one);
    free(other);
    return same;
}

/* After a failure: the ledger is as its twin, which was told nothing yet, or as it
 * will be.  True if the step is to be taken again. */
static bool is_undone(const struct stage *ours, struct stage *twin, size_t step)
{
    struct eds_error err;

    if (is_same(ours->ledger, twin->ledger))
        return true;
    twin->err = &err;
    assert_int_equal(steps[step].take(twin), EDS_OK);
    if (!is_same(ours->ledger, twin->ledger))
        fail_msg("%s was done by halves", steps[step].name);
    return false;
}

unsigned change_script_run(struct eds_ledger *ledger, void (*before)(void *context),
                           void (*after)(void *context), void *context)
{
    struct eds_error err;
    struct batch *batch = batch_new(NOW_MS);
    struct stage twin = {.chain = chain_of("lift-01"), .batch = batch, .err = &err};
    unsigned failed_count = 0;

    assert_int_equal(eds_ledger_open(&twin.ledger, "memory:", &err), EDS_OK);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct stage ours = twin;
        bool is_open = true;
        int32_t rc;

        ours.ledger = ledger;
        err = (struct eds_error){.text = ""};
        if (before != NULL)
            before(context);
        rc = steps[i].take(&ours);
        if (after != NULL)
            after(context);
        if (rc != EDS_OK) {
            assert_int_equal(err.code, rc);
            assert_true(err.text[0] != '\0');
            failed_count++;
            is_open = is_undone(&ours, &twin, i);
            ours.chain = twin.chain;
            if (is_open && steps[i].take(&ours) != EDS_OK)
                fail_msg("%s again: %s", steps[i].name, err.text);
        }
        if (is_open)
            assert_int_equal(steps[i].take(&twin), EDS_OK);
    }
    assert_true(is_same(ledger, twin.ledger));
    twin.ledger->ops->close(twin.ledger);
    batch_free(batch);
    return failed_count;
}

struct planned {
    void (*fail_at)(uint64_t n);
    uint64_t (*count)(void);
    uint64_t n, counted;
};

static void arm(void *context)
{
    const struct planned *planned = context;

    planned->fail_at(planned->counted < planned->n ? planned->n - planned->counted : 0);
}

static void disarm(void *context)
{
    struct planned *planned = context;

    planned->counted += planned->count();
    planned->fail_at(0);
}

bool change_script_fail(struct eds_ledger *ledger, void (*fail_at)(uint64_t n),
                        uint64_t (*count)(void), uint64_t n, unsigned *failed)
{
    struct planned planned = {fail_at, count, n, 0};
    unsigned failed_count = change_script_run(ledger, arm, disarm, &planned);
    unsigned most = planned.counted >= n ? 1 : 0;

    assert_in_range(failed_count, 0, most);
    *failed += failed_count;
    return most > 0;
}
