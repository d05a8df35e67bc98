/* clock_shim.c - preloaded by test_agent_clock.py: the Unix time is what the system says
 * and as many milliseconds more as the file CLOCK_SHIM says, which the test changes while
 * the program runs; and the system says of its clock what the file says.  The monotonic
 * clocks are left alone. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct shim {
    volatile int64_t offset_ms;
    volatile int64_t is_synchronized;
};

static const struct shim *shim;

__attribute__((constructor)) static void map_file(void)
{
    const char *path = getenv("CLOCK_SHIM");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd >= 0 ? mmap(NULL, sizeof *shim, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (at == MAP_FAILED)
        abort();
    close(fd);
    shim = at;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    long rc = syscall(SYS_clock_gettime, id, out);

    if (rc == 0 && shim != NULL && /* other libraries may begin before this one */
        (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ms = (int64_t)out->tv_sec * 1000 + out->tv_nsec / 1000000 + shim->offset_ms;

        out->tv_sec = (time_t)(ms / 1000);
        out->tv_nsec = (long)(ms % 1000) * 1000000;
    }
    return (int)rc;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int adjtimex(struct timex *out)
{
    bool is_synchronized = shim != NULL && shim->is_synchronized != 0;

    *out = (struct timex){.status = is_synchronized ? 0 : STA_UNSYNC};
    return is_synchronized ? TIME_OK : TIME_ERROR;
}
