/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The update agent and the boot stage: trials, their failures, erasures, power cuts. */
#include "update_lab.h"

/* the slot that is not running holds what the boot stage goes back to: it is not touched before the running image is
 * confirmed */
static void test_offer_while_trying(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        start(); /* on trial */
        assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        asked_blocks = 0;
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, HONEST, 20000);
        assert_int_equal(asked_blocks, 0);
        start(); /* it never confirmed */
        assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 60000);
        start(); /* on trial again; this time it confirms, and the newer one is fetched */
        assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, HONEST, 5000);
        assert_int_equal(port_confirm(NULL), 0);
        update_confirmed(&update);
        serve_for(&third, 2, HONEST, 5000);
        assert_true(reset);
        start();
        assert_memory_equal(device.executed, third.digest, SHA256_SIZE);
}

/* judged when it came, overtaken since */
static void test_offer_overtaken_by_what_is_confirmed(void **state)
{
        (void)state;
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, HONEST, 5000);
        start();
        asked_blocks = 0;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_int_equal(port_confirm(NULL), 0);
        update_confirmed(&update);
        serve_for(&second, 2, HONEST, 5000);
        assert_int_equal(asked_blocks, 0);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OLD_SEQUENCE), 1);
}

static void test_busy_application(void **state)
{
        (void)state;
        busy = true;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 30000);
        assert_int_equal(count_told(UPDATE_WAITING, REASON_APPLICATION_BUSY), 1);
        assert_int_equal(asked_blocks, 0);
        busy = false;
        serve_for(&second, 2, HONEST, 5000);
        assert_true(reset);
}

/* the budget is for one that fails; good updates, however many, are not stopped by it */
static void test_many_updates_a_day(void **state)
{
        (void)state;
        for (unsigned i = 1; i <= 6; i++) {
                made_image(&second, (uint8_t)(i + 1), 10 + i);
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 5000);
                assert_true(reset);
                assert_int_equal(count_told(UPDATE_REFUSED, REASON_ERASE_BUDGET), 0);
                start();
                assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
                assert_int_equal(port_confirm(NULL), 0);
                update_confirmed(&update);
        }
}

/* list and blocks fit together, but the image they make is another one than the manifest's: the vendor's own mistake */
static void test_failing_manifest_gets_three_erasures_a_day(void **state)
{
        static const enum who both[] = { ORGANISATION, DEVELOPER };

        (void)state;
        second.fields.image_digest[0] ^= 1;
        second.digest[0] ^= 1;
        made_sign(&second, both, 2);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 600000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_ERASE_BUDGET), 1);
        assert_int_equal(asked_lists, UPDATE_ERASURES_MAX);
        /* a restart does not forget it */
        start();
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 600000);
        assert_int_equal(asked_lists, UPDATE_ERASURES_MAX);
        now += UINT64_C(24) * 3600 * 1000;
        serve_for(&second, 2, HONEST, 1000);
        assert_int_equal(asked_lists, UPDATE_ERASURES_MAX + 1);
}

/* A cloud that has two approved offers shows them by turns: neither is the one that failed before. */
static void test_offers_by_turns_have_a_budget_together(void **state)
{
        unsigned fetched = 0;

        (void)state;
        for (unsigned i = 0; i < 200; i++) {
                const struct made_image *image = i % 2 ? &third : &second;
                update_offer(&update, SPAN_EMPTY, now);
                update_offer(&update, image->envelope, now);
                asked_lists = 0;
                serve_for(image, 2, SILENT, 5000);
                fetched += image == &second && asked_lists > 0;
        }
        /* the last one that was begun goes on, since nothing is erased for it */
        assert_int_equal(fetched, UPDATE_ERASURES_DAY / 2);
        assert_true(count_told(UPDATE_REFUSED, REASON_ERASE_BUDGET) > 0);
        update_offer(&update, SPAN_EMPTY, now);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 60000);
        assert_false(reset);
        now += UINT64_C(24) * 3600 * 1000;
        serve_for(&second, 2, HONEST, 60000);
        assert_true(reset);
}

static void test_failed_try_is_told_and_repeated(void **state)
{
        (void)state;
        for (unsigned i = 1; i <= PORT_BOOT_TRIES_MAX; i++) {
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 100000);
                assert_true(reset);
                assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_CONFIRMED), i > 1);
                start();
                assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
                start(); /* it never confirmed */
                assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        }
        assert_int_equal(asked_blocks, 3); /* the image stayed in the slot */
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 100000);
        assert_false(reset);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_TRIES_EXHAUSTED), 1);
}

/* power cut at each flash operation of an update; afterwards it goes on where it was */
static void test_power_cut_everywhere(void **state)
{
        for (uint64_t cut = 1;; cut++) {
                setup(state);
                made_power(&device, cut);
                assert_int_equal(start_agent(), 0);
                update_session(&update, now);
                update_offer(&update, second.envelope, now);
                int r = 0;
                for (unsigned i = 0; i < 20 && r == 0 && !reset; i++, now += 500)
                        r = serve(&second, 2, HONEST);
                if (reset)
                        break;
                assert_int_equal(r, PORT_E_IO);
                unsigned before = asked_blocks;
                uint32_t done = update.blocks_done;
                made_power(&device, 0);
                start();
                if (memcmp(device.executed, second.digest, SHA256_SIZE) == 0)
                        continue; /* staged in the last moment */
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 20000);
                assert_true(reset);
                assert_true(asked_blocks - before <= 3 - done);
                start();
                assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        }
}

static enum layout_area worn;
static int (*good_erase)(void *context, uint32_t sector);

/* no sector of this area can be erased any more */
static int worn_erase(void *context, uint32_t sector)
{
        struct flash_area area = layout_area(&device.flash, worn);

        if (sector >= area.first && sector - area.first < area.count)
                return PORT_E_IO;
        return good_erase(context, sector);
}

/* It is told, nothing restarts, the flash is not worn further without end, and what runs goes on running. */
static void test_flash_that_cannot_be_erased(void **state)
{
        static const enum layout_area areas[] = { LAYOUT_IMAGE_B, LAYOUT_MANIFEST_B, LAYOUT_LIST };

        for (size_t i = 0; i < ROWS(areas); i++) {
                setup(state);
                worn = areas[i];
                good_erase = device.flash.erase;
                device.flash.erase = worn_erase;
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 20 * 60 * 1000);
                assert_false(reset);
                assert_true(count_told(UPDATE_REFUSED, REASON_FLASH_FAILED) > 0);
                assert_int_equal(count_told(UPDATE_REFUSED, REASON_ERASE_BUDGET), 1);
                device.flash.erase = good_erase;
                start();
                assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_flash_that_cannot_be_erased),
                cmocka_unit_test_setup(test_offer_while_trying, setup),
                cmocka_unit_test_setup(test_offer_overtaken_by_what_is_confirmed, setup),
                cmocka_unit_test_setup(test_busy_application, setup),
                cmocka_unit_test_setup(test_many_updates_a_day, setup),
                cmocka_unit_test_setup(test_failing_manifest_gets_three_erasures_a_day, setup),
                cmocka_unit_test_setup(test_offers_by_turns_have_a_budget_together, setup),
                cmocka_unit_test_setup(test_failed_try_is_told_and_repeated, setup),
                cmocka_unit_test_setup(test_power_cut_everywhere, setup),
        };
        return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
