/* ledger_sqlite_roster_change.c - changes to the registry, one transaction. */
#include <assert.h>

#include "base/hex.h"
#include "store/instant.h"
#include "store/ledger_sqlite_roster.h"

enum statement { TURN, ADD, REPLACE, KEY, LOG, STATEMENT_COUNT };

static const char *const texts[STATEMENT_COUNT] = {
    [TURN] = "UPDATE registry_version SET version = version + 1 RETURNING version",
    [ADD] = "INSERT INTO registry(role, id, state, attest_required, site, cohort, firmware,"
            " revision) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    [REPLACE] = "UPDATE registry SET state = ?3, attest_required = ?4, site = ?5, cohort = ?6,"
                " firmware = ?7, revision = ?8 WHERE role = ?1 AND id = ?2 AND revision = ?9"
                " AND (state <> 'quarantined' OR ?3 <> 'active' OR ?10 = -1"
                " OR quarantine_arrived = ?10)",
    [KEY] = "INSERT INTO registry_keys(role, id, key_number, public_key, not_before_ms,"
            " not_after_ms, not_after_sequence, revoked) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            " ON CONFLICT(public_key) DO UPDATE SET not_before_ms = ?5, not_after_ms = ?6,"
            " not_after_sequence = ?7, revoked = ?8"
            " WHERE role = ?1 AND id = ?2 AND key_number = ?3",
    [LOG] = "INSERT INTO operation_logs(decision, device_id, sequence, message, created_at, who,"
            " why) VALUES('Changed', ?1, 0, ?2, ?3, ?4, ?5)",
};

struct changing {
    struct sqlite_ledger *sqlite;
    struct eds_error *err;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    char now[EDS_INSTANT_SIZE];
    uint64_t version; /* of this transaction */

    const struct eds_roster_change *changes; /* the batch at hand */
    size_t count;
    struct eds_roster_source *source; /* NULL: there is no other */
    struct eds_enrolment last;        /* written */
};

static int32_t run(const struct changing *changing, enum statement which, int bound)
{
    sqlite3_stmt *statement = changing->statements[which];
    int32_t rc = EDS_OK;

    if (bound != SQLITE_OK || sqlite3_step(statement) != SQLITE_DONE)
        rc = eds_sqlite_fail(changing->sqlite, changing->err, "write to");
    sqlite3_reset(statement);
    return rc;
}

static int bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

/* A number, or NULL where it means that there is none. */
static int bind_number(sqlite3_stmt *statement, int at, uint64_t number, uint64_t none)
{
    if (number == none)
        return sqlite3_bind_null(statement, at);
    return sqlite3_bind_int64(statement, at, eds_sqlite_from_u64(number));
}

/* The number of this transaction.  BEGIN IMMEDIATE has it follow the last one. */
static int32_t take_turn(struct changing *changing)
{
    sqlite3_stmt *statement = changing->statements[TURN];
    int32_t rc = EDS_OK;

    if (sqlite3_step(statement) == SQLITE_ROW)
        changing->version = eds_sqlite_to_u64(sqlite3_column_int64(statement, 0));
    else
        rc = eds_sqlite_fail(changing->sqlite, changing->err, "write to");
    sqlite3_reset(statement);
    return rc;
}

static int32_t put_row(const struct changing *changing, const struct eds_enrolment *it)
{
    enum statement which = it->revision == 0 ? ADD : REPLACE;
    sqlite3_stmt *statement = changing->statements[which];
    int bound = bind_text(statement, 1, eds_role_name(it->role));
    int32_t rc;

    bound |= bind_text(statement, 2, it->id);
    bound |= bind_text(statement, 3, eds_device_state_name(it->state));
    bound |= sqlite3_bind_int(statement, 4, it->attest_required ? 1 : 0);
    bound |= bind_text(statement, 5, it->site);
    bound |= bind_text(statement, 6, it->cohort);
    bound |= bind_text(statement, 7, it->firmware);
    bound |= sqlite3_bind_int64(statement, 8, eds_sqlite_from_u64(changing->version));
    if (which == REPLACE)
        bound |= sqlite3_bind_int64(statement, 9, eds_sqlite_from_u64(it->revision)) |
                 sqlite3_bind_int64(statement, 10, eds_sqlite_from_u64(it->quarantine_arrived));
    rc = run(changing, which, bound);
    if (rc == EDS_OK && sqlite3_changes(changing->sqlite->db) != 1)
        return eds_error_set(changing->err, EDS_ERR_HEAD_MOVED,
                             which == ADD ? "%s %s is registered already"
                                          : "%s %s was changed meanwhile",
                             eds_role_name(it->role), it->id);
    return rc;
}

