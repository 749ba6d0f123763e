/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flash that fails: an erase or a program that does nothing and says so, or says nothing; a bit that falls over. At
 * each operation of an update, a change of trust, a rotation. The device always starts, never the wrong image, never an
 * older one than was confirmed, and whoever asked is told.
 */
#include "trust_lab.h"

enum fault {
        FAULT_ERASE_SAYS_SO, /* nothing is erased, PORT_E_IO */
        FAULT_ERASE_SILENT,  /* one byte stays as it was */
        FAULT_PROGRAM_SAYS_SO /* nothing is programmed, PORT_E_IO */,
        FAULT_PROGRAM_SILENT, /* one bit is other than it should be */
        FAULTS
};

static struct {
        struct port_flash good;
        enum fault fault;
        uint64_t at, number; /* of the operation that fails, and of the last one */
        bool for_good;       /* all of its sector from then on */
        uint32_t sector;
} faulty;
static struct made_image rescue;

static bool fails(uint32_t sector)
{
        if (++faulty.number == faulty.at)
                faulty.sector = sector;
        return faulty.number == faulty.at || (faulty.for_good && faulty.number > faulty.at && sector == faulty.sector);
}

static int faulty_erase(void *context, uint32_t sector)
{
        uint8_t *bytes = device.memory + (size_t)sector * LAYOUT_SECTOR_SIZE, kept = bytes[40];
        bool failing = fails(sector);

        if (failing && faulty.fault == FAULT_ERASE_SAYS_SO)
                return PORT_E_IO;
        int r = faulty.good.erase(context, sector);
        if (failing && faulty.fault == FAULT_ERASE_SILENT)
                bytes[40] = kept;
        return r;
}

static int faulty_program(void *context, uint32_t offset, struct span data)
{
        bool failing = fails(offset / LAYOUT_SECTOR_SIZE);

        if (failing && faulty.fault == FAULT_PROGRAM_SAYS_SO)
                return PORT_E_IO;
        int r = faulty.good.program(context, offset, data);
        if (failing && faulty.fault == FAULT_PROGRAM_SILENT && data.size > 0)
                device.memory[offset + data.size / 2] ^= 0x08;
        return r;
}

static void break_flash(enum fault fault, uint64_t at, bool for_good)
{
        made_power(&device, 0);
        faulty.good = device.flash;
        faulty.fault = fault;
        faulty.at = at;
        faulty.number = 0;
        faulty.for_good = for_good;
        device.flash.erase = faulty_erase;
        device.flash.program = faulty_program;
}

static void setup_faults(void)
{
        made_image(&rescue, 9, 3);
        made_recovery(&rescue);
        assert_int_equal(setup(NULL), 0);
}

/* what may be found: an image that was confirmed last, or the one after it, or recovery; keys or not */
static void assert_starts(const struct made_image *oldest)
{
        int answer = made_start(&device, &outcome);

        assert_true(answer == BOOT_RUN || answer == BOOT_RECOVERY);
        if (answer == BOOT_RECOVERY) {
                assert_memory_equal(device.executed, rescue.digest, SHA256_SIZE);
                return;
        }
        bool is_second = memcmp(device.executed, second.digest, SHA256_SIZE) == 0;
        assert_true(is_second || memcmp(device.executed, oldest->digest, SHA256_SIZE) == 0);
}

/* 1: the new image was confirmed */
static int update(void)
{
        enum reason refusal = REASON_COUNT;

        if (made_start(&device, &outcome) != BOOT_RUN || outcome.keys != 0 || made_write(&device, 1, &second, 2) != 0 ||
            boot_stage(&device.boot, &refusal) != 0 || refusal != REASON_NONE)
                return 0;
        if (made_start(&device, &outcome) != BOOT_RUN || !outcome.trying)
                return 0;
        return boot_confirm(&device.boot) == 0;
}

static void test_every_operation_of_an_update(void **state)
{
        (void)state;
        for (unsigned fault = 0; fault < 2 * FAULTS; fault++) {
                uint64_t at = 0;
                bool reached;
                do {
                        at++;
                        setup_faults();
                        break_flash((enum fault)(fault / 2), at, fault % 2 == 1);
                        bool confirmed = update() == 1;
                        reached = faulty.number >= at;
                        assert_starts(confirmed ? &second : &first);
                        assert_starts(confirmed ? &second : &first);
                        made_power(&device, 0); /* a good flash again, with what is in it */
                        assert_starts(confirmed ? &second : &first);
                } while (reached);
                assert_true(at > 15);
        }
}

