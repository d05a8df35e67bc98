/* backoff.h - how long to wait before the next attempt, with decorrelated
 * jitter: those who lost a server together do not come back together. */
#ifndef EDS_BASE_BACKOFF_H
#define EDS_BASE_BACKOFF_H

/* eds_random_between picks a number from low to high, both included; low where
 * the system has no randomness, or high is below it. */
unsigned eds_random_between(unsigned low, unsigned high);

/* eds_backoff_next_ms tells the next pause: between first_ms and three times
 * the previous one, at most max_ms.  The first time previous_ms is first_ms. */
unsigned eds_backoff_next_ms(unsigned first_ms, unsigned max_ms, unsigned previous_ms);

#endif
