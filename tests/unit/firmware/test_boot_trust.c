/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Successors of site policy and vendor key set, and what they change for images new and old. */
#include "trust_lab.h"

/* ---- site policies */

static void test_policy_successor_is_in_force_and_stays(void **state)
{
        struct public_key newest = key_of(APPROVER_4);
        struct site_policy next = rotated();

        (void)state;
        next.approval_epoch = 1;
        next.issued = 1700000000;
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        for (unsigned i = 0; i < 2; i++) {
                boot_status(&device.boot, &status);
                assert_int_equal(status.policy_epoch, 2);
                assert_int_equal(status.vendor_epoch, 1);
                assert_int_equal(status.approval_epoch, 1);
                assert_int_equal(status.time_floor, 1700000000);
                assert_int_equal(device.boot.policy.approver_count, 3);
                assert_true(key_equal(&device.boot.policy.approvers[2], &newest));
                assert_runs(&first);
        }
        /* and the next one, into the area where the first policy was */
        next = made_next_policy(&device.boot.policy);
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four + 1, 2)), REASON_NONE);
        assert_runs(&first);
        assert_int_equal(status.policy_epoch, 3);
}

struct policy_row {
        const char *name;
        enum reason expected;
        void (*change)(struct site_policy *next);
        size_t first, count; /* of all_four: who signs */
};

static void skip_one(struct site_policy *next)
{
        next->epoch = 3;
}

static void fall_back(struct site_policy *next)
{
        next->epoch = 1;
        next->has_predecessor = false;
}

static void fork_it(struct site_policy *next)
{
        next->predecessor[5] ^= 1;
}

static void move_away(struct site_policy *next)
{
        strcpy(next->site, "site-2");
}

static void name_vendor_key(struct site_policy *next)
{
        next->approvers[1] = key_of(DEVELOPER);
}

static void lower_time(struct site_policy *next)
{
        next->issued = 0;
}

static void test_policies_that_change_nothing(void **state)
{
        static const struct policy_row rows[] = {
                { "everything right", REASON_NONE, NULL, 0, 4 },
                { "one old approver", REASON_UNDER_SIGNED, NULL, 2, 2 },
                { "one new approver", REASON_BAD_SIGNATURE, NULL, 0, 2 },
                { "an epoch is missing", REASON_POLICY_GAP, skip_one, 0, 4 },
                { "another first policy", REASON_POLICY_FORK, fall_back, 0, 4 },
                { "another predecessor", REASON_POLICY_FORK, fork_it, 0, 4 },
                { "another site", REASON_WRONG_SITE, move_away, 0, 4 },
                { "a vendor's key approves", REASON_POLICY_INVALID, name_vendor_key, 0, 4 },
                { "issued before its predecessor", REASON_POLICY_INVALID, lower_time, 0, 4 },
        };
        static uint8_t before[LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE];
        struct site_policy start;

        /* from a policy of epoch 1 that was issued some time */
        setup(state);
        assert_int_equal(boot_unclaim(&device.boot), 0);
        start = made_policy();
        start.issued = 1600000000;
        enum reason refusal = REASON_COUNT;
        assert_int_equal(boot_claim(&device.boot, made_policy_set(&start, old_pair, 2), &refusal), 0);
        assert_int_equal(refusal, REASON_NONE);
        for (size_t i = ROWS(rows); i-- > 0;) {
                struct site_policy next = rotated();
                if (rows[i].change)
                        rows[i].change(&next);
                memcpy(before, device.memory, sizeof(before));
                refusal = hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four + rows[i].first, rows[i].count));
                if (refusal != rows[i].expected)
                        fail_msg("%s: %s", rows[i].name, reason_name(refusal));
                if (refusal != REASON_NONE)
                        assert_memory_equal(before, device.memory, sizeof(before));
        }
        /* told again */
        struct site_policy same = device.boot.policy;
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&same, all_four, 4)), REASON_OLD_POLICY);
        assert_int_equal(hand_over(PORT_BOOT_POLICY, SPAN_LITERAL("rubbish")), REASON_MALFORMED);
        assert_int_equal(hand_over(PORT_BOOT_POLICY, SPAN_EMPTY), REASON_MALFORMED);
        assert_runs(&first);
        assert_int_equal(status.policy_epoch, 2);
}

static void test_rotated_approver_no_longer_counts(void **state)
{
        struct site_policy next = rotated();

        (void)state;
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        assert_int_equal(write_and_stage(&second), REASON_NOT_APPROVED);
        made_approve(&second, sample_approval(second.manifest), all_four + 2);
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
}

static void test_confirmed_image_survives_rotation_of_its_approvers(void **state)
{
        struct site_policy next = rotated();

        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(boot_confirm(&device.boot), 0);
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
                assert_runs(&second);
                assert_true(status.confirmed);
                next = made_next_policy(&device.boot.policy);
        }
}

