/* board.c - start of the program, semihosting, and the ports of the library.
 *
 * The memory's sizes come from the linker (board.ld): a program that needs more than
 * it was given does not link, or ends in fault(). */
#include "board.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include "edgesentry.h"

extern uint32_t board_data_begin[], board_data_end[], board_data_load[];
extern uint32_t board_bss_begin[], board_bss_end[], board_stack_top[];

int main(void);
_Noreturn void board_start(void);

#define PAINT 0xc5c5c5c5u

static char *heap_end;

/* One request to who runs the processor. */
static int ask(int what, const void *with)
{
    register int r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = with;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_say(const char *text)
{
    (void)ask(4, text); /* SYS_WRITE0 */
}

void board_number(const char *name, uint32_t number)
{
    char digits[12], *at = digits + sizeof digits - 1;

    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    board_say(" ");
    board_say(name);
    board_say("=");
    board_say(at);
}

_Noreturn void board_exit(int status)
{
    (void)ask(0x18, (const void *)(status == 0 ? 0x20026u : 0x20023u)); /* SYS_EXIT */
    for (;;)
        ;
}

static void fault(void)
{
    board_say("FAULT: the processor stopped the program\n");
    board_exit(1);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    board_stack_top, board_start, fault, fault, fault, fault, fault,
};

#define SYSTICK ((volatile uint32_t *)0xe000e010u) /* control, reload, value */

_Noreturn void board_start(void)
{
    for (uint32_t *at = board_data_begin, *from = board_data_load; at < board_data_end;)
        *at++ = *from++;
    for (uint32_t *at = board_bss_begin; at < board_bss_end; at++)
        *at = 0;
    for (uint32_t *at = board_bss_end; at < (uint32_t *)__builtin_frame_address(0) - 16; at++)
        *at = PAINT;
    heap_end = (char *)board_bss_end;
    SYSTICK[1] = 0xffffff;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5;
    board_exit(main());
}

uint32_t board_heap_used(void)
{
    return (uint32_t)(heap_end - (char *)board_bss_end);
}

uint32_t board_stack_used(void)
{
    const uint32_t *at = (const uint32_t *)(const void *)heap_end;

    while (at < board_stack_top && *at == PAINT)
        at++;
    return (uint32_t)((const char *)board_stack_top - (const char *)at);
}

/* With -icount shift=0 an instruction takes a nanosecond, and 40 a tick. */
uint32_t board_thousands(void)
{
    static uint32_t last;
    uint32_t now = SYSTICK[2], ticks = (last - now) & 0xffffff;

    last = now;
    return ticks / 25;
}

/* The C library's way to the outside, and to memory. */
int _write(int file, const char *bytes, int size);
void *_sbrk(ptrdiff_t size);

int _write(int file, const char *bytes, int size)
{
    char text[65];
    int done = 0;

    (void)file;
    while (done < size) {
        int some = size - done < 64 ? size - done : 64;

        memcpy(text, bytes + done, (size_t)some);
        text[some] = '\0';
        board_say(text);
        done += some;
    }
    return size;
}

void *_sbrk(ptrdiff_t size)
{
    char *begin = heap_end;

    if (size > (char *)__builtin_frame_address(0) - heap_end - 256) {
        errno = ENOMEM;
        return (void *)-1;
    }
    heap_end += size;
    return begin;
}

/* Without this the C library would bring printf along for its own. */
void __assert_func(const char *file, int line, const char *function, const char *claim)
{
    (void)line;
    board_say("ASSERT: ");
    board_say(file);
    board_say(": ");
    board_say(function);
    board_say(": ");
    board_say(claim);
    board_say("\n");
    board_exit(1);
}

/* A device reads its source of randomness here.  This one is a test: its numbers can
 * be foretold. */
int eds_port_random(void *out, size_t size)
{
    static uint32_t state = 2463534242u;
    uint8_t *at = out;

    while (size-- > 0) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *at++ = (uint8_t)state;
    }
    return 0;
}

void eds_log(enum eds_log_level level, const char *event, const struct eds_log_field *fields,
             unsigned field_count)
{
    (void)level;
    (void)fields;
    (void)field_count;
    board_say("event=");
    board_say(event);
    board_say("\n");
}
