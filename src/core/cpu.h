/* cpu.h - what this processor and its operating system let us use. */
#ifndef EDS_CORE_CPU_H
#define EDS_CORE_CPU_H

/* Where there are forms for wide instructions, chosen at run time: on x86-64, unless
 * the build wants nothing but portable C. */
#if defined(__x86_64__) && !defined(EDS_PORTABLE_ONLY)
#define EDS_CPU_WIDE 1
#else
#define EDS_CPU_WIDE 0
#endif

/* Sets of instructions, as bits.  A set counts only if the operating system
 * keeps its registers, too. */
enum eds_cpu_feature {
    EDS_CPU_SSE41 = 1,
    EDS_CPU_AVX2 = 2,
    EDS_CPU_AVX512 = 4, /* F, BW, DQ and VL; and BMI1, BMI2 */
    EDS_CPU_IFMA = 8,   /* AVX-512 IFMA, on top of those */
    EDS_CPU_VBMI2 = 16, /* AVX-512 VBMI and VBMI2, on top of those */
};

/* eds_cpu_features gives the bits that are set here; 0 where there are no wide forms.
 * Any thread; asks the processor each time, which takes some 100 ns. */
unsigned eds_cpu_features(void);

#endif
