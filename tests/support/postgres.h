/* postgres.h - a PostgreSQL server of its own for a test program.
 *
 * tests/support/postgres.sh does the work; a failure of it ends the program. */
#ifndef EDS_TESTS_SUPPORT_POSTGRES_H
#define EDS_TESTS_SUPPORT_POSTGRES_H

#include <stdbool.h>

#include "support/temp_dir.h"

#define POSTGRES_URL_SIZE (EDS_TEMP_DIR_SIZE + 128u) /* bytes */

struct postgres_server {
    char directory[EDS_TEMP_DIR_SIZE];
    int port; /* on 127.0.0.1 */
    unsigned schema_count;
};

/* postgres_start makes a server and starts it.  False, with the reason on
 * standard output, where there is none to be started. */
bool postgres_start(struct postgres_server *server);

/* postgres_stop stops it as `pg_ctl stop -m MODE` does ("fast", "immediate");
 * postgres_up starts it again with what it has. */
void postgres_stop(const struct postgres_server *server, const char *mode);
void postgres_up(const struct postgres_server *server);

/* postgres_place makes an empty place for a ledger and gives its URL by TCP;
 * port is the server's or that of something in between. */
void postgres_place(struct postgres_server *server, int port, char url[POSTGRES_URL_SIZE]);

/* postgres_sql runs a statement as the server's owner. */
void postgres_sql(const struct postgres_server *server, const char *sql);

/* postgres_remove stops the server and removes all that it had. */
void postgres_remove(const struct postgres_server *server);

#endif
