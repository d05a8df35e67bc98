/* mqtt_questions.c - see mqtt_questions.h. */
#include "transport/mqtt_questions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transport/mqtt_topic.h"

#define QUESTIONS_MAX EDS_QUESTIONS_MAX
#define STAY_MS       600000u /* a device that is there asks anew by then */
#define WALK_MS       500u

struct mqtt_question {
    struct eds_command_question asked;
    struct mqtt_questions *questions;
    struct mqtt_question *previous, *next; /* in all, the oldest first */
    struct mqtt_question *next_answered;
    char *topic;           /* of the answer */
    uint64_t ask_ms;       /* to be asked again then; 0: at once */
    uint64_t until_ms;     /* 0: not known yet */
    bool is_asked;         /* the desk has it */
    bool is_told, is_over; /* that there is none for now; nobody waits for it any more */
};

void mqtt_questions_init(struct mqtt_questions *questions, struct eds_command_desk *desk,
                         int wake_fd)
{
    *questions = (struct mqtt_questions){.desk = desk, .wake_fd = wake_fd};
    pthread_mutex_init(&questions->lock, NULL);
    pthread_cond_init(&questions->moved, NULL);
}

static void forget(struct mqtt_questions *questions, struct mqtt_question *question)
{
    *(question->previous != NULL ? &question->previous->next : &questions->first) = question->next;
    *(question->next != NULL ? &question->next->previous : &questions->last) = question->previous;
    questions->count--;
    free(question->topic);
    free(question);
}

void mqtt_questions_free(struct mqtt_questions *questions)
{
    pthread_mutex_lock(&questions->lock);
    while (questions->asked_count > 0)
        pthread_cond_wait(&questions->moved, &questions->lock);
    pthread_mutex_unlock(&questions->lock);
    while (questions->first != NULL)
        forget(questions, questions->first);
    pthread_cond_destroy(&questions->moved);
    pthread_mutex_destroy(&questions->lock);
}

/* Nobody waits for it any more; what the desk has it gives back first. */
static void end(struct mqtt_questions *questions, struct mqtt_question *question)
{
    question->is_over = true;
    if (!question->is_asked)
        forget(questions, question);
}

/* The oldest one that is not over makes way. */
static void make_room(struct mqtt_questions *questions)
{
    struct mqtt_question *oldest = questions->first;

    while (oldest != NULL && oldest->is_over)
        oldest = oldest->next;
    if (questions->count >= QUESTIONS_MAX && oldest != NULL)
        end(questions, oldest);
}

static struct mqtt_question *find(struct mqtt_questions *questions, const char *topic)
{
    struct mqtt_question *question = questions->first;

    while (question != NULL && (question->is_over || strcmp(question->topic, topic) != 0))
        question = question->next;
    return question;
}

int32_t mqtt_questions_take(struct mqtt_questions *questions, const char *topic,
                            const struct eds_question *question)
{
    size_t room = strlen(topic) + 3 * EDS_DEVICE_ID_SIZE + sizeof EDS_MQTT_COMMAND_SUFFIX;
    struct mqtt_question *taken = calloc(1, sizeof *taken), *before;

    if (taken != NULL)
        taken->topic = malloc(room);
    if (taken == NULL || taken->topic == NULL) {
        free(taken);
        return EDS_ERR_NO_MEMORY;
    }
    if (eds_mqtt_command_topic(taken->topic, room, topic, question->device_id) == 0) {
        free(taken->topic);
        free(taken);
        return EDS_ERR_TOO_LARGE;
    }
    before = find(questions, taken->topic);
    if (before != NULL)
        end(questions, before);
    make_room(questions);
    taken->questions = questions;
    memcpy(taken->asked.device_id, question->device_id, sizeof taken->asked.device_id);
    memcpy(taken->asked.nonce, question->nonce, sizeof taken->asked.nonce);
    taken->previous = questions->last;
    *(questions->last != NULL ? &questions->last->next : &questions->first) = taken;
    questions->last = taken;
    questions->count++;
    questions->walked_ms = 0;
    return EDS_OK;
}