static void test_every_operation_of_a_policy(void **state)
{
        (void)state;
        for (unsigned fault = 0; fault < 2 * FAULTS; fault++) {
                uint64_t at = 0;
                bool reached;
                do {
                        at++;
                        enum reason refusal = REASON_COUNT;
                        setup_faults();
                        struct site_policy next = made_next_policy(&device.boot.policy);
                        break_flash((enum fault)(fault / 2), at, fault % 2 == 1);
                        int r = boot_accept(&device.boot, PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2),
                                            &refusal);
                        reached = faulty.number >= at;
                        assert_true(r == PORT_E_IO || refusal == REASON_NONE || refusal == REASON_FLASH_FAILED);
                        made_power(&device, 0);
                        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
                        boot_status(&device.boot, &status);
                        if (r == 0)
                                assert_int_equal(status.policy_epoch, refusal == REASON_NONE ? 2 : 1);
                } while (reached);
                assert_true(at > 8);
        }
}

static void test_every_operation_of_a_rotation(void **state)
{
        (void)state;
        for (unsigned fault = 0; fault < 2 * FAULTS; fault++) {
                uint64_t at = 0;
                bool reached;
                do {
                        at++;
                        setup_faults();
                        break_flash((enum fault)(fault / 2), at, fault % 2 == 1);
                        bool marked = boot_rotate(&device.boot) == 0;
                        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
                        reached = faulty.number >= at;
                        made_power(&device, 0);
                        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
                        assert_int_equal(outcome.keys, 0);
                        assert_true(device.boot.record.rotations == 1 || !marked);
                } while (reached);
                assert_true(at >= 4);
        }
}

/* Whatever single bit of the boot stage's areas falls over: it starts what was confirmed, and believes whom it
 * believed. */
static void test_any_bit_of_the_boot_stages_areas(void **state)
{
        static uint8_t before[LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE];
        struct site_policy next;
        size_t end;

        (void)state;
        setup_faults();
        next = made_next_policy(&device.boot.policy);
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(boot_confirm(&device.boot), 0);
        uint32_t boot = device.boot.record.boot;
        memcpy(before, device.memory, sizeof(before));
        end = (size_t)layout_area(&device.flash, LAYOUT_RECOVERY_IMAGE).first * LAYOUT_SECTOR_SIZE;
        for (size_t i = 0; i < end; i += 1 + (before[i] == 0xff ? 61 : 2)) {
                memcpy(device.memory, before, sizeof(before));
                device.memory[i] ^= (uint8_t)(1u << (i % 8));
                made_power(&device, 0);
                assert_runs(&second);
                assert_int_equal(status.policy_epoch, 2);
                assert_int_equal(status.floor, 11);
                assert_int_equal(status.boot, boot + 1);
        }
}

/* ---- the counter of starts */

/* Each start that runs something has a higher number than every one before it, wherever the power goes. */
static void test_cut_at_every_operation_of_many_starts(void **state)
{
        uint32_t highest = 0;

        (void)state;
        setup_faults();
        for (uint64_t cut = 1; cut < 400; cut++) {
                made_power(&device, 1 + cut % 7);
                device.power_on = true;
                for (unsigned i = 0; i < 4; i++) {
                        bool started = made_start(&device, &outcome) == BOOT_RUN && outcome.keys == 0;
                        if (!started)
                                break;
                        boot_status(&device.boot, &status);
                        assert_true(status.boot > highest);
                        highest = status.boot;
                }
        }
        made_power(&device, 0);
        assert_runs(&first);
        assert_true(status.boot > highest && highest > 400);
}

/* The journal takes nothing more: what was confirmed runs, without keys, for its number was used before. */
static void test_worn_out_journal(void **state)
{
        (void)state;
        setup_faults();
        break_flash(FAULT_PROGRAM_SAYS_SO, 1, true);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
                assert_int_equal(outcome.keys, PORT_E_IO);
                assert_int_equal(device.boot.keys.key.type, KEY_NONE);
                assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        }
        /* and nothing is tried */
        setup_faults();
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        break_flash(FAULT_PROGRAM_SAYS_SO, 1, true);
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_false(outcome.trying);
        assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        boot_status(&device.boot, &status);
        assert_memory_equal(status.image, first.digest, SHA256_SIZE);
}

/* Nor whom to believe: as with a journal that can be written, nothing runs. */
static void test_worn_out_journal_and_no_trust(void **state)
{
        (void)state;
        setup_faults();
        made_area(&device, LAYOUT_TRUST)[LAYOUT_SECTOR_SIZE + 10] ^= 1;
        made_area(&device, LAYOUT_TRUST_SPARE)[LAYOUT_SECTOR_SIZE + 10] ^= 1;
        break_flash(FAULT_PROGRAM_SAYS_SO, 1, true);
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_not_equal(outcome.reasons[0], REASON_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_operation_of_an_update),
                cmocka_unit_test(test_every_operation_of_a_policy),
                cmocka_unit_test(test_every_operation_of_a_rotation),
                cmocka_unit_test(test_any_bit_of_the_boot_stages_areas),
                cmocka_unit_test(test_cut_at_every_operation_of_many_starts),
                cmocka_unit_test(test_worn_out_journal),
                cmocka_unit_test(test_worn_out_journal_and_no_trust),
        };
        return cmocka_run_group_tests_name("boot_faults", tests, NULL, NULL);
}
