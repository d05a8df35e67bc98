/* verifier_selftest.h - is a level to be trusted on this machine? */
#ifndef EDS_CORE_VERIFIER_SELFTEST_H
#define EDS_CORE_VERIFIER_SELFTEST_H

#include "core/verifier_impl.h"

#if EDS_VERIFIER_TABLES

/* eds_verifier_selftest puts good and damaged signatures to a level: known
 * answers, and the rest against libsodium's verdicts.  True if all agree.  Uses
 * static memory and the base table; one thread at a time. */
bool eds_verifier_selftest(const struct eds_verifier_arithmetic *arithmetic);

#endif
#endif