/* On the desk's thread. */
static void give_back(struct eds_command_question *asked)
{
    struct mqtt_question *question = asked->context;
    struct mqtt_questions *questions = question->questions;
    uint64_t one = 1;

    pthread_mutex_lock(&questions->lock);
    question->next_answered = questions->answered;
    questions->answered = question;
    questions->asked_count--;
    (void)!write(questions->wake_fd, &one, sizeof one); /* an eventfd takes it */
    pthread_cond_signal(&questions->moved);
    pthread_mutex_unlock(&questions->lock);
}

static void ask(struct mqtt_questions *questions, struct mqtt_question *question)
{
    question->is_asked = true;
    question->asked.done = give_back;
    question->asked.context = question;
    pthread_mutex_lock(&questions->lock);
    questions->asked_count++;
    pthread_mutex_unlock(&questions->lock);
    questions->desk->ask(questions->desk, &question->asked);
}

/* Says what the desk said.  What can't be known now is asked again, and nothing said. */
static void say(struct mqtt_questions *questions, struct mqtt_question *question,
                void (*publish)(void *context, const char *topic, const char *text, size_t size),
                void *context)
{
    char text[EDS_JSON_SIGNED_ORDER_SIZE_MAX];
    int32_t rc = questions->desk != NULL ? question->asked.rc : EDS_ERR_UNSUPPORTED;
    struct eds_question word = {.word = rc == EDS_ERR_UNSUPPORTED ? EDS_QUESTION_NEVER
                                                                  : EDS_QUESTION_NONE};
    size_t size = 0;

    if (rc == EDS_OK) {
        size = eds_json_signed_order_encode(text, sizeof text, &question->asked.signed_order);
    } else if (rc == EDS_ERR_UNSUPPORTED || (rc == EDS_ERR_NOT_FOUND && !question->is_told)) {
        memcpy(word.device_id, question->asked.device_id, sizeof word.device_id);
        memcpy(word.nonce, question->asked.nonce, sizeof word.nonce);
        size = eds_json_question_encode(text, sizeof text, &word);
        question->is_told = true;
    }
    if (size > 0)
        publish(context, question->topic, text, size);
    if (rc == EDS_OK || rc == EDS_ERR_UNSUPPORTED)
        end(questions, question);
}

static void take_answered(struct mqtt_questions *questions, uint64_t now_ms,
                          void (*publish)(void *context, const char *topic, const char *text,
                                          size_t size),
                          void *context)
{
    struct mqtt_question *question, *next;

    pthread_mutex_lock(&questions->lock);
    question = questions->answered;
    questions->answered = NULL;
    pthread_mutex_unlock(&questions->lock);
    for (; question != NULL; question = next) {
        next = question->next_answered;
        question->is_asked = false;
        question->ask_ms = now_ms + questions->desk->ask_again_ms;
        if (question->is_over)
            forget(questions, question);
        else
            say(questions, question, publish, context);
    }
}

void mqtt_questions_serve(struct mqtt_questions *questions, uint64_t now_ms,
                          void (*publish)(void *context, const char *topic, const char *text,
                                          size_t size),
                          void *context)
{
    struct mqtt_question *next;

    take_answered(questions, now_ms, publish, context);
    if (now_ms - questions->walked_ms < WALK_MS)
        return;
    questions->walked_ms = now_ms;
    for (struct mqtt_question *question = questions->first; question != NULL; question = next) {
        next = question->next;
        if (question->until_ms == 0)
            question->until_ms = now_ms + STAY_MS;
        if (question->is_asked || question->is_over)
            continue;
        if (questions->desk == NULL)
            say(questions, question, publish, context);
        else if (now_ms >= question->until_ms)
            end(questions, question);
        else if (now_ms >= question->ask_ms)
            ask(questions, question);
    }
}