static int32_t say_owner(const struct changing *changing, const struct eds_enrolment *it,
                         const struct eds_enrolled_key *key)
{
    struct eds_key_owner owner;
    char digits[2 * EDS_PUBLIC_KEY_SIZE + 1];
    int32_t rc =
        eds_sqlite_roster_owner(&changing->sqlite->ledger, key->public_key, &owner, changing->err);

    if (rc != EDS_OK)
        return rc;
    eds_hex_encode(digits, key->public_key, EDS_PUBLIC_KEY_SIZE);
    if (owner.role == it->role && strcmp(owner.id, it->id) == 0)
        return eds_error_set(changing->err, EDS_ERR_USAGE, "the keys of %s are out of order",
                             it->id);
    return eds_error_set(changing->err, EDS_ERR_EXISTS,
                         "public key %s for %s belongs to %s %s: a key serves one %s only", digits,
                         it->id, eds_role_name(owner.role), owner.id, eds_role_name(owner.role));
}

static int32_t put_key(const struct changing *changing, const struct eds_enrolment *it, uint32_t at)
{
    const struct eds_enrolled_key *key = &it->keys[at];
    sqlite3_stmt *statement = changing->statements[KEY];
    int bound = bind_text(statement, 1, eds_role_name(it->role));
    int32_t rc;

    bound |= bind_text(statement, 2, it->id);
    bound |= sqlite3_bind_int64(statement, 3, at);
    bound |= sqlite3_bind_blob(statement, 4, key->public_key, EDS_PUBLIC_KEY_SIZE, SQLITE_STATIC);
    bound |= bind_number(statement, 5, key->not_before_ms, 0);
    bound |= bind_number(statement, 6, key->not_after_ms, EDS_KEY_NO_END);
    bound |= bind_number(statement, 7, key->not_after_sequence, EDS_KEY_NO_END);
    bound |= sqlite3_bind_int(statement, 8, key->revoked ? 1 : 0);
    rc = run(changing, KEY, bound);
    if (rc == EDS_OK && sqlite3_changes(changing->sqlite->db) != 1)
        return say_owner(changing, it, key);
    return rc;
}

static int32_t put_line(const struct changing *changing, const struct eds_roster_change *change)
{
    sqlite3_stmt *statement = changing->statements[LOG];
    int bound = bind_text(statement, 1, change->enrolment->id);

    bound |= bind_text(statement, 2, change->message);
    bound |= bind_text(statement, 3, changing->now);
    bound |= bind_text(statement, 4, change->who);
    bound |= bind_text(statement, 5, change->why);
    return run(changing, LOG, bound);
}

static int32_t put_batch(struct changing *changing)
{
    int32_t rc = EDS_OK;

    for (size_t i = 0; rc == EDS_OK && i < changing->count; i++) {
        const struct eds_enrolment *it = changing->changes[i].enrolment;

        rc = put_row(changing, it);
        for (uint32_t k = 0; rc == EDS_OK && k < it->key_count; k++)
            rc = put_key(changing, it, k);
        if (rc == EDS_OK)
            rc = put_line(changing, &changing->changes[i]);
    }
    if (rc == EDS_OK && changing->count > 0)
        eds_enrolment_copy(&changing->last, changing->changes[changing->count - 1].enrolment);
    return rc;
}

