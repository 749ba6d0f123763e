/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The update agent: offers, approvals, pieces of images, and what a broker may send instead. */
#include "update_lab.h"

static void test_whole_update(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_true(reset);
        assert_int_equal(count_told(UPDATE_TRYING, REASON_NONE), 1);
        assert_int_equal(asked_blocks, 3);
        start();
        assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        assert_int_equal(serve(&second, 2, HONEST), 0);
        assert_int_equal(count_told(UPDATE_TRYING, REASON_NONE), 1);
        assert_int_equal(port_confirm(NULL), 0);
        update_confirmed(&update);
        update_offer(&update, second.envelope, now); /* still retained at the broker */
        assert_int_equal(serve(&second, 2, HONEST), 0);
        assert_int_equal(count_told(UPDATE_CONFIRMED, REASON_NONE), 1);
        assert_string_equal(told[told_count - 1].version, "1.0.0");
        assert_int_equal(asked_blocks, 3);
}

static void test_offer_taken_back(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 0, HONEST, 5000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        update_offer(&update, SPAN_EMPTY, now);
        update_approval(&update, second.approvals[0]);
        update_approval(&update, second.approvals[1]);
        serve_for(&second, 2, HONEST, 5000);
        assert_int_equal(count_told(UPDATE_IDLE, REASON_NONE), 1);
        assert_int_equal(asked_blocks, 0);
        /* what was confirmed stays told as confirmed */
        update_offer(&update, first.envelope, now);
        update_offer(&update, SPAN_EMPTY, now);
        assert_int_equal(update.status.state, UPDATE_CONFIRMED);
}

/* the fetch rests; what was fetched stays, and the same offer goes on with it */
static void test_offer_taken_back_in_mid_fetch(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 3000);
        assert_int_equal(update.status.state, UPDATE_FETCHING);
        update_offer(&update, SPAN_EMPTY, now);
        assert_int_equal(update.status.state, UPDATE_IDLE);
        serve_for(&second, 2, HONEST, 30000);
        assert_false(reset);
        assert_int_equal(watched, 0);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_true(reset);
        assert_int_equal(update.erasures, 1);
}

struct offer_row {
        const char *name;
        enum who signers[2];
        size_t signer_count, approvals;
        uint64_t sequence;
        uint8_t class_id, vendor_id;
        uint32_t image_size;
        enum reason expected;
};

static void test_offers_refused_before_anything_is_fetched(void **state)
{
        static const struct offer_row rows[] = {
                { "unapproved", { ORGANISATION, DEVELOPER }, 2, 0, 11, 0xc1, 0xac, 9000, REASON_NOT_APPROVED },
                { "one approval", { ORGANISATION, DEVELOPER }, 2, 1, 11, 0xc1, 0xac, 9000, REASON_NOT_APPROVED },
                { "organisation only", { ORGANISATION }, 1, 2, 11, 0xc1, 0xac, 9000, REASON_DEVELOPER_SIGNATURE },
                { "developer only", { DEVELOPER }, 1, 2, 11, 0xc1, 0xac, 9000, REASON_ORGANISATION_SIGNATURE },
                { "running sequence", { ORGANISATION, DEVELOPER }, 2, 2, 10, 0xc1, 0xac, 9000, REASON_OLD_SEQUENCE },
                { "old sequence", { ORGANISATION, DEVELOPER }, 2, 2, 3, 0xc1, 0xac, 9000, REASON_OLD_SEQUENCE },
                { "other class", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc2, 0xac, 9000, REASON_WRONG_CLASS },
                { "other vendor", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc1, 0xad, 9000, REASON_WRONG_VENDOR },
                { "too large", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc1, 0xac, 600000, REASON_TOO_LARGE },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                const struct offer_row *row = &rows[i];
                setup(state);
                second.fields.sequence = row->sequence;
                second.fields.image_size = row->image_size;
                memset(second.fields.class_id, row->class_id, CLASS_ID_SIZE);
                memset(second.fields.vendor_id, row->vendor_id, VENDOR_ID_SIZE);
                made_sign(&second, row->signers, row->signer_count);
                update_offer(&update, second.envelope, now);
                serve_for(&second, row->approvals, HONEST, 60000);
                if (count_told(UPDATE_REFUSED, row->expected) != 1)
                        fail_msg("%s: told %zu times, last %s", row->name, told_count,
                                 told_count ? reason_name(told[told_count - 1].reason) : "nothing");
                assert_int_equal(told_count, 1);
                assert_int_equal(asked_blocks + asked_lists, 0);
                assert_untouched_spare();
                /* the same offer again says nothing new; a new session does */
                update_offer(&update, second.envelope, now);
                serve_for(&second, row->approvals, HONEST, 10000);
                assert_int_equal(told_count, 1);
                update_session(&update, now);
                serve_for(&second, row->approvals, HONEST, 10000);
                assert_int_equal(told_count, 2);
        }
}