static void test_staged_image_needs_the_new_approvers(void **state)
{
        struct site_policy next = rotated();

        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        assert_runs(&first);
        assert_int_equal(outcome.reasons[1], REASON_NOT_APPROVED);
}

/* ---- vendor key sets */

static void test_vendor_successor_is_in_force_and_stays(void **state)
{
        static const enum who new_signers[] = { ORGANISATION_2, DEVELOPER_2 };
        struct vendor_keys next = rotated_vendor();

        (void)state;
        assert_int_equal(hand_over(PORT_BOOT_VENDOR, vendor_successor(&next)), REASON_NONE);
        assert_runs(&first); /* signed by the old keys: it was tried and confirmed under them */
        assert_int_equal(status.vendor_epoch, 2);
        assert_int_equal(status.policy_epoch, 1);
        assert_int_equal(write_and_stage(&second), REASON_ORGANISATION_SIGNATURE);
        made_sign(&second, new_signers, 2);
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
}

/* Approver 1 signed the vendor's successor and left since; a device that was away takes both, in either order. */
static void test_policy_waits_for_its_vendor_keys(void **state)
{
        struct site_policy next = rotated();

        (void)state;
        next.vendor_epoch = 2;
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_VENDOR_KEYS_GAP);
        struct vendor_keys keys = rotated_vendor();
        assert_int_equal(hand_over(PORT_BOOT_VENDOR, vendor_successor(&keys)), REASON_NONE);
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        assert_runs(&first);
        assert_int_equal(status.vendor_epoch, 2);
        assert_int_equal(status.policy_epoch, 2);
}

static void test_staged_image_needs_the_new_vendor_keys(void **state)
{
        struct vendor_keys next = rotated_vendor();

        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_int_equal(hand_over(PORT_BOOT_VENDOR, vendor_successor(&next)), REASON_NONE);
        assert_runs(&first);
        assert_int_equal(outcome.reasons[1], REASON_ORGANISATION_SIGNATURE);
}

struct vendor_row {
        const char *name;
        enum reason expected;
        enum who signers[4];
        size_t count;
        uint64_t epoch;
        enum who command;
};

static void test_vendor_sets_that_change_nothing(void **state)
{
        static const struct vendor_row rows[] = {
                { "no organisation",
                  REASON_ORGANISATION_SIGNATURE,
                  { DEVELOPER, APPROVER_1, APPROVER_2 },
                  3,
                  2,
                  COMMAND },
                { "new organisation only",
                  REASON_ORGANISATION_SIGNATURE,
                  { ORGANISATION_2, DEVELOPER_2, APPROVER_1, APPROVER_2 },
                  4,
                  2,
                  COMMAND },
                { "no developer", REASON_DEVELOPER_SIGNATURE, { ORGANISATION, APPROVER_1, APPROVER_2 }, 3, 2, COMMAND },
                { "one approver", REASON_UNDER_SIGNED, { ORGANISATION, DEVELOPER, APPROVER_3 }, 3, 2, COMMAND },
                { "no approver", REASON_UNDER_SIGNED, { ORGANISATION, DEVELOPER }, 2, 2, COMMAND },
                { "an epoch is missing",
                  REASON_VENDOR_KEYS_GAP,
                  { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 },
                  4,
                  3,
                  COMMAND },
                { "an approver's key commands",
                  REASON_VENDOR_KEYS_INVALID,
                  { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 },
                  4,
                  2,
                  APPROVER_3 },
        };
        static uint8_t before[LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE];

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct vendor_keys next = rotated_vendor();
                next.epoch = rows[i].epoch;
                next.command[0] = key_of(rows[i].command);
                memcpy(before, device.memory, sizeof(before));
                enum reason refusal = hand_over(PORT_BOOT_VENDOR,
                                                made_vendor_set(&next, rows[i].signers, rows[i].count));
                if (refusal != rows[i].expected)
                        fail_msg("%s: %s", rows[i].name, reason_name(refusal));
                assert_memory_equal(before, device.memory, sizeof(before));
        }
        assert_runs(&first);
        assert_int_equal(status.vendor_epoch, 1);
}

static void damage_trust(unsigned area)
{
        made_area(&device, area == 0 ? LAYOUT_TRUST : LAYOUT_TRUST_SPARE)[LAYOUT_SECTOR_SIZE + 20] ^= 1;
}

/* Both areas hold what is in force. */
static void test_one_damaged_area_is_no_loss(void **state)
{
        struct site_policy next;

        for (unsigned damaged = 0; damaged < 2; damaged++) {
                setup(state);
                for (unsigned epoch = 2; epoch < 5; epoch++) {
                        next = made_next_policy(&device.boot.policy);
                        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
                        damage_trust(damaged);
                        assert_runs(&first);
                        assert_int_equal(status.policy_epoch, epoch);
                }
        }
}

