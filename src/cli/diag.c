/* diag.c - eds diag: what somebody who helps has to know, and no secret. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/config_show.h"
#include "cli/diag_server.h"
#include "cli/objects_arg.h"
#include "cli/store_arg.h"
#include "cli/url_secret.h"
#include "cli/version.h"

#define SHOWN_SIZE 4096u /* bytes of a URL */

struct diagnosis {
    const struct eds_args *args;
    struct eds_config config;
    bool failed; /* a part of it could not be had */
};

static void say_failure(struct diagnosis *diagnosis, const struct eds_error *err)
{
    printf("error = %s\n", err->text);
    diagnosis->failed = true;
}

static void print_program(void)
{
    puts("[program]");
    fputs("eds = ", stdout);
    eds_version_print(true);
}

static void print_system(void)
{
    struct timex clock = {.modes = 0};
    struct utsname name;
    struct rlimit files;
    char now[40];
    time_t seconds = time(NULL);
    struct tm utc;

    puts("\n[system]");
    if (uname(&name) == 0)
        printf("kernel = %s %s %s\n", name.sysname, name.release, name.machine);
    printf("processors = %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
    printf("memory-bytes = %llu\n",
           (unsigned long long)sysconf(_SC_PHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        printf("open-files-limit = %llu\n", (unsigned long long)files.rlim_cur);
    if (gmtime_r(&seconds, &utc) != NULL && strftime(now, sizeof now, "%FT%TZ", &utc) > 0)
        printf("time = %s\n", now);
    printf("clock-synchronized = %s\n",
           adjtimex(&clock) != TIME_ERROR && (clock.status & STA_UNSYNC) == 0 ? "yes" : "no");
    printf("user = %lu\n", (unsigned long)geteuid());
}

/* What is set, and never what to. */
static void print_environment(void)
{
    puts("\n[environment]");
    for (char **entry = environ; *entry != NULL; entry++)
        if (strncmp(*entry, "EDS_", 4) == 0 || strncmp(*entry, "AWS_", 4) == 0 ||
            strncmp(*entry, "PG", 2) == 0)
            printf("%.*s = ***\n", (int)strcspn(*entry, "="), *entry);
}

static void print_configuration(struct diagnosis *diagnosis)
{
    struct eds_error err;

    puts("\n[configuration]");
    if (eds_config_load(&diagnosis->config, eds_args_text(diagnosis->args, "config"), &err) !=
        EDS_OK) {
        say_failure(diagnosis, &err);
        return;
    }
    for (size_t i = 0; i < diagnosis->config.file_count; i++)
        printf("file = %s\n", diagnosis->config.files[i]);
    putchar('\n');
    eds_config_show(&diagnosis->config, NULL);
}

/* What the file says of an option, for the first server that has it. */
struct lookup {
    const struct eds_config *config;
    const char *name;
    const char *value;
};

static bool look_up(void *context, const struct eds_command *command)
{
    struct lookup *lookup = context;

    for (const struct eds_option *option = command->options; option->name != NULL; option++)
        if (strcmp(option->name, lookup->name) == 0 &&
            eds_config_count(lookup->config, command->name, option) > 0)
            lookup->value = eds_config_at(lookup->config, command->name, option, 0)->value;
    return lookup->value == NULL;
}

/* An option's value: given, or the file's; NULL: neither. */
static const char *value_of(const struct diagnosis *diagnosis, const char *name)
{
    struct lookup lookup = {.config = &diagnosis->config, .name = name};

    if (eds_args_given(diagnosis->args, name) || eds_args_text(diagnosis->args, name) != NULL)
        return eds_args_text(diagnosis->args, name);
    eds_config_walk(look_up, &lookup);
    return lookup.value;
}

static double milliseconds_since(const struct timespec *begun)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begun->tv_sec) * 1e3 +
           (double)(now.tv_nsec - begun->tv_nsec) / 1e6;
}

static void print_disk(const char *path)
{
    struct statvfs disk;
    struct stat file;

    if (stat(path, &file) == 0)
        printf("file-bytes = %lld\n", (long long)file.st_size);
    if (statvfs(path, &disk) == 0)
        printf("disk-free-bytes = %llu\n",
               (unsigned long long)disk.f_bavail * (unsigned long long)disk.f_frsize);
}

static void print_ledger(struct diagnosis *diagnosis)
{
    const char *store = value_of(diagnosis, "store");
    const char *data_dir = value_of(diagnosis, "data-dir");
    char url[SHOWN_SIZE], shown[SHOWN_SIZE];
    struct eds_ledger *ledger;
    struct timespec begun;
    struct eds_error err;

    if (store == NULL || eds_args_given(diagnosis->args, "data-dir")) {
        snprintf(url, sizeof url, "sqlite:%s/edgesentry.db",
                 data_dir != NULL ? data_dir : "./edgesentry-data");
        store = url;
    }
    printf("\n[ledger]\nurl = %s\n", eds_url_shown(shown, sizeof shown, store));
    clock_gettime(CLOCK_MONOTONIC, &begun);
    if (eds_store_open_url(&ledger, store, true, &err) != EDS_OK) {
        say_failure(diagnosis, &err);
        return;
    }
    printf("kind = %s\nschema-version = %lu\nopened-in-ms = %.1f\n", ledger->ops->name,
           (unsigned long)ledger->schema_version, milliseconds_since(&begun));
    ledger->ops->close(ledger);
    if (strncmp(store, "sqlite:", strlen("sqlite:")) == 0)
        print_disk(store + strlen("sqlite:"));
}

/* Asks for a payload that nobody has: a store that answers, answers "not found". */
static void print_objects(struct diagnosis *diagnosis)
{
    const struct eds_object_name name = {.object_ref = "none"}; /* of the hash 00...0 */
    const char *url = value_of(diagnosis, "objects");
    char shown[SHOWN_SIZE];
    struct eds_objects *objects;
    struct timespec begun;
    struct eds_error err;
    size_t size;
    void *got = NULL;
    int32_t rc;

    if (url == NULL)
        return;
    printf("\n[objects]\nurl = %s\n", eds_url_shown(shown, sizeof shown, url));
    clock_gettime(CLOCK_MONOTONIC, &begun);
    rc = eds_objects_open(&objects, url, true, &err);
    if (rc == EDS_OK) {
        rc = objects->ops->get(objects, &name, &got, &size, &err);
        free(got);
        printf("kind = %s\nanswered-in-ms = %.1f\n", objects->ops->name,
               milliseconds_since(&begun));
        objects->ops->close(objects);
        rc = rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
    }
    if (rc != EDS_OK)
        say_failure(diagnosis, &err);
}

static int run(const struct eds_args *args)
{
    struct diagnosis diagnosis = {.args = args};
    const char *address;

    if (eds_args_given(args, "store") && eds_args_given(args, "data-dir"))
        return eds_args_usage(args, "--store and --data-dir exclude each other");
    print_program();
    print_system();
    print_environment();
    print_configuration(&diagnosis);
    print_ledger(&diagnosis);
    print_objects(&diagnosis);
    address = value_of(&diagnosis, "admin-addr");
    eds_diag_server_print(address != NULL ? address : "127.0.0.1:9464");
    eds_config_free(&diagnosis.config);
    return diagnosis.failed ? EDS_EXIT_FAILED : EDS_EXIT_OK;
}

static const struct eds_option options[] = {
    EDS_OPTION_CONFIG,
    {.name = "data-dir", .value = "DIR", .help = "Directory of the SQLite ledger"},
    EDS_OPTION_STORE,
    EDS_OPTION_OBJECTS,
    {.name = "admin-addr",
     .value = "ADDR",
     .help = "The running server's own listener, to be asked how it is"},
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Something to send to whoever helps", "eds diag > diag.txt"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "printed, and the configuration, the ledger and the payloads can be read"},
    {EDS_EXIT_FAILED, "printed, and a line \"error = ...\" says what cannot"},
    {0, NULL},
};

const struct eds_command eds_command_diag = {
    .name = "diag",
    .summary = "Print what somebody who helps has to know, and no secret",
    .description =
        "Versions, the system, the configuration as the servers see it, whether ledger and "
        "payloads can be read and how fast they answer, and what the running server says of "
        "itself (/readyz and /metrics). Passwords in URLs are not shown, of environment variables "
        "only the names. What is not given is taken from the configuration file. Nothing is "
        "changed.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
