/* debts.c - see debts.h. */
#include "gateway/debts.h"

struct debt {
    const char *id; /* first: see id_table.h */
    uint64_t sequence;
    uint64_t end_ns;
};

/* Makes room by forgetting what is over. */
static void drop_ended(struct eds_debts *debts, uint64_t now_ns)
{
    for (size_t i = debts->table.count; i-- > 0;) {
        struct debt *debt = debts->table.values[i];

        if (debt->end_ns <= now_ns)
            eds_id_table_drop(&debts->table, debt);
    }
}

void eds_debts_add(struct eds_debts *debts, const char *device_id, uint64_t sequence,
                   uint64_t now_ns)
{
    struct debt *debt = eds_id_table_find(&debts->table, device_id);

    if (debt == NULL && debts->table.count >= EDS_DEBTS_MAX)
        drop_ended(debts, now_ns);
    if (debt == NULL && debts->table.count < EDS_DEBTS_MAX)
        debt = eds_id_table_add(&debts->table, device_id, sizeof *debt);
    if (debt == NULL)
        return;
    if (debt->end_ns <= now_ns || sequence < debt->sequence)
        debt->sequence = sequence;
    debt->end_ns = now_ns + debts->duration_ns;
}

bool eds_debts_bar(struct eds_debts *debts, const char *device_id, uint64_t sequence,
                   uint64_t now_ns)
{
    const struct debt *debt;

    if (debts->table.count == 0) /* as nearly always */
        return false;
    debt = eds_id_table_find(&debts->table, device_id);
    return debt != NULL && debt->end_ns > now_ns && sequence > debt->sequence;
}

void eds_debts_pay(struct eds_debts *debts, const char *device_id, uint64_t sequence)
{
    struct debt *debt;

    if (debts->table.count == 0)
        return;
    debt = eds_id_table_find(&debts->table, device_id);
    if (debt != NULL && sequence >= debt->sequence)
        eds_id_table_drop(&debts->table, debt);
}

void eds_debts_free(struct eds_debts *debts)
{
    eds_id_table_clear(&debts->table);
}
