/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The update agent in recovery, with the real boot stage: it fetches what was confirmed again, or what is newer. */
#include "update_lab.h"

static struct made_image rescue, twin;

static void damage(enum layout_area area)
{
        made_area(&device, area)[LAYOUT_SECTOR_SIZE + 7] ^= 0x20;
}

static void start_recovery(void)
{
        struct boot_outcome outcome;

        assert_int_equal(made_start(&device, &outcome), BOOT_RECOVERY);
        assert_memory_equal(device.executed, rescue.digest, SHA256_SIZE);
        assert_int_equal(start_agent(), 0);
        update_session(&update, now);
}

static void assert_runs(const struct made_image *image)
{
        start();
        assert_memory_equal(device.executed, image->digest, SHA256_SIZE);
        assert_false(update.boot.recovery);
}

/* the first image is confirmed, and damaged; there is no other */
static int setup_recovery(void **state)
{
        made_image(&rescue, 9, 3);
        made_recovery(&rescue);
        setup(state);
        damage(LAYOUT_IMAGE_A);
        start_recovery();
        return 0;
}

static int forget_recovery(void **state)
{
        (void)state;
        made_recovery(NULL);
        return 0;
}

static void test_what_was_confirmed_is_fetched_again(void **state)
{
        (void)state;
        serve_for(&first, 0, HONEST, 2000);
        assert_int_equal(count_told(UPDATE_WAITING, REASON_RECOVERY), 1);
        assert_memory_equal(told[0].manifest, first.manifest, SHA256_SIZE);
        assert_false(reset);
        /* nobody approves it again, and no gate is asked: it was all asked when it was tried */
        policy.ticket_needed = true;
        update_offer(&update, first.envelope, now);
        serve_for(&first, 0, HONEST, 5000);
        assert_true(reset);
        assert_int_equal(questions, 0);
        assert_int_equal(count_told(UPDATE_TRYING, REASON_NONE), 1);
        assert_runs(&first);
        assert_true(update.boot.confirmed); /* no try: it runs on */
}

/* whoever signed it then may be rotated since */
static void test_repair_after_the_vendors_keys_changed(void **state)
{
        (void)state;
        vendor.organisation[0] = vendor.developer[0];
        vendor.organisation_count = 1;
        update_offer(&update, first.envelope, now);
        serve_for(&first, 0, HONEST, 5000);
        assert_true(reset);
        assert_runs(&first);
}

static void test_newer_image_needs_all_it_ever_needs(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 1, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        assert_int_equal(asked_blocks, 0);
        serve_for(&second, 2, HONEST, 1000);
        update_session(&update, now); /* the approvals come with the next session */
        serve_for(&second, 2, HONEST, 10000);
        assert_true(reset);
        assert_runs(&second);
        assert_false(update.boot.confirmed);
}

static void test_a_repair_is_not_held_up_by_a_newer_offer(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now); /* of a vendor, and approved by nobody */
        serve_for(&second, 0, HONEST, 10000);
        update_offer(&update, first.envelope, now);
        serve_for(&first, 0, HONEST, 1000);
        assert_true(reset);
        assert_runs(&first);
}

static void test_nothing_else_is_taken(void **state)
{
        static const enum who both[] = { ORGANISATION, DEVELOPER };

        (void)state;
        made_image(&twin, 5, 10); /* the same sequence, another image; even approved */
        made_sign(&twin, both, 2);
        update_offer(&update, twin.envelope, now);
        serve_for(&twin, 2, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OLD_SEQUENCE), 1);
        update_offer(&update, rescue.envelope, now); /* what runs now is no image for a slot */
        serve_for(&rescue, 2, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OLD_SEQUENCE), 2);
        assert_int_equal(asked_lists + asked_blocks, 0);
        update_offer(&update, SPAN_EMPTY, now);
        serve_for(&first, 2, HONEST, 1000);
        assert_int_equal(update.status.state, UPDATE_WAITING);
}

static void test_offer_taken_back(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 0, HONEST, 10000);
        update_offer(&update, SPAN_EMPTY, now);
        serve_for(&second, 0, HONEST, 1000);
        assert_int_equal(update.status.state, UPDATE_WAITING);
        assert_int_equal(update.status.reason, REASON_RECOVERY);
}

static void test_hostile_blocks(void **state)
{
        static const enum trick tricks[] = { WRONG_LIST, SHORT_LIST, SILENT, WRONG_BLOCK, SHORT_BLOCK, SWAPPED_BLOCKS };

        (void)state;
        update_offer(&update, first.envelope, now);
        for (size_t i = 0; i < ROWS(tricks); i++)
                serve_for(&first, 0, tricks[i], 60000);
        assert_false(reset);
        serve_for(&first, 0, HONEST, 30000);
        assert_true(reset);
        assert_runs(&first);
}

/* An updated device, both slots damaged: the older image does not come back, the newest does. */
static void test_repair_of_an_update(void **state)
{
        (void)state;
        update_offer(&update, first.envelope, now);
        serve_for(&first, 0, HONEST, 5000);
        assert_runs(&first);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_runs(&second);
        assert_int_equal(port_confirm(NULL), 0);
        damage(LAYOUT_IMAGE_A);
        damage(LAYOUT_IMAGE_B);
        start_recovery();
        update_offer(&update, first.envelope, now);
        serve_for(&first, 2, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OLD_SEQUENCE), 1);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 0, HONEST, 5000);
        assert_true(reset);
        assert_runs(&second);
}

static void test_power_cut_everywhere(void **state)
{
        for (uint64_t cut = 1;; cut++) {
                setup_recovery(state);
                made_power(&device, cut);
                assert_int_equal(start_agent(), 0);
                update_session(&update, now);
                update_offer(&update, first.envelope, now);
                int r = 0;
                for (unsigned i = 0; i < 20 && r == 0 && !reset; i++, now += 500)
                        r = serve(&first, 0, HONEST);
                if (reset)
                        break;
                assert_int_equal(r, PORT_E_IO);
                made_power(&device, 0);
                struct boot_outcome outcome;
                if (made_start(&device, &outcome) == BOOT_RECOVERY) {
                        start_recovery();
                        update_offer(&update, first.envelope, now);
                        serve_for(&first, 0, HONEST, 20000);
                        assert_true(reset);
                }
                assert_runs(&first);
        }
        made_power(&device, 0);
        assert_runs(&first);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_what_was_confirmed_is_fetched_again, setup_recovery),
                cmocka_unit_test_setup(test_repair_after_the_vendors_keys_changed, setup_recovery),
                cmocka_unit_test_setup(test_newer_image_needs_all_it_ever_needs, setup_recovery),
                cmocka_unit_test_setup(test_a_repair_is_not_held_up_by_a_newer_offer, setup_recovery),
                cmocka_unit_test_setup(test_nothing_else_is_taken, setup_recovery),
                cmocka_unit_test_setup(test_offer_taken_back, setup_recovery),
                cmocka_unit_test_setup(test_hostile_blocks, setup_recovery),
                cmocka_unit_test_setup(test_repair_of_an_update, setup_recovery),
                cmocka_unit_test(test_power_cut_everywhere),
        };
        return cmocka_run_group_tests_name("update_recovery", tests, NULL, forget_recovery);
}
