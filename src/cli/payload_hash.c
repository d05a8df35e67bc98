/* payload_hash.c - see payload_hash.h. */
#include "cli/payload_hash.h"

#include "cli/file.h"
#include "evidence/crew.h"
#include "evidence/long_hash.h"

int32_t eds_payload_hash(uint8_t out[EDS_HASH_SIZE], const struct eds_args *args,
                         struct eds_error *err)
{
    const char *path = eds_args_text(args, "payload-file");
    uint64_t thread_count = eds_args_u64(args, "hash-threads");
    uint64_t size;
    int fd = -1;
    int32_t rc = eds_file_open(&fd, path, err);

    if (rc == EDS_OK)
        rc = eds_long_hash_file(out, &size, fd, path,
                                thread_count < EDS_CREW_THREADS_MAX ? (unsigned)thread_count
                                                                    : EDS_CREW_THREADS_MAX,
                                err);
    eds_file_close(fd);
    return rc;
}
