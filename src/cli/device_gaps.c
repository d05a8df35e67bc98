/* device_gaps.c - eds audit device gaps: which gaps are closed. */
#include <stdio.h>

#include "cli/device.h"
#include "cli/gap_out.h"
#include "cli/say.h"
#include "cli/store_arg.h"
#include "store/gaps.h"

static const struct eds_option options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "Only those of this device"},
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"All of them, one a line", "eds audit device gaps"},
    {"Those of one device", "eds audit device gaps lift-07"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "all are listed, if there are any"},
    {EDS_EXIT_FAILED, "the ledger could not be read"},
    {0, NULL},
};

static int32_t read_gaps(struct eds_gap_list *list, struct eds_ledger *ledger,
                         const char *device_id, struct eds_error *err)
{
    struct eds_gap_place place = {.id = 0};
    struct eds_gap gap;
    int32_t rc = EDS_OK;

    while (rc == EDS_OK) {
        rc = ledger->gaps->next(ledger, device_id, &place, &gap, err);
        if (rc == EDS_OK)
            rc = eds_gap_list_add(list, &gap, err);
    }
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

static int run(const struct eds_args *args)
{
    struct eds_gap_list list = {.gaps = NULL};
    struct eds_ledger *ledger = NULL;
    struct eds_json_out json;
    struct eds_error err;
    int code = EDS_EXIT_OK;
    int32_t rc = eds_store_open(&ledger, args, true, &err);

    if (rc == EDS_OK) {
        rc = read_gaps(&list, ledger, eds_args_text(args, "device-id"), &err);
        ledger->ops->close(ledger);
    }
    if (rc != EDS_OK) {
        code = eds_say_error(args, "", &err);
    } else if (eds_args_flag(args, "json")) {
        eds_out_begin(&json);
        eds_gaps_json(&json, &list);
        eds_out_end(&json);
    } else {
        eds_gaps_print(&list);
        if (list.count == 0)
            eds_say_note("no gap is closed");
    }
    eds_gap_list_free(&list);
    return code;
}

const struct eds_command eds_device_gaps = {
    .name = "gaps",
    .summary = "List the gaps that operators have closed",
    .description = "One a line, device by device, in the order in which they were closed. Whether "
                   "they are rightly signed is for 'ledger verify' to say.",
    .options = options,
    .positional = "device-id",
    .examples = examples,
    .exits = exits,
    .run = run,
};
