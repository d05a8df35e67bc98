/* chain_gaps.h - the gap records that a chain file comes with: --gaps-file, and by
 * whom they must be signed. */
#ifndef EDS_CLI_CHAIN_GAPS_H
#define EDS_CLI_CHAIN_GAPS_H

#include "cli/args.h"
#include "cli/gap_out.h"
#include "cli/operator_keys.h"

#define EDS_OPTION_GAPS_FILE                                                                       \
    {                                                                                              \
        .name = "gaps-file", .value = "GAPS_FILE",                                                 \
        .help = "Accept the gaps for which this file has signed records, as export writes it; "    \
                "needs --operator, --store or --data-dir"                                          \
    }

/* eds_chain_gaps_contradiction says what is wrong with the options, or NULL. */
const char *eds_chain_gaps_contradiction(const struct eds_args *args);

/* eds_chain_gaps_take reads the file and judges each gap by its operator's keys.
 *
 *   list   filled; free it in any case
 *   fault  left alone, or why one of them does not count
 *
 * EDS_OK, also with a fault; else an error of the file, a key or the ledger. */
int32_t eds_chain_gaps_take(struct eds_gap_list *list, const struct eds_args *args, char *fault,
                            size_t fault_size, struct eds_error *err);

#endif
