/* target_vbmi2.h - what follows in this file is compiled for AVX-512 with VBMI and
 * VBMI2, and BMI1 and BMI2 beside them, whatever the build's own target is, up to
 * target_end.h.  The includer makes sure at run time that the processor has it
 * (cpu.h). */
#if defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2"))), \
    apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2")
#endif
