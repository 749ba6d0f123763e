/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Successors of a site policy: which one a device takes, and why not every other. */
#include "objects.h"

static uint8_t scratch[SITE_POLICY_MAX], bytes[SITE_POLICY_MAX];
static struct site_policy current, next, out;

static void plain(void)
{
}

static void lower(void)
{
        current.epoch = 3;
        current.has_predecessor = true;
        next = successor_of(&current);
        next.epoch = 2;
}

static void told_again(void)
{
        next = current;
}

static void forked(void)
{
        next = current;
        next.patience_s++;
}

static void forked_before(void)
{
        next.predecessor[31] ^= 1;
}

static void skipped(void)
{
        next.epoch++;
}

static void far_ahead(void)
{
        next.epoch = UINT64_MAX;
}

static void other_site(void)
{
        strcpy(next.site, "site-2");
}

static void approval_epoch_rises(void)
{
        next.approval_epoch++;
}

static void approval_epoch_falls(void)
{
        next.approval_epoch--;
}

static void issued_falls(void)
{
        next.issued--;
}

/* from approvers 1, 2, 3 to approvers 2, 3, 4 */
static void rotated(void)
{
        for (size_t i = 0; i < 3; i++)
                next.approvers[i] = key_of(APPROVER_2 + (enum who)i);
}

/* approvers 1 and 2 are gone at once: 3 and 4 of the new ones, by two of the old */
static void two_rotated(void)
{
        next.approvers[0] = key_of(APPROVER_3);
        next.approvers[1] = key_of(APPROVER_4);
        next.approver_count = 2;
}

static void forked_rotated(void)
{
        forked();
        rotated();
}

static void one_needed(void)
{
        next.approver_count = 1;
        next.threshold = 1;
}

static void all_needed(void)
{
        next.threshold = 3;
}

static const struct {
        const char *name;
        void (*bend)(void);
        enum who signers[6];
        size_t count;
        enum reason reason;
} rows[] = {
        { "direct successor", plain, { APPROVER_1, APPROVER_2 }, 2, REASON_NONE },
        { "by all", plain, { APPROVER_3, APPROVER_2, APPROVER_1 }, 3, REASON_NONE },
        { "a lower one", lower, { APPROVER_1, APPROVER_2 }, 2, REASON_OLD_POLICY },
        { "the same told again", told_again, { APPROVER_1, APPROVER_2 }, 2, REASON_OLD_POLICY },
        { "two policies with one epoch", forked, { APPROVER_1, APPROVER_2 }, 2, REASON_POLICY_FORK },
        { "successor of another", forked_before, { APPROVER_1, APPROVER_2 }, 2, REASON_POLICY_FORK },
        { "of this epoch, by nobody of them", forked, { STRANGER, GATE }, 2, REASON_UNDER_SIGNED },
        { "of this epoch, by one", forked, { APPROVER_1 }, 1, REASON_UNDER_SIGNED },
        { "of this epoch, not signed by its own", forked_rotated, { APPROVER_1, APPROVER_2 }, 2, REASON_BAD_SIGNATURE },
        { "of another, by nobody of them", forked_before, { STRANGER, GATE }, 2, REASON_UNDER_SIGNED },
        { "of another, by one", forked_before, { APPROVER_2 }, 1, REASON_UNDER_SIGNED },
        { "one skipped", skipped, { APPROVER_1, APPROVER_2 }, 2, REASON_POLICY_GAP },
        { "the last one there can be", far_ahead, { APPROVER_1, APPROVER_2 }, 2, REASON_POLICY_GAP },
        { "other site", other_site, { APPROVER_1, APPROVER_2 }, 2, REASON_WRONG_SITE },
        { "approval epoch rises", approval_epoch_rises, { APPROVER_1, APPROVER_2 }, 2, REASON_NONE },
        { "approval epoch falls", approval_epoch_falls, { APPROVER_1, APPROVER_2 }, 2, REASON_POLICY_INVALID },
        { "issued falls", issued_falls, { APPROVER_1, APPROVER_2 }, 2, REASON_POLICY_INVALID },
        { "by nobody of them", plain, { STRANGER, GATE }, 2, REASON_UNDER_SIGNED },
        { "by one", plain, { APPROVER_1 }, 1, REASON_UNDER_SIGNED },
        { "by one twice", plain, { APPROVER_1, APPROVER_1 }, 2, REASON_UNDER_SIGNED },
        { "rotated", rotated, { APPROVER_2, APPROVER_3 }, 2, REASON_NONE },
        { "rotated, with both lists' own", rotated, { APPROVER_1, APPROVER_2, APPROVER_4 }, 3, REASON_NONE },
        { "rotated, under-signed by the old", rotated, { APPROVER_2, APPROVER_4 }, 2, REASON_UNDER_SIGNED },
        { "rotated, under-signed by the new", rotated, { APPROVER_1, APPROVER_2 }, 2, REASON_BAD_SIGNATURE },
        { "two rotated", two_rotated, { APPROVER_1, APPROVER_2, APPROVER_3, APPROVER_4 }, 4, REASON_NONE },
        { "two rotated, by the new only", two_rotated, { APPROVER_3, APPROVER_4 }, 2, REASON_UNDER_SIGNED },
        { "two rotated, by the old only", two_rotated, { APPROVER_1, APPROVER_2 }, 2, REASON_BAD_SIGNATURE },
        { "one needed, by the one", one_needed, { APPROVER_1 }, 1, REASON_UNDER_SIGNED },
        { "one needed, by two", one_needed, { APPROVER_1, APPROVER_3 }, 2, REASON_NONE },
        { "all needed, by two", all_needed, { APPROVER_1, APPROVER_3 }, 2, REASON_BAD_SIGNATURE },
        { "all needed, by all", all_needed, { APPROVER_1, APPROVER_2, APPROVER_3 }, 3, REASON_NONE },
};

