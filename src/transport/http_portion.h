/* http_portion.h - the records of a batch, block by block, on their way through ingest.
 *
 * A block is some records that were read from the body together, few enough for the
 * processor's cache; they are checked when it is added.  A portion is the blocks of a
 * megabyte of body, or of a thousand records, or what there is at the end: it goes to
 * ingest, and so into one commit.  Blocks come back in the order in which they were
 * added, each once all records of its portion are decided.
 *
 * What follows a record that ingest had no room for is not submitted, nor is a record
 * that is past its source's rate, or any behind it: they are decided here, as overloaded.
 *
 * Threads: everything is called by the connection's.  Ingest's only decide. */
#ifndef EDS_TRANSPORT_HTTP_PORTION_H
#define EDS_TRANSPORT_HTTP_PORTION_H

#include "transport/http_connection.h"

#define HTTP_BLOCK_RECORDS_MAX   256u            /* of one block */
#define HTTP_BLOCK_SIZE          (128u * 1024u)  /* bytes of body that make a block */
#define HTTP_PORTION_RECORDS_MAX 1024u           /* of one portion */
#define HTTP_PORTION_SIZE        (1024u * 1024u) /* bytes of body that make a portion */

struct http_portions; /* all those of one batch */

struct http_item {
    struct eds_envelope envelope;
    struct eds_submission submission;
    bool is_record; /* else no more than the words of a fault */
};

struct http_block {
    struct http_portions *portions;
    struct http_block *next;
    char *text; /* what the items point into: of http_body_hand_over, the block's to free */
    size_t text_room;
    size_t count, room;
    bool is_done; /* of the portions' lock */
    /* Of the first one of a portion: */
    struct http_block *portion_last;
    atomic_size_t undecided;
    struct http_item items[];
};

/* http_portions_create makes those of a connection's request, whose first record was
 * admitted with its head; NULL without memory. */
struct http_portions *http_portions_create(struct http_connection *connection);

/* http_portions_let_go ends the connection's use of them: what is still with ingest is
 * freed, and they with it, when it comes back. */
void http_portions_let_go(struct http_portions *portions);

/* http_portions_room tells how many more records the portion that is being gathered
 * takes: one at least. */
size_t http_portions_room(const struct http_portions *portions);

/* http_portions_add has a block's records checked and puts it at the end of the portion,
 * which is submitted if it is full then.
 *
 *   block  with at most http_portions_room records; theirs from now on
 *   size   bytes of the body that it is made of */
void http_portions_add(struct http_portions *portions, struct http_block *block, size_t size);

/* http_portions_submit gives the portion, if there is one, to ingest: its records go into
 * one commit, if it has room for them. */
void http_portions_submit(struct http_portions *portions);

/* http_portions_park suspends the connection until at most count portions are with
 * ingest; false if that is so already. */
bool http_portions_park(struct http_portions *portions, unsigned count);

/* http_portions_take gives the next block that is decided, the caller's to free; NULL:
 * it is not, or there is none. */
struct http_block *http_portions_take(struct http_portions *portions);

/* http_block_size tells the size of a full block. */
size_t http_block_size(void);

/* http_block_make makes an empty block for so many records; NULL without memory, or past
 * that of all bodies.  http_block_free frees it, with its text. */
struct http_block *http_block_make(struct http_portions *portions, size_t room);
void http_block_free(struct http_block *block);

/* http_block_add makes the item behind the last one a part of the block, which has room.
 *
 *   rc   EDS_OK: a record, whose envelope the caller has filled; else a fault
 *   err  the fault's words; not looked at with EDS_OK */
void http_block_add(struct http_block *block, int32_t rc, const struct eds_error *err);

/* http_block_end is called once after the last add, before the block is added or freed:
 * the room that is left over does not count as memory any more. */
void http_block_end(struct http_block *block);

#endif
