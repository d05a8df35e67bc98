/* ledger_sqlite_faulty_vfs.h - a disk that fails when a test wants it to, and a power cut.
 *
 * A layer between SQLite and the system's files.  It counts the operations of
 * the kinds that a test asks for and lets one fail, or all from one on.  It
 * also remembers what of each file was synced and what was only written, so
 * that it can say what a power cut would leave. */
#ifndef EDS_TESTS_STORE_LEDGER_SQLITE_FAULTY_VFS_H
#define EDS_TESTS_STORE_LEDGER_SQLITE_FAULTY_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "support/dice.h"

enum {
    FAULTY_OPEN = 1,
    FAULTY_READ = 2,
    FAULTY_WRITE = 4, /* writes half of it, then the disk is full */
    FAULTY_SYNC = 8,
    FAULTY_TRUNCATE = 16,
    FAULTY_SHM = 32,
    FAULTY_LOCK = 64,
    FAULTY_DELETE = 128,
    FAULTY_SIZE = 256, /* asking for a file's size */
    FAULTY_ALL = 511
};

/* faulty_vfs_install makes it what SQLite uses; uninstall puts the system's
 * own back. */
void faulty_vfs_install(void);
void faulty_vfs_uninstall(void);

/* faulty_vfs_fail lets the n-th operation of these kinds from now fail (1 is
 * the next), once or with all after it.  n 0: none. */
void faulty_vfs_fail(unsigned kinds, uint64_t n, bool for_ever);

/* faulty_vfs_failures tells how many have failed since then. */
uint64_t faulty_vfs_failures(void);

/* faulty_vfs_begin forgets what it remembers and takes the files of a directory
 * (NULL: none) as synced long ago.  Call it when no file is open. */
void faulty_vfs_begin(const char *directory);

/* faulty_vfs_leave writes into a directory what a power cut now would leave:
 * all that was synced, and of the writes since then any 512-byte pieces. */
void faulty_vfs_leave(const char *directory, struct dice *dice);

#endif
