/* long_hash.c - see long_hash.h.
 *
 * A crew hashes subtrees, and the caller's thread, which does so too, appends them.
 * At least one byte is left for the end, which is not a subtree but the tree's rim. */
#include "evidence/long_hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence/crew.h"

#define SUBTREE EDS_BLAKE3_SUBTREE_SIZE

/* Where the bytes come from: memory, or a regular file. */
struct source {
    const uint8_t *data; /* NULL: the file */
    int fd;
    uint64_t start; /* of the message in the file */
    const char *name;
};

struct piece {
    uint64_t index; /* of the subtree */
    struct eds_blake3_subtree subtree;
    int32_t rc;
    struct eds_error err;
};

/* Reads up to size bytes; fewer only at the end of what there is, or on an error. */
static int32_t read_at(const struct source *source, uint8_t *buf, size_t size, uint64_t at,
                       struct eds_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got =
            pread(source->fd, buf + done, size - done, (off_t)(source->start + at + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return eds_error_set(err, EDS_ERR_IO, "%s (os error %d): %s", strerror(errno), errno,
                                 source->name);
        if (got == 0)
            return eds_error_set(err, EDS_ERR_IO, "%s became shorter while it was read",
                                 source->name);
        done += (size_t)got;
    }
    return EDS_OK;
}

static void *create_desk(void *context)
{
    return ((const struct source *)context)->data != NULL ? context : malloc(SUBTREE);
}

static void free_desk(void *desk)
{
    free(desk);
}

static void leave_desk(void *desk)
{
    (void)desk;
}

static void hash_piece(void *context, void *desk, void *it)
{
    const struct source *source = context;
    struct piece *piece = it;
    const uint8_t *from = desk;

    piece->rc = EDS_OK;
    if (source->data != NULL)
        from = source->data + piece->index * SUBTREE;
    else
        piece->rc = read_at(source, desk, SUBTREE, piece->index * SUBTREE, &piece->err);
    if (piece->rc == EDS_OK)
        eds_blake3_subtree(&piece->subtree, from, piece->index * EDS_BLAKE3_SUBTREE_CHUNKS);
}

/* Takes the oldest subtree back and appends it. */
static int32_t take_back(struct eds_crew *crew, struct eds_blake3 *state, struct eds_error *err)
{
    const struct piece *piece = eds_crew_take(crew);

    if (piece->rc == EDS_OK)
        eds_blake3_append(state, &piece->subtree);
    else if (err != NULL)
        *err = piece->err;
    return piece->rc;
}

static int32_t hash_subtrees(struct eds_crew *crew, uint64_t count, struct eds_blake3 *state,
                             struct eds_error *err)
{
    uint64_t asked = 0, appended = 0;
    int32_t rc = EDS_OK;

    while (rc == EDS_OK && appended < count) {
        struct piece *piece = asked < count ? eds_crew_next(crew) : NULL;

        if (piece != NULL) {
            piece->index = asked++;
            eds_crew_add(crew);
        } else {
            rc = take_back(crew, state, err);
            appended++;
        }
    }
    return rc;
}

static struct eds_crew *start_crew(struct source *source, unsigned thread_count)
{
    const struct eds_crew_plan plan = {
        .thread_count = thread_count,
        .piece_size = sizeof(struct piece),
        .desk_create = create_desk,
        .desk_destroy = source->data != NULL ? leave_desk : free_desk,
        .work = hash_piece,
        .context = source,
    };

    return eds_crew_start(&plan);
}

void eds_long_hash(uint8_t out[EDS_HASH_SIZE], const void *data, size_t size, unsigned thread_count)
{
    struct source source = {.data = data};
    uint64_t count = size > 0 ? (size - 1) / SUBTREE : 0;
    struct eds_blake3 state;
    struct eds_crew *crew =
        size >= EDS_LONG_HASH_MIN && thread_count != 1 ? start_crew(&source, thread_count) : NULL;

    if (crew == NULL) {
        eds_blake3(out, data, size);
        return;
    }
    eds_blake3_init(&state);
    (void)hash_subtrees(crew, count, &state, NULL); /* memory does not fail */
    eds_crew_end(crew);
    eds_blake3_update(&state, source.data + count * SUBTREE, size - (size_t)count * SUBTREE);
    eds_blake3_final(&state, out);
}

/* The rest of a regular file behind the subtrees: at most one of them. */
static int32_t hash_end(const struct source *source, uint64_t at, uint64_t size,
                        struct eds_blake3 *state, struct eds_error *err)
{
    uint8_t *buf = malloc(SUBTREE);
    int32_t rc = EDS_ERR_NO_MEMORY;

    if (buf == NULL)
        return eds_error_set(err, rc, "no memory to read %s", source->name);
    rc = read_at(source, buf, (size_t)(size - at), at, err);
    if (rc == EDS_OK)
        eds_blake3_update(state, buf, (size_t)(size - at));
    free(buf);
    return rc;
}

static int32_t hash_regular(uint8_t out[EDS_HASH_SIZE], struct source *source, uint64_t size,
                            unsigned thread_count, struct eds_error *err)
{
    uint64_t count = size > 0 ? (size - 1) / SUBTREE : 0;
    struct eds_crew *crew =
        start_crew(source, size >= EDS_LONG_HASH_MIN ? thread_count : 1 /* the caller's */);
    struct eds_blake3 state;
    int32_t rc;

    if (crew == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read %s", source->name);
    eds_blake3_init(&state);
    rc = hash_subtrees(crew, count, &state, err);
    eds_crew_end(crew);
    if (rc == EDS_OK)
        rc = hash_end(source, count * SUBTREE, size, &state, err);
    if (rc == EDS_OK)
        eds_blake3_final(&state, out);
    return rc;
}

/* What has no size: read once, by one thread. */
static int32_t hash_stream(uint8_t out[EDS_HASH_SIZE], uint64_t *size, const struct source *source,
                           struct eds_error *err)
{
    uint8_t *buf = malloc(SUBTREE);
    struct eds_blake3 state;
    ssize_t got = 1;

    if (buf == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read %s", source->name);
    eds_blake3_init(&state);
    *size = 0;
    while (got != 0) {
        got = read(source->fd, buf, SUBTREE);
        if (got < 0 && errno != EINTR)
            break;
        if (got > 0) {
            eds_blake3_update(&state, buf, (size_t)got);
            *size += (uint64_t)got;
        }
    }
    free(buf);
    if (got < 0)
        return eds_error_set(err, EDS_ERR_IO, "%s (os error %d): %s", strerror(errno), errno,
                             source->name);
    eds_blake3_final(&state, out);
    return EDS_OK;
}

int32_t eds_long_hash_file(uint8_t out[EDS_HASH_SIZE], uint64_t *size, int fd, const char *name,
                           unsigned thread_count, struct eds_error *err)
{
    struct source source = {.fd = fd, .name = name};
    off_t start = lseek(fd, 0, SEEK_CUR);
    struct stat status;

    if (start < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return hash_stream(out, size, &source, err);
    source.start = (uint64_t)start;
    *size = status.st_size > start ? (uint64_t)(status.st_size - start) : 0;
    if (*size == 0) /* of /proc and such: it may hold something all the same */
        return hash_stream(out, size, &source, err);
    return hash_regular(out, &source, *size, thread_count, err);
}
