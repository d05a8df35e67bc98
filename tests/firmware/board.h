/* board.h - what the programs here use of the board (ARM's MPS2 with a Cortex-M4, as
 * qemu has it): a line of text for the developer, an end, and measures. */
#ifndef EDS_TESTS_FIRMWARE_BOARD_H
#define EDS_TESTS_FIRMWARE_BOARD_H

#include <stdint.h>

void board_say(const char *text);
void board_number(const char *name, uint32_t number); /* " name=number" */

/* Ends the program: 0 is success. */
_Noreturn void board_exit(int status);

/* How deep the stack has been, and how many bytes the heap has taken. */
uint32_t board_stack_used(void);
uint32_t board_heap_used(void);

/* Instructions since the last call, in thousands; below 600,000. */
uint32_t board_thousands(void);

#endif