static void test_truncated_and_garbage_offers(void **state)
{
        static const enum who both[] = { ORGANISATION, DEVELOPER };
        uint8_t bytes[MANIFEST_MAX + 100];

        (void)state;
        for (size_t size = 1; size < second.envelope.size; size++) {
                update_offer(&update, span_slice(second.envelope, 0, size), now);
                serve_for(&second, 2, HONEST, 500);
                assert_false(update.has_candidate);
        }
        memset(bytes, 0, sizeof(bytes));
        update_offer(&update, SPAN_OF(bytes), now);
        serve_for(&second, 2, HONEST, 5000);
        assert_false(update.has_candidate);
        assert_int_equal(asked_blocks, 0);
        made_sign(&second, both, 2);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_true(reset);
}

static void test_approvals_of_another_digest(void **state)
{
        (void)state;
        memcpy(second.approvals, third.approvals, sizeof(second.approvals));
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        assert_int_equal(asked_blocks, 0);
}

static void test_one_approver_twice_is_one(void **state)
{
        (void)state;
        second.approvals[1] = second.approvals[0];
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        assert_int_equal(update.approval_count, 1);
}

static void test_late_approval_starts_it(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 1, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        update_approval(&update, second.approvals[1]);
        serve_for(&second, 2, HONEST, 10000);
        assert_true(reset);
}

struct trick_row {
        const char *name;
        enum trick trick;
        enum reason expected;
};

static void test_hostile_pieces_never_reach_flash(void **state)
{
        static const struct trick_row rows[] = {
                { "wrong block", WRONG_BLOCK, REASON_BLOCK_DIGEST },
                { "short block", SHORT_BLOCK, REASON_BLOCK_DIGEST },
                { "swapped blocks", SWAPPED_BLOCKS, REASON_BLOCK_DIGEST },
                { "wrong list", WRONG_LIST, REASON_BLOCK_LIST_DIGEST },
                { "short list", SHORT_LIST, REASON_BLOCK_LIST_DIGEST },
                { "silence", SILENT, REASON_NONE },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                setup(state);
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, rows[i].trick, 60000);
                if (rows[i].expected != REASON_NONE && count_told(UPDATE_REFUSED, rows[i].expected) == 0)
                        fail_msg("%s: not told", rows[i].name);
                assert_false(reset);
                assert_untouched_spare();
                assert_true(asked_blocks + asked_lists < 30); /* asked again, but not in a tight loop */
                /* the attacker tires: the same fetch goes on to its end */
                serve_for(&second, 2, HONEST, 30000);
                assert_true(reset);
                start();
                assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        }
}

static void test_unasked_blocks_are_ignored(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, UNASKED_BLOCKS, 10000);
        assert_true(reset);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_BLOCK_DIGEST), 0);
}

static void test_window_is_bounded(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 10000);
        assert_true(most_watched <= UPDATE_WINDOW);
}

static void test_manifest_replaced_in_mid_fetch(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 3000); /* fetching, no block yet */
        assert_int_equal(update.phase, UPDATE_PHASE_LIST);

        /* another signed manifest, not approved, does not stop what is approved */
        update_offer(&update, third.envelope, now);
        serve_for(&third, 0, HONEST, 5000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        assert_memory_equal(update.target.digest, second.manifest, SHA256_SIZE);

        /* once approved, the newer one is fetched instead */
        update_approval(&update, third.approvals[0]);
        update_approval(&update, third.approvals[1]);
        serve_for(&third, 2, HONEST, 10000);
        assert_true(reset);
        start();
        assert_memory_equal(device.executed, third.digest, SHA256_SIZE);
}

static void test_older_approved_manifest_does_not_displace(void **state)
{
        (void)state;
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, SILENT, 3000);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 3000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OLD_SEQUENCE), 1);
        assert_memory_equal(update.target.digest, third.manifest, SHA256_SIZE);
}

static void test_bad_offer_in_mid_fetch(void **state)
{
        static const enum who organisation[] = { ORGANISATION };

        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 3000);
        made_sign(&third, organisation, 1);
        update_offer(&update, third.envelope, now);
        serve_for(&second, 2, HONEST, 30000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_DEVELOPER_SIGNATURE), 1);
        assert_true(reset);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_whole_update, setup),
                cmocka_unit_test_setup(test_offer_taken_back, setup),
                cmocka_unit_test_setup(test_offer_taken_back_in_mid_fetch, setup),
                cmocka_unit_test_setup(test_offers_refused_before_anything_is_fetched, setup),
                cmocka_unit_test_setup(test_truncated_and_garbage_offers, setup),
                cmocka_unit_test_setup(test_approvals_of_another_digest, setup),
                cmocka_unit_test_setup(test_one_approver_twice_is_one, setup),
                cmocka_unit_test_setup(test_late_approval_starts_it, setup),
                cmocka_unit_test_setup(test_hostile_pieces_never_reach_flash, setup),
                cmocka_unit_test_setup(test_unasked_blocks_are_ignored, setup),
                cmocka_unit_test_setup(test_window_is_bounded, setup),
                cmocka_unit_test_setup(test_manifest_replaced_in_mid_fetch, setup),
                cmocka_unit_test_setup(test_older_approved_manifest_does_not_displace, setup),
                cmocka_unit_test_setup(test_bad_offer_in_mid_fetch, setup),
        };
        return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
