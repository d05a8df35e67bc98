/* target_avx2.h - what follows in this file is compiled for AVX2, whatever the
 * build's own target is, up to target_end.h.  The includer makes sure at run time
 * that the processor has it (cpu.h). */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
