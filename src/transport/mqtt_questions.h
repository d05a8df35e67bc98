/* mqtt_questions.h - devices' questions for commands at a server that listens to a broker.
 *
 * A question goes to the desk (ingest/command_question.h).  If there is a command, that is
 * the answer, and the question is over; if there is none, the device is told so, and the
 * question stays: the desk is asked again every now and then.  So an order is on its way to
 * its device soon after an operator has given it, and is still signed for a nonce that the
 * device chose.  Bounded: in number, of which the oldest makes way, and in time.
 *
 * The subscriber's thread owns all; the desk's gives questions back. */
#ifndef EDS_TRANSPORT_MQTT_QUESTIONS_H
#define EDS_TRANSPORT_MQTT_QUESTIONS_H

#include <pthread.h>

#include "codec/json_question.h"
#include "ingest/command_question.h"

struct mqtt_question;

struct mqtt_questions {
    struct eds_command_desk *desk; /* NULL: there are no commands here */
    int wake_fd;                   /* an eventfd; written to when the desk gives one back */
    struct mqtt_question *first, *last;
    size_t count;
    uint64_t walked_ms;
    pthread_mutex_t lock;           /* for the two below */
    struct mqtt_question *answered; /* by the desk, not yet looked at */
    size_t asked_count;             /* that the desk has */
    pthread_cond_t moved;
};

void mqtt_questions_init(struct mqtt_questions *questions, struct eds_command_desk *desk,
                         int wake_fd);

/* mqtt_questions_free waits for what the desk has. */
void mqtt_questions_free(struct mqtt_questions *questions);

/* mqtt_questions_take takes a question that came on a topic; the same device's older one on
 * that topic is over.  EDS_OK; EDS_ERR_NO_MEMORY; EDS_ERR_TOO_LARGE for a topic that no
 * answer can go to. */
int32_t mqtt_questions_take(struct mqtt_questions *questions, const char *topic,
                            const struct eds_question *question);

/* mqtt_questions_serve sends what there is to say by publish, and asks the desk again where
 * it is time.  To be called often. */
void mqtt_questions_serve(struct mqtt_questions *questions, uint64_t now_ms,
                          void (*publish)(void *context, const char *topic, const char *text,
                                          size_t size),
                          void *context);

#endif
