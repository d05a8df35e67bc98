/* command_question.h - a device's question for a command on its way: to a desk that
 * signs (command_desk.h), or to one that passes it on (a gateway's). */
#ifndef EDS_INGEST_COMMAND_QUESTION_H
#define EDS_INGEST_COMMAND_QUESTION_H

#include <pthread.h>

#include "edgesentry/command.h"

#define EDS_QUESTIONS_MAX 1024u /* waiting at a time */

/* A question on its way: the caller's, unmoved until done was called. */
struct eds_command_question {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint8_t nonce[EDS_NONCE_SIZE];
    void (*done)(struct eds_command_question *); /* on the desk's thread, or the caller's */
    void *context;                               /* the caller's */

    /* The answer: EDS_OK and the order; EDS_ERR_NOT_FOUND: there is none;
     * EDS_ERR_BUSY: too many questions; EDS_ERR_UNSUPPORTED: nobody gives commands here;
     * else why it can't be known now. */
    int32_t rc;
    struct eds_error err;
    struct eds_signed_order signed_order;

    struct eds_command_question *next; /* the desk's */
};

/* A desk embeds this as its first member. */
struct eds_command_desk {
    /* Takes a question.  done is called exactly once, with no lock held; before this
     * returns if there are too many. */
    void (*ask)(struct eds_command_desk *desk, struct eds_command_question *question);
    /* Who keeps a question that had no answer asks it again after so long, no sooner. */
    unsigned ask_again_ms;
};

/* Questions that wait, in the order in which they came. */
struct eds_question_queue {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct eds_command_question *first, **end;
    size_t count;
    bool ended;
};

void eds_question_queue_init(struct eds_question_queue *queue);
void eds_question_queue_destroy(struct eds_question_queue *queue);

/* eds_question_queue_put adds one; one too many is answered EDS_ERR_BUSY at once. */
void eds_question_queue_put(struct eds_question_queue *queue,
                            struct eds_command_question *question);

/* eds_question_queue_take waits for the next one; NULL after the last one, once
 * eds_question_queue_end was called. */
struct eds_command_question *eds_question_queue_take(struct eds_question_queue *queue);
void eds_question_queue_end(struct eds_question_queue *queue);

#endif
