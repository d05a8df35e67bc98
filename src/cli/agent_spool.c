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
#include "cli/agent_class.h"
#include "cli/agent_job.h"
#include "cli/file.h"

#define LOOK_AGAIN_MS 2000  /* after a file that could not be recorded */
#define NAMES_MAX     4096u /* taken in one go */
#define NAME_SIZE     272u  /* bytes, class and NUL included */
#define PATH_SIZE     4096u
#define EVENTS        (IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR)

/* A file that waits in the spool. */
struct waiting {
    char name[NAME_SIZE]; /* "reading.txt" or "alarm/reading.txt" */
    enum eds_priority priority;
    struct timespec changed;
};

/* All of them. */
struct listing {
    struct waiting *files;
    size_t count;
};

static int by_urgency_and_age(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->changed.tv_sec != y->changed.tv_sec)
        return x->changed.tv_sec < y->changed.tv_sec ? -1 : 1;
    if (x->changed.tv_nsec != y->changed.tv_nsec)
        return x->changed.tv_nsec < y->changed.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Adds the files of a directory; those with a dot in front are still being written. */
static int32_t add_files(struct listing *listing, const char *directory, const char *prefix,
                         enum eds_priority priority, struct eds_error *err)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    if (dir == NULL)
        return eds_os_error(err, errno, directory);
    while (listing->count < NAMES_MAX && (entry = readdir(dir)) != NULL) {
        struct waiting *file = &listing->files[listing->count];
        struct stat status;

        if (entry->d_name[0] == '.' ||
            (size_t)snprintf(file->name, sizeof file->name, "%s%s", prefix, entry->d_name) >=
                sizeof file->name ||
            fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode))
            continue;
        file->priority = priority;
        file->changed = status.st_mtim;
        listing->count++;
    }
    closedir(dir);
    return EDS_OK;
}

/* The files that are there, the most urgent first, and of those the oldest. */
static int32_t list(const struct eds_agent_job *job, const char *directory, struct listing *out,
                    struct eds_error *err)
{
    char path[PATH_SIZE], prefix[16];
    int32_t rc;

    *out = (struct listing){.files = calloc(NAMES_MAX, sizeof *out->files)};
    if (out->files == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the spool");
    rc = EDS_OK;
    for (int i = EDS_PRIORITY_COUNT - 1; i >= 0 && rc == EDS_OK; i--) {
        snprintf(path, sizeof path, "%s/%s", directory, eds_agent_classes[i]);
        snprintf(prefix, sizeof prefix, "%s/", eds_agent_classes[i]);
        if (access(path, F_OK) == 0)
            rc = add_files(out, path, prefix, (enum eds_priority)i, err);
    }
    if (rc == EDS_OK)
        rc = add_files(out, directory, "", job->priority, err);
    if (rc != EDS_OK) {
        free(out->files);
        return EDS_ERR_IO;
    }
    qsort(out->files, out->count, sizeof *out->files, by_urgency_and_age);
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
static int32_t remove_file(const char *path, struct eds_error *err)
{
    char parent[PATH_SIZE];

    snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
    if (unlink(path) != 0 || eds_place_sync(parent) != 0)
        return eds_os_error(err, errno, path);
    return EDS_OK;
}

static int32_t take_file(struct eds_agent_job *job, const char *directory,
                         const struct waiting *file, bool may_be_recorded, struct eds_error *err)
{
    char path[PATH_SIZE], reference[EDS_OBJECT_REF_SIZE];
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
            rc =
                eds_agent_job_record(job, payload, size, reference, file->priority, &sequence, err);
        if (rc == EDS_OK) {
            printf("RECORDED: sequence=%llu file=%s\n", (unsigned long long)sequence, file->name);
            fflush(stdout);
        }
    }
    if (rc == EDS_OK)
        rc = remove_file(path, err);
    pthread_mutex_unlock(&job->gate);
    free(payload);
    return rc;
}

/* Takes all files that are there; what can't be recorded now stays.  True if
 * all could be. */
static bool take_all(struct eds_agent_job *job, const char *directory, bool may_be_recorded)
{
    struct listing listing;
    struct eds_error err;
    bool all = true;

    if (list(job, directory, &listing, &err) != EDS_OK) {
        eds_agent_job_trouble(job, "%s", err.text);
        return false;
    }
    for (size_t i = 0; i < listing.count; i++) {
        const struct waiting *file = &listing.files[i];

        if (eds_agent_job_pause(job, 0))
            break;
        if (take_file(job, directory, file, may_be_recorded, &err) == EDS_OK)
            continue;
        eds_agent_job_trouble(job, "%s: %s; it stays in the spool", file->name, err.text);
        all = false;
        if (err.code == EDS_ERR_BUSY || err.code == EDS_ERR_IO)
            break; /* the others would fare the same, and order is kept */
    }
    free(listing.files);
    if (all)
        (void)eds_repeat_end(&job->trouble);
    return all && listing.count < NAMES_MAX;
}

/* Sub-directories of classes may come later. */
static void watch_classes(int watch, const char *directory)
{
    char path[PATH_SIZE];

    for (int i = 0; i < EDS_PRIORITY_COUNT; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, eds_agent_classes[i]);
        (void)inotify_add_watch(watch, path, EVENTS); /* one that is not there has no files */
    }
}

int32_t eds_agent_spool(struct eds_agent_job *job, const char *directory, struct eds_error *err)
{
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    bool all, check = true;

    if (watch < 0 || inotify_add_watch(watch, directory, EVENTS) < 0) {
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
        watch_classes(watch, directory);
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
