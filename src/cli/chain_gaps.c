/* chain_gaps.c - see chain_gaps.h. */
#include "cli/chain_gaps.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/file.h"
#include "cli/store_arg.h"

/* As for the keys of devices, the environment does not count (chain_keys.c). */
static bool wants_registry(const struct eds_args *args)
{
    return eds_args_given(args, "store") || eds_args_given(args, "data-dir");
}

const char *eds_chain_gaps_contradiction(const struct eds_args *args)
{
    const char *gaps = eds_args_text(args, "gaps-file");
    const char *others[] = {eds_args_text(args, "records-file"),
                            eds_args_text(args, "payloads-file")};

    if (gaps == NULL)
        return eds_args_given(args, "operator") ? "--operator is for the gap records of --gaps-file"
                                                : NULL;
    if (!eds_args_given(args, "operator") && !wants_registry(args))
        return "--gaps-file needs the operator's key: --operator, --store or --data-dir";
    for (int i = 0; i < 2; i++)
        if (eds_is_standard_stream(gaps) && others[i] != NULL && eds_is_standard_stream(others[i]))
            return "only one input can be standard input";
    return NULL;
}

/* A gap that nobody rightly signed is as good as none, and worse. */
static void judge(const struct eds_gap_list *list, struct eds_operator_keys *operators, char *fault,
                  size_t fault_size)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct eds_enrolled_key *keys;
        size_t count = eds_operator_keys_find(operators, list->gaps[i].operator_name, &keys);
        enum eds_gap_standing standing = eds_gap_judge(&list->gaps[i], keys, count);

        if (standing == EDS_GAP_SIGNED)
            continue;
        snprintf(fault, fault_size, "gap record %zu is signed by %s", i,
                 standing == EDS_GAP_UNTIMELY ? "a key of its operator that was not valid then"
                                              : "no key of its operator");
        return;
    }
}

static int32_t read_list(struct eds_gap_list *list, const char *path, struct eds_error *err)
{
    char *text = NULL;
    size_t size = 0;
    int32_t rc = eds_file_read(path, EDS_GAP_FILE_SIZE_MAX, &text, &size, err);

    if (rc == EDS_OK)
        rc = eds_gap_list_read(list, text, size, err);
    free(text);
    return rc;
}

int32_t eds_chain_gaps_take(struct eds_gap_list *list, const struct eds_args *args, char *fault,
                            size_t fault_size, struct eds_error *err)
{
    struct eds_operator_keys *operators = calloc(1, sizeof *operators);
    struct eds_ledger *ledger = NULL;
    int32_t rc = read_list(list, eds_args_text(args, "gaps-file"), err);

    if (rc == EDS_OK && operators == NULL)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    if (rc == EDS_OK && wants_registry(args))
        rc = eds_store_open(&ledger, args, true, err);
    if (rc == EDS_OK)
        rc = eds_operator_keys_take(operators, args, ledger, err);
    if (rc == EDS_OK) {
        judge(list, operators, fault, fault_size);
        rc = operators->failure.code;
        if (rc != EDS_OK)
            *err = operators->failure;
    }
    if (operators != NULL)
        eds_operator_keys_free(operators);
    free(operators);
    if (ledger != NULL)
        ledger->ops->close(ledger);
    return rc;
}