static int32_t put_all(struct changing *changing)
{
    int32_t rc = take_turn(changing);

    do {
        if (rc == EDS_OK && changing->source != NULL)
            rc = eds_roster_next(changing->source, &changing->changes, &changing->count,
                                 changing->err);
        if (rc == EDS_OK)
            rc = put_batch(changing);
    } while (rc == EDS_OK && changing->source != NULL && changing->count > 0);
    return rc;
}

/* After a COMMIT that failed: was it done all the same?  Then the last one
 * changed bears this transaction's number. */
static bool is_there(const struct changing *changing)
{
    const struct eds_enrolment *last = &changing->last;
    struct eds_enrolment found;

    if (last->key_count == 0)
        return false; /* there was nothing to be changed */

    return eds_sqlite_roster_find(&changing->sqlite->ledger, last->role, last->id, &found, NULL) ==
               EDS_OK &&
           found.revision == changing->version && found.state == last->state &&
           found.key_count == last->key_count &&
           memcmp(found.keys[last->key_count - 1].public_key,
                  last->keys[last->key_count - 1].public_key, EDS_PUBLIC_KEY_SIZE) == 0;
}

static int32_t write(struct changing *changing)
{
    struct sqlite_ledger *sqlite = changing->sqlite;
    bool was_committing = false;
    int32_t rc = EDS_OK;

    for (int i = 0; rc == EDS_OK && i < STATEMENT_COUNT; i++)
        rc = eds_sqlite_prepare(sqlite, texts[i], &changing->statements[i], changing->err);
    if (rc == EDS_OK)
        rc = eds_sqlite_begin(sqlite, changing->err);
    if (rc == EDS_OK)
        rc = put_all(changing);
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(changing->statements[i]);
    if (rc == EDS_OK) {
        was_committing = true;
        rc = eds_sqlite_end(sqlite, changing->err);
    }
    if (rc == EDS_OK)
        return EDS_OK;
    eds_sqlite_roll_back(sqlite);
    return was_committing && is_there(changing) ? EDS_OK : rc;
}

static int32_t check_writable(const struct sqlite_ledger *sqlite, struct eds_error *err)
{
    if (!sqlite->read_only)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_USAGE, "%s is open for reading only", sqlite->path);
}

int32_t eds_sqlite_roster_change(struct eds_ledger *ledger, const struct eds_roster_change *changes,
                                 size_t count, uint64_t now_ms, struct eds_error *err)
{
    struct changing changing = {
        .sqlite = (struct sqlite_ledger *)ledger, .err = err, .changes = changes, .count = count};
    int32_t rc = check_writable(changing.sqlite, err);

    if (rc == EDS_OK)
        rc = eds_roster_check_changes(changes, count, err);
    if (rc != EDS_OK || count == 0)
        return rc;
    eds_instant_format(changing.now, now_ms);
    rc = eds_sqlite_ready(changing.sqlite, err);
    return rc == EDS_OK ? write(&changing) : rc;
}

int32_t eds_sqlite_roster_change_all(struct eds_ledger *ledger, struct eds_roster_source *source,
                                     uint64_t now_ms, struct eds_error *err)
{
    struct changing changing = {
        .sqlite = (struct sqlite_ledger *)ledger, .err = err, .source = source};
    int32_t rc = check_writable(changing.sqlite, err);

    eds_instant_format(changing.now, now_ms);
    if (rc == EDS_OK)
        rc = eds_sqlite_ready(changing.sqlite, err);
    return rc == EDS_OK ? write(&changing) : rc;
}

const struct eds_roster_ops eds_sqlite_roster_ops = {
    .change = eds_sqlite_roster_change,
    .change_all = eds_sqlite_roster_change_all,
    .version = eds_sqlite_roster_version,
    .find = eds_sqlite_roster_find,
    .owner = eds_sqlite_roster_owner,
    .find_many = eds_sqlite_roster_find_many,
    .owners = eds_sqlite_roster_owners,
    .scan = eds_sqlite_roster_scan,
    .changed = eds_sqlite_roster_changed,
};
