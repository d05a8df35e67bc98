/* enrolment.h - enrolments compared. */
#ifndef EDS_TESTS_SUPPORT_ENROLMENT_H
#define EDS_TESTS_SUPPORT_ENROLMENT_H

#include "core/enrolment.h"

/* enrolment_same fails the test unless both are the same but for the revision. */
void enrolment_same(const struct eds_enrolment *a, const struct eds_enrolment *b);

#endif
