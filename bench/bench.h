/* bench.h - measuring side by side, and saying it as a table and as JSON.
 *
 * Absolute times mean little on shared machines.  So each figure of ours is
 * measured in turn with a reference, round by round in the same run, and told
 * as a ratio: above 1 is better than the reference, whatever the unit. */
#ifndef EDS_BENCH_H
#define EDS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thing to be timed: run does the work `times` times over. */
struct bench_case {
    const char *name;
    void (*run)(void *context, size_t times);
    void *context;
};

/* bench_begin opens the JSON file named by EDS_BENCH_JSON (one object a line,
 * appended), if set, and prints the table's head. */
void bench_begin(const char *title);

/* bench_pair times ours and reference in turn and reports nanoseconds a piece of the
 * calling thread's CPU time, medians of the rounds, and the median of the rounds'
 * ratios. */
void bench_pair(const struct bench_case *ours, const struct bench_case *reference);

/* bench_report writes one figure measured elsewhere.  reference_name NULL: none.
 * higher_is_better tells which way the ratio goes. */
void bench_report(const char *name, double value, const char *unit, const char *reference_name,
                  double reference, bool higher_is_better);

/* bench_temporary makes a new folder below TMPDIR (else the system's usual one)
 * and writes its path into out; bench_remove removes a folder and what is in it. */
#define BENCH_PATH_SIZE 512u /* bytes, NUL included */
void bench_temporary(char out[BENCH_PATH_SIZE]);
void bench_remove(const char *folder);

/* bench_now_ns is a monotonic clock; bench_cpu_seconds is what all threads of this
 * process have used. */
uint64_t bench_now_ns(void);
double bench_cpu_seconds(void);

/* bench_process_cpu_ns is what all threads of another process of this machine have used. */
double bench_process_cpu_ns(int pid);

/* bench_median sorts values and returns the middle one; bench_percentile the
 * one below which that share (0 to 1) lies, of sorted values. */
double bench_median(double *values, size_t count);
uint64_t bench_percentile(const uint64_t *sorted, size_t count, double share);

#endif