static void start(void)
{
        current = full_policy();
        next = successor_of(&current);
}

static void test_successors(void **state)
{
        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                start();
                rows[i].bend();
                struct span in = write_policy_set(bytes, sizeof(bytes), &next, rows[i].signers, rows[i].count);
                enum reason reason = site_policy_accept_next(in, &current, &out, scratch, sizeof(scratch));
                if (reason != rows[i].reason)
                        fail_msg("%s: %s", rows[i].name, reason_name(reason));
                assert_int_equal(out.epoch, reason == REASON_NONE ? 2 : 0);
                assert_int_equal(out.threshold > 0, reason == REASON_NONE);
        }
}

static void test_a_chain_is_walked(void **state)
{
        static const enum who two[] = { APPROVER_1, APPROVER_2 };

        (void)state;
        start();
        for (uint64_t epoch = 2; epoch < 6; epoch++) {
                next = successor_of(&current);
                next.patience_s = (uint32_t)epoch;
                struct span in = write_policy_set(bytes, sizeof(bytes), &next, two, 2);
                assert_int_equal(site_policy_accept_next(in, &current, &out, scratch, sizeof(scratch)), REASON_NONE);
                assert_int_equal(out.epoch, epoch);
                current = out;
        }
}

/* an approver who was taken out is nobody for the next policy, however he signs */
static void test_removed_approver(void **state)
{
        static const enum who both[] = { APPROVER_1, APPROVER_2, APPROVER_3 }, old[] = { APPROVER_1, APPROVER_2 };

        (void)state;
        start();
        rotated();
        struct span in = write_policy_set(bytes, sizeof(bytes), &next, both, 3);
        assert_int_equal(site_policy_accept_next(in, &current, &out, scratch, sizeof(scratch)), REASON_NONE);
        current = out;
        next = successor_of(&current);
        in = write_policy_set(bytes, sizeof(bytes), &next, old, 2);
        assert_int_equal(site_policy_accept_next(in, &current, &out, scratch, sizeof(scratch)), REASON_UNDER_SIGNED);
}

static void test_form_and_size(void **state)
{
        static const enum who two[] = { APPROVER_1, APPROVER_2 };
        static uint8_t large[SITE_POLICY_MAX + 1];

        (void)state;
        start();
        struct span in = write_policy_set(bytes, sizeof(bytes), &next, two, 2);
        assert_int_equal(site_policy_accept_next(in, &current, &out, scratch, 100), REASON_TOO_LARGE);
        assert_int_equal(site_policy_accept_next(SPAN_OF(large), &current, &out, scratch, sizeof(scratch)),
                         REASON_TOO_LARGE);
        assert_int_equal(site_policy_accept_next(span_of(bytes, in.size - 1), &current, &out, scratch, sizeof(scratch)),
                         REASON_MALFORMED);
        assert_int_equal(site_policy_accept_next(in, &current, &current, scratch, sizeof(scratch)),
                         REASON_POLICY_INVALID);
        assert_int_equal(current.epoch, 1); /* and is left as it was */
        current.threshold = 0;              /* a policy of nobody has no successor */
        assert_int_equal(site_policy_accept_next(in, &current, &out, scratch, sizeof(scratch)), REASON_UNDER_SIGNED);
}

/* what was accepted once is read back whatever its epoch; a first one it has to be elsewhere */
static void test_read_back(void **state)
{
        static const enum who two[] = { APPROVER_3, APPROVER_2 }, one[] = { APPROVER_3, APPROVER_3 };

        (void)state;
        start();
        struct span in = write_policy_set(bytes, sizeof(bytes), &next, two, 2);
        assert_int_equal(site_policy_read(in, &out, scratch, sizeof(scratch)), REASON_NONE);
        assert_int_equal(out.epoch, 2);
        assert_int_equal(site_policy_accept_first(in, &out, scratch, sizeof(scratch)), REASON_POLICY_INVALID);
        in = write_policy_set(bytes, sizeof(bytes), &next, one, 2);
        assert_int_equal(site_policy_read(in, &out, scratch, sizeof(scratch)), REASON_BAD_SIGNATURE);
        assert_int_equal(site_policy_read(span_of(bytes, 7), &out, scratch, sizeof(scratch)), REASON_MALFORMED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_successors),       cmocka_unit_test(test_a_chain_is_walked),
                cmocka_unit_test(test_removed_approver), cmocka_unit_test(test_form_and_size),
                cmocka_unit_test(test_read_back),
        };
        return cmocka_run_group_tests_name("sitepolicy_chain", tests, NULL, NULL);
}
