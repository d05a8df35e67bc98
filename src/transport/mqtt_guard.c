/* mqtt_guard.c - see mqtt_guard.h. */
#include "transport/mqtt_guard.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>

/* Of the one thread that reads.  POSIX lets a handler of SIGABRT leave by a jump;
 * the assertion that failed holds no lock of libmosquitto or libc then. */
static _Thread_local sigjmp_buf way_out;
static _Thread_local volatile sig_atomic_t is_guarded, is_reading;

/* Several clients of one process may want it at once. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned holder_count;
static struct sigaction before;

static void aborted(int number)
{
    (void)number;
    if (is_guarded) {
        is_guarded = is_reading = 0;
        siglongjmp(way_out, 1);
    }
    signal(SIGABRT, SIG_DFL); /* and abort goes on */
}

void mqtt_guard_begin(void)
{
    /* The mask is not restored by the jump, so it must not be changed. */
    struct sigaction action = {.sa_handler = aborted, .sa_flags = SA_NODEFER};

    pthread_mutex_lock(&mutex);
    if (holder_count++ == 0)
        sigaction(SIGABRT, &action, &before);
    pthread_mutex_unlock(&mutex);
}

void mqtt_guard_end(void)
{
    pthread_mutex_lock(&mutex);
    if (--holder_count == 0)
        sigaction(SIGABRT, &before, NULL);
    pthread_mutex_unlock(&mutex);
}

int mqtt_guard_read(struct mosquitto *mosquitto)
{
    int rc;

    if (sigsetjmp(way_out, 0) != 0)
        return MQTT_GUARD_ABORTED;
    is_guarded = is_reading = 1;
    rc = mosquitto_loop_read(mosquitto, 1);
    is_guarded = is_reading = 0;
    return rc;
}

void mqtt_guard_suspend(void)
{
    is_guarded = 0;
}

void mqtt_guard_resume(void)
{
    is_guarded = is_reading;
}
