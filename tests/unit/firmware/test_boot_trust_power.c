/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power cuts while the device changes whom it believes: whatever the operation, the old or the new is in force as a
 * whole, never none, and the change can be made again.
 */
#include "made.h"

static const enum who pair[] = { APPROVER_1, APPROVER_2 };

static struct made_device device;
static struct made_image first;
static struct boot_outcome outcome;
static struct port_boot_status status;
static struct site_policy policies[4]; /* epoch 1 to 4 */
static struct vendor_keys vendors[3];  /* epoch 1 to 3 */

/* the digest that decoding will give */
static void fill_policy(struct site_policy *policy)
{
        uint8_t bytes[SITE_POLICY_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(site_policy_encode(&w, policy), RELAY_OK);
        assert_int_equal(crypto_sha256(writer_span(&w), policy->digest), RELAY_OK);
}

static void fill_vendor(struct vendor_keys *keys)
{
        uint8_t bytes[VENDOR_KEYS_SET_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(vendor_keys_encode(&w, keys), RELAY_OK);
        assert_int_equal(crypto_sha256(writer_span(&w), keys->digest), RELAY_OK);
}

static int setup_objects(void **state)
{
        (void)state;
        made_image(&first, 1, 10);
        policies[0] = made_policy();
        fill_policy(&policies[0]);
        for (size_t i = 1; i < ROWS(policies); i++) {
                policies[i] = made_next_policy(&policies[i - 1]);
                policies[i].approval_epoch = i;
                policies[i].issued = 1700000000 + i;
                fill_policy(&policies[i]);
        }
        vendors[0] = sample_vendor();
        fill_vendor(&vendors[0]);
        for (size_t i = 1; i < ROWS(vendors); i++) {
                vendors[i] = made_next_vendor(&vendors[i - 1]);
                vendors[i].command_count = 0;
                fill_vendor(&vendors[i]);
        }
        return 0;
}

/* 0: it holds now, and the power did not go; it may hold else, too, or have been refused for the flash */
static int ended(int r, enum reason refusal)
{
        if (device.ram.off)
                return PORT_E_IO;
        if (r == 0)
                assert_int_equal(refusal, REASON_NONE);
        return r;
}

static int accept_policy(uint64_t epoch)
{
        enum reason refusal = REASON_COUNT;
        int r = boot_accept(&device.boot, PORT_BOOT_POLICY, made_policy_set(&policies[epoch - 1], pair, 2), &refusal);
        return ended(r, refusal);
}

static int accept_vendor(uint64_t epoch)
{
        static const enum who signers[] = { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 };
        enum reason refusal = REASON_COUNT;
        int r = boot_accept(&device.boot, PORT_BOOT_VENDOR, made_vendor_set(&vendors[epoch - 1], signers, 4), &refusal);
        return ended(r, refusal);
}

static int revoke(uint64_t epoch)
{
        enum reason refusal = REASON_COUNT;
        struct span set = made_revocation("site-1", epoch, 1800000000 + epoch, pair, 2);
        int r = boot_accept(&device.boot, PORT_BOOT_REVOCATION, set, &refusal);
        return ended(r, refusal);
}

/* power is back: the device starts, and everything in force fits together */
static void restart(void)
{
        made_power(&device, 0);
        device.power_on = true;
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        boot_status(&device.boot, &status);
        assert_in_range(status.policy_epoch, 1, ROWS(policies));
        assert_in_range(status.vendor_epoch, 1, ROWS(vendors));
        assert_memory_equal(device.boot.policy.digest, policies[status.policy_epoch - 1].digest, SHA256_SIZE);
        assert_memory_equal(device.boot.vendor.digest, vendors[status.vendor_epoch - 1].digest, SHA256_SIZE);
}

static void test_cut_at_every_operation_of_a_policy(void **state)
{
        (void)state;
        for (uint64_t cut = 1;; cut++) {
                made_device(&device, &first);
                restart();
                made_power(&device, cut);
                if (accept_policy(2) == 0)
                        break;
                restart();
                /* floors rise with the policy, not before it */
                assert_int_equal(status.approval_epoch, status.policy_epoch - 1);
                assert_int_equal(status.time_floor, status.policy_epoch == 2 ? 1700000001 : 0);
                if (status.policy_epoch == 1)
                        assert_int_equal(accept_policy(2), 0);
                assert_int_equal(accept_policy(3), 0);
                restart();
                assert_int_equal(status.policy_epoch, 3);
        }
}

/* a cut, then another one within the next attempt */
static void test_cut_within_the_attempt_after_a_cut(void **state)
{
        bool whole = false;

        (void)state;
        for (uint64_t cut = 1; !whole; cut++) {
                bool again_whole = false;
                for (uint64_t again = 1; !again_whole && !whole; again++) {
                        made_device(&device, &first);
                        restart();
                        made_power(&device, cut);
                        whole = accept_policy(2) == 0;
                        restart();
                        made_power(&device, again);
                        again_whole = status.policy_epoch == 1 ? accept_policy(2) == 0 : accept_vendor(2) == 0;
                        restart();
                        if (status.policy_epoch == 1)
                                assert_int_equal(accept_policy(2), 0);
                        if (status.vendor_epoch == 1)
                                assert_int_equal(accept_vendor(2), 0);
                        restart();
                        assert_int_equal(status.policy_epoch, 2);
                        assert_int_equal(status.vendor_epoch, 2);
                }
        }
}

/* 0 when all of it went through */
static int change_much(void)
{
        int r = accept_policy(2);
        if (r == 0)
                r = accept_vendor(2);
        if (r == 0)
                r = revoke(5);
        if (r == 0)
                r = accept_policy(3);
        if (r == 0)
                r = accept_vendor(3);
        return r == 0 ? accept_policy(4) : r;
}

/* also where the journal changes its sector: starts fill it first */
static void test_cut_at_every_operation_of_many_changes(void **state)
{
        (void)state;
        for (uint64_t cut = 1;; cut++) {
                made_device(&device, &first);
                for (unsigned i = 0; i < 15 + cut % 5; i++)
                        restart();
                made_power(&device, cut);
                if (change_much() == 0)
                        break;
                restart();
                uint64_t revoked = status.approval_epoch;
                assert_true(revoked == 5 || revoked == status.policy_epoch - 1);
                while (status.policy_epoch < 4 || status.vendor_epoch < 3) {
                        if (status.policy_epoch < 4)
                                assert_int_equal(accept_policy(status.policy_epoch + 1), 0);
                        if (status.vendor_epoch < 3)
                                assert_int_equal(accept_vendor(status.vendor_epoch + 1), 0);
                        restart();
                        assert_true(status.approval_epoch >= revoked);
                }
                if (status.approval_epoch < 5)
                        assert_int_equal(revoke(5), 0);
                restart();
                assert_int_equal(status.approval_epoch, 5);
                assert_int_equal(status.time_floor, 1800000005);
        }
}

static int claim(void)
{
        enum reason refusal = REASON_COUNT;
        int r = boot_claim(&device.boot, made_policy_set(&policies[0], pair, 2), &refusal);
        return ended(r, refusal);
}

static void open_again(void)
{
        enum reason trust = REASON_COUNT;

        made_power(&device, 0);
        assert_int_equal(boot_open(&device.boot, &device.board, &trust), 0);
        assert_int_equal(trust, REASON_NONE);
        assert_memory_equal(device.boot.vendor.digest, vendors[0].digest, SHA256_SIZE);
        if (device.boot.record.claimed)
                assert_memory_equal(device.boot.policy.digest, policies[0].digest, SHA256_SIZE);
}

static void test_cut_at_every_operation_of_claiming(void **state)
{
        (void)state;
        for (uint64_t cut = 1;; cut++) {
                made_unclaimed_device(&device, &first);
                open_again();
                made_power(&device, cut);
                if (claim() == 0)
                        break;
                open_again();
                if (!device.boot.record.claimed)
                        assert_int_equal(claim(), 0);
                restart();
                assert_int_equal(status.policy_epoch, 1);
        }
}

static bool holds_policy(void)
{
        const char *text = policies[0].endpoints[1].host;
        for (size_t i = 0; i < LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE; i++)
                if (memcmp(device.memory + i, text, strlen(text)) == 0)
                        return true;
        return false;
}

static void test_cut_at_every_operation_of_unclaiming(void **state)
{
        (void)state;
        for (uint64_t cut = 1;; cut++) {
                made_device(&device, &first);
                restart();
                made_power(&device, cut);
                if (boot_unclaim(&device.boot) == 0 && !device.ram.off)
                        break;
                open_again();
                assert_int_equal(boot_unclaim(&device.boot), 0);
                open_again();
                assert_false(device.boot.record.claimed);
                assert_false(holds_policy());
                assert_int_equal(claim(), 0);
                restart();
        }
        assert_false(holds_policy());
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cut_at_every_operation_of_a_policy),
                cmocka_unit_test(test_cut_within_the_attempt_after_a_cut),
                cmocka_unit_test(test_cut_at_every_operation_of_many_changes),
                cmocka_unit_test(test_cut_at_every_operation_of_claiming),
                cmocka_unit_test(test_cut_at_every_operation_of_unclaiming),
        };
        return cmocka_run_group_tests_name("boot_trust_power", tests, setup_objects, NULL);
}
