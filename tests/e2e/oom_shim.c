/* oom_shim.c - preloaded by test_cli_oom.py: from main on, the allocation with
 * the number OOM_AT fails (OOM_FOREVER set: all from there on).  OOM_COUNT names
 * a file that gets the number of allocations at exit. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

typedef int main_function(int, char **, char **);
typedef int start_function(main_function *, int, char **, void (*)(void), void (*)(void),
                           void (*)(void), void *);

static atomic_long count;
static atomic_bool armed;
static long fail_at;
static bool forever;
static main_function *real_main;

static bool must_fail(void)
{
    long number;

    if (!armed)
        return false;
    number = atomic_fetch_add(&count, 1) + 1;
    if (fail_at == 0 || (number != fail_at && !(forever && number > fail_at)))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return must_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    return must_fail() ? NULL : __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    return must_fail() ? NULL : __libc_realloc(old, size);
}

/* Libraries that allocate before main are not what is tested here. */
static int counted_main(int argc, char **argv, char **environment)
{
    const char *at = getenv("OOM_AT");
    const char *path = getenv("OOM_COUNT");
    int code;

    fail_at = at != NULL ? atol(at) : 0;
    forever = getenv("OOM_FOREVER") != NULL;
    armed = true;
    code = real_main(argc, argv, environment);
    armed = false;
    if (path != NULL) {
        char text[32];
        int size = snprintf(text, sizeof text, "%ld\n", (long)count);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        if (fd < 0 || write(fd, text, (size_t)size) != size)
            abort();
        close(fd);
    }
    return code;
}

int __libc_start_main(main_function *main_of_program, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(main_function *main_of_program, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    start_function *start;

    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = main_of_program;
    return start(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
