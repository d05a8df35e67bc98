/* cpu.h - what this processor and its operating system let us use. */
#ifndef EDS_CORE_CPU_H
#define EDS_CORE_CPU_H

/* Sets of instructions, as bits.  A set counts only if the operating system
 * keeps its registers, too. */
enum eds_cpu_feature {
    EDS_CPU_SSE41 = 1,
    EDS_CPU_AVX2 = 2,
    EDS_CPU_AVX512 = 4, /* F, BW, DQ and VL; and BMI1, BMI2 */
    EDS_CPU_IFMA = 8,   /* AVX-512 IFMA, on top of those */
    EDS_CPU_VBMI2 = 16, /* AVX-512 VBMI and VBMI2, on top of those */
};

/* eds_cpu_features gives the bits that are set here; 0 on anything but x86-64.
 * Any thread; asks the processor each time, which takes some 100 ns. */
unsigned eds_cpu_features(void);

#endif