static void test_old_trust_is_no_way_back(void **state)
{
        static uint8_t vendor_bytes[VENDOR_KEYS_SET_MAX];
        struct site_policy before = made_policy(), next = rotated();
        struct span vendor_set = write_vendor_set(vendor_bytes, sizeof(vendor_bytes));

        (void)state;
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        unsigned area = device.boot.record.trust_area;
        damage_trust(area);
        assert_int_equal(trust_write(&device.flash, 1 - area, vendor_set, made_policy_set(&before, old_pair, 2)), 0);
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_equal(outcome.reasons[0], REASON_MALFORMED);
        damage_trust(area);
        assert_runs(&first);
}

/* Somebody with a flash programmer writes a pair that is well signed, but not the one that was accepted. */
static void test_other_trust_in_flash_is_not_believed(void **state)
{
        static uint8_t vendor_bytes[VENDOR_KEYS_SET_MAX];
        struct site_policy foreign = made_policy();
        struct vendor_keys keys = rotated_vendor();

        (void)state;
        foreign.patience_s = 77;
        struct span vendor_set = write_vendor_set(vendor_bytes, sizeof(vendor_bytes));
        for (unsigned area = 0; area < 2; area++)
                assert_int_equal(trust_write(&device.flash, area, vendor_set, made_policy_set(&foreign, old_pair, 2)),
                                 0);
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_equal(outcome.reasons[0], REASON_POLICY_INVALID);
        foreign = made_policy();
        struct span policy_set = made_policy_set(&foreign, old_pair, 2);
        for (unsigned area = 0; area < 2; area++)
                assert_int_equal(trust_write(&device.flash, area, vendor_successor(&keys), policy_set), 0);
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_equal(outcome.reasons[0], REASON_VENDOR_KEYS_INVALID);
        assert_int_equal(trust_write(&device.flash, 1, vendor_set, policy_set), 0);
        assert_runs(&first);
}

static int (*good_program)(void *context, uint32_t offset, struct span data);

/* a cell of the second sector of either trust area no longer takes a zero */
static int worn_program(void *context, uint32_t offset, struct span data)
{
        const uint32_t worn[] = {
                layout_area(&device.flash, LAYOUT_TRUST).first * LAYOUT_SECTOR_SIZE + LAYOUT_SECTOR_SIZE + 40,
                layout_area(&device.flash, LAYOUT_TRUST_SPARE).first * LAYOUT_SECTOR_SIZE + LAYOUT_SECTOR_SIZE + 40
        };
        int r = good_program(context, offset, data);

        for (size_t i = 0; i < ROWS(worn); i++)
                if (r == 0 && offset <= worn[i] && worn[i] - offset < data.size)
                        device.memory[worn[i]] = 0xff;
        return r;
}

static void test_worn_flash_is_noticed_before_it_counts(void **state)
{
        struct site_policy next = made_next_policy(&device.boot.policy);
        enum reason refusal = REASON_COUNT;

        (void)state;
        good_program = device.flash.program;
        device.flash.program = worn_program;
        struct span set = made_policy_set(&next, old_pair, 2);
        assert_int_equal(boot_accept(&device.boot, PORT_BOOT_POLICY, set, &refusal), 0);
        assert_int_equal(refusal, REASON_FLASH_FAILED);
        made_power(&device, 0);
        assert_runs(&first);
        assert_int_equal(status.policy_epoch, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_policy_successor_is_in_force_and_stays, setup),
                cmocka_unit_test_setup(test_policies_that_change_nothing, setup),
                cmocka_unit_test_setup(test_rotated_approver_no_longer_counts, setup),
                cmocka_unit_test_setup(test_confirmed_image_survives_rotation_of_its_approvers, setup),
                cmocka_unit_test_setup(test_staged_image_needs_the_new_approvers, setup),
                cmocka_unit_test_setup(test_vendor_successor_is_in_force_and_stays, setup),
                cmocka_unit_test_setup(test_policy_waits_for_its_vendor_keys, setup),
                cmocka_unit_test_setup(test_staged_image_needs_the_new_vendor_keys, setup),
                cmocka_unit_test_setup(test_vendor_sets_that_change_nothing, setup),
                cmocka_unit_test(test_one_damaged_area_is_no_loss),
                cmocka_unit_test_setup(test_old_trust_is_no_way_back, setup),
                cmocka_unit_test_setup(test_other_trust_in_flash_is_not_believed, setup),
                cmocka_unit_test_setup(test_worn_flash_is_noticed_before_it_counts, setup),
        };
        return cmocka_run_group_tests_name("boot_trust", tests, NULL, NULL);
}
