/* command_question.c - see command_question.h. */
#include "ingest/command_question.h"

void eds_question_queue_init(struct eds_question_queue *queue)
{
    *queue = (struct eds_question_queue){.end = &queue->first};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->moved, NULL);
}

void eds_question_queue_destroy(struct eds_question_queue *queue)
{
    pthread_cond_destroy(&queue->moved);
    pthread_mutex_destroy(&queue->lock);
}

void eds_question_queue_put(struct eds_question_queue *queue, struct eds_command_question *question)
{
    bool has_room;

    pthread_mutex_lock(&queue->lock);
    has_room = queue->count < EDS_QUESTIONS_MAX;
    if (has_room) {
        question->next = NULL;
        *queue->end = question;
        queue->end = &question->next;
        queue->count++;
        pthread_cond_signal(&queue->moved);
    }
    pthread_mutex_unlock(&queue->lock);
    if (has_room)
        return;
    question->rc = eds_error_set(&question->err, EDS_ERR_BUSY, "too many ask for commands at once");
    question->done(question);
}

struct eds_command_question *eds_question_queue_take(struct eds_question_queue *queue)
{
    struct eds_command_question *question;

    pthread_mutex_lock(&queue->lock);
    while (queue->first == NULL && !queue->ended)
        pthread_cond_wait(&queue->moved, &queue->lock);
    question = queue->first;
    if (question != NULL) {
        queue->first = question->next;
        queue->count--;
        if (queue->first == NULL)
            queue->end = &queue->first;
    }
    pthread_mutex_unlock(&queue->lock);
    return question;
}

void eds_question_queue_end(struct eds_question_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->ended = true;
    pthread_cond_broadcast(&queue->moved);
    pthread_mutex_unlock(&queue->lock);
}
