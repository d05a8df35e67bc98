/* target_sse41.h - what follows in this file is compiled for SSE4.1, whatever the
 * build's own target is, up to target_end.h.  The includer makes sure at run time
 * that the processor has it (cpu.h). */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("sse4.1"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("sse4.1")
#endif
