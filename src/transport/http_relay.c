/* http_relay.c - see http_relay.h. */
#include "transport/http_relay.h"

#include <pthread.h>
#include <stdlib.h>

#define LANES        4u     /* a server that is slow for one device holds up few others */
#define ASK_AGAIN_MS 30000u /* so that a site of many devices does not ask all the time */

struct lane {
    struct eds_http_relay *relay;
    struct eds_http_asker *asker;
    pthread_t thread;
};

struct eds_http_relay {
    struct eds_command_desk desk; /* first */
    struct lane lanes[LANES];
    size_t lane_count; /* that run */
    struct eds_question_queue queue;
};

static void *run_lane(void *context)
{
    struct lane *lane = context;
    struct eds_command_question *question;

    while ((question = eds_question_queue_take(&lane->relay->queue)) != NULL) {
        question->rc = eds_http_asker_ask(lane->asker, question->device_id, question->nonce,
                                          &question->signed_order, &question->err);
        question->done(question);
    }
    return NULL;
}

static void ask(struct eds_command_desk *desk, struct eds_command_question *question)
{
    eds_question_queue_put(&((struct eds_http_relay *)desk)->queue, question);
}

int32_t eds_http_relay_open(struct eds_http_relay **out, const struct eds_http_asker_config *config,
                            struct eds_error *err)
{
    struct eds_http_relay *relay = calloc(1, sizeof *relay);
    int32_t rc = EDS_OK;

    if (relay == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for commands");
    relay->desk = (struct eds_command_desk){.ask = ask, .ask_again_ms = ASK_AGAIN_MS};
    eds_question_queue_init(&relay->queue);
    while (rc == EDS_OK && relay->lane_count < LANES) {
        struct lane *lane = &relay->lanes[relay->lane_count];

        lane->relay = relay;
        rc = eds_http_asker_open(&lane->asker, config, err);
        if (rc == EDS_OK && pthread_create(&lane->thread, NULL, run_lane, lane) != 0) {
            eds_http_asker_close(lane->asker);
            rc = eds_error_set(err, EDS_ERR_IO, "no thread for commands");
        }
        relay->lane_count += rc == EDS_OK ? 1 : 0;
    }
    if (rc != EDS_OK)
        eds_http_relay_close(relay);
    else
        *out = relay;
    return rc;
}

struct eds_command_desk *eds_http_relay_of(struct eds_http_relay *relay)
{
    return &relay->desk;
}

void eds_http_relay_close(struct eds_http_relay *relay)
{
    if (relay == NULL)
        return;
    eds_question_queue_end(&relay->queue);
    for (size_t i = 0; i < relay->lane_count; i++) {
        pthread_join(relay->lanes[i].thread, NULL);
        eds_http_asker_close(relay->lanes[i].asker);
    }
    eds_question_queue_destroy(&relay->queue);
    free(relay);
}
