/* crew.h - pieces of work, done by all cores and taken back in their order.
 *
 * One thread, the caller's, fills pieces and takes them back; the others work on
 * them, and so does the caller's where there is nothing else for it to do.  The
 * pieces are a ring of fixed size: memory is bounded, and one thread alone gives
 * the same as many. */
#ifndef EDS_EVIDENCE_CREW_H
#define EDS_EVIDENCE_CREW_H

#include <stddef.h>

#define EDS_CREW_THREADS_MAX 64u

struct eds_crew;

struct eds_crew_plan {
    unsigned thread_count;           /* the caller's among them; 0: one per core */
    size_t piece_size;               /* bytes; all zero at first, and then as they were left */
    void (*piece_free)(void *piece); /* what a piece holds, at the end; NULL: nothing */
    /* What each thread needs for itself; NULL without memory. */
    void *(*desk_create)(void *context);
    void (*desk_destroy)(void *desk);
    /* Works on one piece.  Any thread; a piece is one thread's at a time. */
    void (*work)(void *context, void *desk, void *piece);
    void *context;
};

/* eds_crew_thread_count says how many threads a crew has at most, and so how many desks,
 * of which so many are wanted. */
unsigned eds_crew_thread_count(unsigned wanted);

/* eds_crew_start starts as many threads as can be had.  NULL without memory. */
struct eds_crew *eds_crew_start(const struct eds_crew_plan *plan);

/* eds_crew_next gives the piece to be filled next, the same one until it is
 * added; NULL while all are in work: then the oldest must be taken first. */
void *eds_crew_next(struct eds_crew *crew);

/* eds_crew_add hands that piece on to whoever is free. */
void eds_crew_add(struct eds_crew *crew);

/* eds_crew_take waits for the oldest piece, working meanwhile, and gives it: the
 * caller's until the next call of take or next.  NULL if none is in work. */
void *eds_crew_take(struct eds_crew *crew);

/* eds_crew_end ends the threads, whatever is still in work, and frees everything. */
void eds_crew_end(struct eds_crew *crew);

#endif
