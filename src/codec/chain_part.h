/* chain_part.h - a file of records in parts, so that several threads can read it.
 *
 * A part is a stretch of the file in memory that ends where a record does.  It
 * is read by a reader of its own, without knowing what came before; a part that
 * reads well to its end reads as it would have in the whole file.  One that does
 * not says nothing (it may have been cut inside a string): then the file's own
 * reader has to go on from the part's beginning, and has the words. */
#ifndef EDS_CODEC_CHAIN_PART_H
#define EDS_CODEC_CHAIN_PART_H

#include "edgesentry/json.h"

/* eds_chain_part_cut gives the size of the longest part at the front of size
 * bytes that looks as if it ended behind a record; 0 if there is none, as always
 * in the compact form, which shows no ends. */
size_t eds_chain_part_cut(enum eds_chain_format format, const char *text, size_t size);

/* eds_chain_part_begin prepares a reader for a part.
 *
 *   text      stays while the part is read, and is not changed
 *   is_first  of the file's parts */
void eds_chain_part_begin(struct eds_chain_reader *part, enum eds_chain_format format, char *text,
                          size_t size, bool is_first);

/* eds_chain_part_next gives the next entry.  EDS_OK; EDS_ERR_NOT_FOUND at the
 * part's proper end, with nothing but white space left over; anything else means
 * that the part has to be read by the file's reader.
 *
 *   is_last  of the file's parts: what ends the file has to be there */
int32_t eds_chain_part_next(struct eds_chain_reader *part, struct eds_entry *out, bool is_last);

/* eds_chain_part_join moves the file's reader, which has to stand at the part's
 * beginning, past a part that was read to its proper end. */
void eds_chain_part_join(struct eds_chain_reader *reader, const struct eds_chain_reader *part);

#endif
