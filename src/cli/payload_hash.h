/* payload_hash.h - the hash of a payload that is in a file. */
#ifndef EDS_CLI_PAYLOAD_HASH_H
#define EDS_CLI_PAYLOAD_HASH_H

#include "cli/args.h"
#include "edgesentry/blake3.h"

#define EDS_OPTION_HASH_THREADS                                                                    \
    {                                                                                              \
        .name = "hash-threads", .value = "N",                                                      \
        .help = "Hash a payload file of 4 MiB or more with so many threads, 0 for one per core",   \
        .fallback = "1", .check = eds_check_u64                                                    \
    }

/* eds_payload_hash hashes the file of --payload-file ("-": standard input), however
 * large, in constant memory.  EDS_ERR_IO, EDS_ERR_NO_MEMORY. */
int32_t eds_payload_hash(uint8_t out[EDS_HASH_SIZE], const struct eds_args *args,
                         struct eds_error *err);

#endif
