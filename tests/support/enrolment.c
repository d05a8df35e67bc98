/* enrolment.c - see enrolment.h. */
#include "support/enrolment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

void enrolment_same(const struct eds_enrolment *a, const struct eds_enrolment *b)
{
    assert_int_equal(a->role, b->role);
    assert_string_equal(a->id, b->id);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->attest_required, b->attest_required);
    assert_string_equal(a->site, b->site);
    assert_string_equal(a->cohort, b->cohort);
    assert_string_equal(a->firmware, b->firmware);
    assert_int_equal(a->key_count, b->key_count);
    for (uint32_t k = 0; k < a->key_count; k++) {
        assert_memory_equal(a->keys[k].public_key, b->keys[k].public_key, EDS_PUBLIC_KEY_SIZE);
        assert_int_equal(a->keys[k].not_before_ms, b->keys[k].not_before_ms);
        assert_int_equal(a->keys[k].not_after_ms, b->keys[k].not_after_ms);
        assert_int_equal(a->keys[k].not_after_sequence, b->keys[k].not_after_sequence);
        assert_int_equal(a->keys[k].revoked, b->keys[k].revoked);
    }
}
