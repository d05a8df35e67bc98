/* manual.h - all commands as one manual page, eds(1). */
#ifndef EDS_CLI_MANUAL_H
#define EDS_CLI_MANUAL_H

/* eds_manual_print writes the page to standard output, in man(7) macros. */
void eds_manual_print(void);

#endif
