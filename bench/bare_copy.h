/* bare_copy.h - the rows of a batch into the tables of a PostgreSQL ledger, as somebody
 * would write it who needs no heads compared and no reference checked: COPY for each
 * table, one UPDATE of the heads, COMMIT. */
#ifndef EDS_BENCH_BARE_COPY_H
#define EDS_BENCH_BARE_COPY_H

#include "feed.h"

struct bare_copy;

/* bare_copy_open connects to the database of a URL whose search path leads to the
 * tables; backend is the process that works for it there. */
struct bare_copy *bare_copy_open(const char *url);
int bare_copy_backend(const struct bare_copy *copy);
void bare_copy_close(struct bare_copy *copy);

/* bare_copy_commit stores the feed's last batch, whose devices have heads. */
void bare_copy_commit(struct bare_copy *copy, const struct feed *feed);

#endif
