/* cpu.c - see cpu.h.  Bits: Intel's manual, volume 2, CPUID and XGETBV. */
#include "core/cpu.h"

#if EDS_CPU_WIDE

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

/* Registers that the operating system saves when it switches threads. */
#define XCR0_SSE_AVX 0x06u
#define XCR0_AVX512  0xe6u /* and masks, upper halves, upper sixteen */

static uint32_t saved_registers(void)
{
    uint32_t low, high;

    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

unsigned eds_cpu_features(void)
{
    const uint32_t avx512 =
        bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_BMI | bit_BMI2;
    uint32_t eax, ebx, ecx, edx, saved = 0;
    unsigned features = 0;

    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0)
        return 0;
    if ((ecx & bit_SSE4_1) != 0)
        features |= EDS_CPU_SSE41;
    if ((ecx & bit_OSXSAVE) != 0)
        saved = saved_registers();
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0)
        return features;
    if ((saved & XCR0_SSE_AVX) == XCR0_SSE_AVX && (ebx & bit_AVX2) != 0)
        features |= EDS_CPU_AVX2;
    if ((saved & XCR0_AVX512) == XCR0_AVX512 && (ebx & avx512) == avx512) {
        features |= EDS_CPU_AVX512;
        if ((ebx & bit_AVX512IFMA) != 0)
            features |= EDS_CPU_IFMA;
        if ((ecx & bit_AVX512VBMI) != 0 && (ecx & bit_AVX512VBMI2) != 0)
            features |= EDS_CPU_VBMI2;
    }
    return features;
}

#else

unsigned eds_cpu_features(void)
{
    return 0;
}

#endif
