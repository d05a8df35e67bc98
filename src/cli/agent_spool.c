/* agent_spool.c - payloads as files: each file that is moved or written into a
 * directory becomes one record, and goes.
 *
 * A file is removed when its record is durable, and the record is sent when the
 * file is removed for good: so one that is still there at the start either has
 * no record yet, or one that still waits in the buffer, and can be told apart. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/place.h"
#include "cli/agent_job.h"
#include "cli/file.h"

#define LOOK_AGAIN_MS 2000  /* after a file that could not be recorded */
#define NAMES_MAX     4096u /* taken in one go */

/* A file that waits in the spool. */
struct waiting {
    char name[256];
    struct timespec changed;
};

static int by_age(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;

    if (x->changed.tv_sec != y->changed.tv_sec)
        return x->changed.tv_sec < y->changed.tv_sec ? -1 : 1;
    if (x->changed.tv_nsec != y->changed.tv_nsec)
        return x->changed.tv_nsec < y->changed.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The files that are there, oldest first; those with a dot in front are still
 * being written. */
static int32_t list(const char *directory, struct waiting **out, size_t *count,
                    struct eds_error *err)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    *count = 0;
    *out = calloc(NAMES_MAX, sizeof **out);
    if (dir == NULL || *out == NULL) {
        int number = dir == NULL ? errno : ENOMEM;

        if (dir != NULL)
            closedir(dir);
        free(*out);
        eds_os_error(err, number, directory);
        return EDS_ERR_IO;
    }
    while (*count < NAMES_MAX && (entry = readdir(dir)) != NULL) {
        struct stat status;

        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(*out)->name ||
            fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode))
            continue;
        strcpy((*out)[*count].name, entry->d_name);
        (*out)[(*count)++].changed = status.st_mtim;
    }
    closedir(dir);
    qsort(*out, *count, sizeof **out, by_age);
    return EDS_OK;
}

/* What stands for this file, and for another of the same name at another time. */
static void reference_of(char out[EDS_OBJECT_REF_SIZE], const struct waiting *file)
{
    snprintf(out, EDS_OBJECT_REF_SIZE, "spool:%s@%lld.%09ld", file->name,
             (long long)file->changed.tv_sec, file->changed.tv_nsec);
}

static bool is_recorded(struct eds_agent_job *job, const char *reference)
{
    bool found = false;

    for (int dead = 0; dead < 2 && !found; dead++) {
        struct eds_buffer_item *item;
        uint64_t after = 0;

        while (!found &&
               eds_buffer_next(job->buffer, NULL, after, dead != 0, &item, NULL) == EDS_OK) {
            after = item->id;
            found = strcmp((const char *)item->entry.record.object_ref, reference) == 0;
            free(item);
        }
    }
    return found;
}

/* The file goes, for good. */
static int32_t remove_file(const char *directory, const char *path, struct eds_error *err)
{
    if (unlink(path) != 0 || eds_place_sync(directory) != 0)
        return eds_os_error(err, errno, path);
    return EDS_OK;
}

static int32_t take_file(struct eds_agent_job *job, const char *directory,
                         const struct waiting *file, bool may_be_recorded, struct eds_error *err)
{
    char path[4096], reference[EDS_OBJECT_REF_SIZE];
    char *payload = NULL;
    size_t size;
    uint64_t sequence;
    int32_t rc = EDS_OK;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, file->name) >= sizeof path)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "the path of %s is too long", file->name);
    reference_of(reference, file);
    pthread_mutex_lock(&job->gate);
    if (!may_be_recorded || !is_recorded(job, reference)) {
        rc = eds_file_read(path, EDS_AGENT_PAYLOAD_MAX, &payload, &size, err);
        if (rc == EDS_OK)
            rc = eds_agent_job_record(job, payload, size, reference, &sequence, err);
        if (rc == EDS_OK) {
            printf("RECORDED: sequence=%llu file=%s\n", (unsigned long long)sequence, file->name);
            fflush(stdout);
        }
    }
    if (rc == EDS_OK)
        rc = remove_file(directory, path, err);
    pthread_mutex_unlock(&job->gate);
    free(payload);
    return rc;
}

/* Takes all files that are there; what can't be recorded now stays.  True if
 * all could be. */
static bool take_all(struct eds_agent_job *job, const char *directory, bool may_be_recorded)
{
    struct waiting *files;
    struct eds_error err;
    size_t count;
    bool all = true;

    if (list(directory, &files, &count, &err) != EDS_OK) {
        eds_agent_job_trouble(job, "%s", err.text);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (eds_agent_job_pause(job, 0))
            break;
        if (take_file(job, directory, &files[i], may_be_recorded, &err) == EDS_OK)
            continue;
        eds_agent_job_trouble(job, "%s: %s; it stays in the spool", files[i].name, err.text);
        all = false;
        if (err.code == EDS_ERR_BUSY || err.code == EDS_ERR_IO)
            break; /* the others would fare the same, and order is kept */
    }
    free(files);
    if (all)
        (void)eds_repeat_end(&job->trouble);
    return all && count < NAMES_MAX;
}

int32_t eds_agent_spool(struct eds_agent_job *job, const char *directory, struct eds_error *err)
{
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    bool all, check = true;

    if (watch < 0 ||
        inotify_add_watch(watch, directory, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
        eds_os_error(err, errno, directory);
        if (watch >= 0)
            close(watch);
        return EDS_ERR_IO;
    }
    for (;;) {
        struct pollfd ready[2] = {{.fd = job->ending_fd, .events = POLLIN},
                                  {.fd = watch, .events = POLLIN}};
        char events[4096];

        while (read(watch, events, sizeof events) > 0) /* the directory itself tells more */
            continue;
        all = take_all(job, directory, check);
        check = !all; /* after a failure a file may be there although its record is, too */
        if (poll(ready, 2, all ? -1 : LOOK_AGAIN_MS) < 0 && errno != EINTR)
            break;
        if (ready[0].revents != 0)
            break;
    }
    close(watch);
    return EDS_OK;
}
