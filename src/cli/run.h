/* run.h - from argv to an exit code. */
#ifndef EDS_CLI_RUN_H
#define EDS_CLI_RUN_H

/* eds_run finds the command that argv names, parses its options and runs it.
 * Returns the process's exit code; standard output has been flushed, and a
 * failure to write it is reported. */
int eds_run(int argc, char **argv);

#endif
