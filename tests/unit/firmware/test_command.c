/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: which are executed, and that each is at most once, whatever is repeated, reordered or cut. */
#include "../librelay/objects.h"
#include "unit.h"

#include "app/command.h"
#include "ports/common/flash_ram.h"

#define SECTOR  4096u
#define NOW     UINT64_C(1763800000)
#define NUMBERS 40

static const uint8_t class_id[CLASS_ID_SIZE] = { 0xc1 };
static struct site_policy policy;
static struct vendor_keys vendor;
static uint8_t memory[2 * SECTOR];
static struct flash_ram ram;
static struct port_flash flash;
static struct commands commands;
static unsigned executed[NUMBERS], executed_all; /* by the number in the arguments */
static enum command_outcome outcome;

static enum command_outcome run(void *context, const char *name, struct span arguments, struct writer *value)
{
        (void)context;
        executed_all++;
        if (arguments.size == 1)
                executed[arguments.data[0]]++;
        writer_bytes(value, span_of_string(name));
        return outcome;
}

static int start(uint64_t cut_after)
{
        struct commands_config config = {
                .device = "device-1",
                .class_id = class_id,
                .policy = &policy,
                .vendor = &vendor,
                .counters = { &flash, 0, 2 },
                .run = run,
        };

        flash_ram_init(&ram, memory, SECTOR, 2);
        ram.cut_after = cut_after;
        flash = flash_ram_port(&ram);
        return commands_init(&commands, &config);
}

static int setup(void **state)
{
        (void)state;
        policy = sample_policy(3, 2);
        vendor = sample_vendor();
        strcpy(policy.names[0], "pump.*");
        strcpy(policy.names[1], "diagnostics.*");
        policy.name_count = 2;
        policy.vendor_commands = (struct site_names){ 1, 1 };
        policy.grants[0] = (struct site_grant){ .key = key_of(STRANGER), .names = { 0, 1 } };
        policy.grant_count = 1;
        memset(memory, 0xff, sizeof(memory));
        memset(executed, 0, sizeof(executed));
        executed_all = 0;
        outcome = COMMAND_OUTCOME_DONE;
        return start(0);
}

static struct command sample(uint64_t counter)
{
        static uint8_t number;
        struct command command = {
                .site = "site-1", .device = "device-1", .counter = counter, .expiry = NOW + 60, .name = "pump.on"
        };

        number = (uint8_t)counter;
        command.arguments = span_of(&number, 1);
        return command;
}

static struct span sign(uint8_t out[COMMAND_MAX], const struct command *command, enum who by)
{
        struct signer signer = who(by);
        struct writer w;

        writer_init(&w, out, COMMAND_MAX);
        assert_int_equal(command_sign(&w, command, &signer), RELAY_OK);
        return writer_span(&w);
}

static enum reason take(const struct command *command, enum who by)
{
        uint8_t bytes[COMMAND_MAX];
        enum reason refusal = REASON_MALFORMED;

        assert_int_equal(commands_take(&commands, sign(bytes, command, by), true, NOW, &refusal), 0);
        return refusal;
}

static const char *next_result(void)
{
        static char text[1024];
        struct writer w;

        writer_init(&w, text, sizeof(text) - 1);
        if (!commands_next(&commands, &w))
                return "nothing";
        text[writer_span(&w).size] = '\0';
        commands_told(&commands);
        return text;
}

static const char *expected_result(enum who by, uint64_t counter, const char *rest)
{
        static char text[1024];
        struct public_key key = key_of(by);
        uint8_t id[KEY_ID_SIZE];
        char hex[2 * KEY_ID_SIZE + 1];

        assert_int_equal(key_id(&key, id), RELAY_OK);
        snprintf(text, sizeof(text), "{\"key\":\"%s\",\"counter\":%u,%s}", span_to_hex(SPAN_OF(id), hex, sizeof(hex)),
                 (unsigned)counter, rest);
        return text;
}

static void test_results(void **state)
{
        static const struct {
                enum command_outcome outcome;
                const char *expected;
        } rows[] = {
                { COMMAND_OUTCOME_DONE, "\"result\":\"done\",\"reason\":\"none\",\"value\":\"pump.on\"" },
                { COMMAND_OUTCOME_FAILED, "\"result\":\"failed\",\"reason\":\"command-failed\",\"value\":\"pump.on\"" },
                { COMMAND_OUTCOME_UNKNOWN,
                  "\"result\":\"refused\",\"reason\":\"unknown-command\",\"value\":\"pump.on\"" },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct command command = sample(i + 1);
                outcome = rows[i].outcome;
                assert_int_equal(take(&command, STRANGER), REASON_NONE);
                assert_string_equal(next_result(), expected_result(STRANGER, i + 1, rows[i].expected));
                assert_string_equal(next_result(), "nothing");
        }
        assert_int_equal(executed_all, ROWS(rows));
}

struct refusal_row {
        const char *name;
        void (*bend)(struct command *command);
        enum who signer;
        enum reason expected;
        bool told; /* to a key that may command here */
};

static void bend_nothing(struct command *command)
{
        (void)command;
}
static void bend_site(struct command *command)
{
        strcpy(command->site, "site-2");
}
static void bend_device(struct command *command)
{
        strcpy(command->device, "device-2");
}
static void bend_name(struct command *command)
{
        strcpy(command->name, "diagnostics.log");
}
static void bend_expiry(struct command *command)
{
        command->expiry = NOW - 1;
}
static void bend_counter(struct command *command)
{
        command->counter = 5;
}
static void bend_lower(struct command *command)
{
        command->counter = 4;
}

static void test_refused_commands(void **state)
{
        static const struct refusal_row rows[] = {
                { "other site", bend_site, STRANGER, REASON_WRONG_SITE, false },
                { "other device", bend_device, STRANGER, REASON_WRONG_DEVICE, false },
                { "no command key", bend_nothing, APPROVER_1, REASON_BAD_SIGNATURE, false },
                { "gate key", bend_nothing, GATE, REASON_BAD_SIGNATURE, false },
                { "site key, vendor's command", bend_name, STRANGER, REASON_OUT_OF_SCOPE, false },
                { "vendor key, site's command", bend_nothing, COMMAND, REASON_OUT_OF_SCOPE, false },
                { "expired", bend_expiry, STRANGER, REASON_EXPIRED_COMMAND, true },
                { "same counter", bend_counter, STRANGER, REASON_REPLAYED_COMMAND, true },
                { "lower counter", bend_lower, STRANGER, REASON_REPLAYED_COMMAND, true },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                const struct refusal_row *row = &rows[i];
                setup(state);
                struct command before = sample(5);
                assert_int_equal(take(&before, STRANGER), REASON_NONE);
                (void)next_result();
                struct command command = sample(6);
                row->bend(&command);
                if (take(&command, row->signer) != row->expected)
                        fail_msg("%s: not %s", row->name, reason_name(row->expected));
                char rest[128];
                snprintf(rest, sizeof(rest), "\"result\":\"refused\",\"reason\":\"%s\",\"value\":\"\"",
                         reason_name(row->expected));
                assert_string_equal(next_result(),
                                    row->told ? expected_result(STRANGER, command.counter, rest) : "nothing");
                assert_int_equal(executed_all, 1);
                /* it cost the key nothing */
                struct command next = sample(6);
                assert_int_equal(take(&next, STRANGER), REASON_NONE);
                assert_int_equal(executed_all, 2);
        }
}

static void test_unsigned_and_cut_commands(void **state)
{
        struct command command = sample(1);
        uint8_t bytes[COMMAND_MAX];
        enum reason refusal;

        (void)state;
        struct span good = sign(bytes, &command, STRANGER);
        for (size_t size = 0; size < good.size; size++) {
                assert_int_equal(commands_take(&commands, span_slice(good, 0, size), true, NOW, &refusal), 0);
                assert_int_equal(refusal, REASON_MALFORMED);
        }
        for (size_t i = good.size - SIGNATURE_SIZE; i < good.size; i++) {
                bytes[i] ^= 1;
                assert_int_equal(commands_take(&commands, good, true, NOW, &refusal), 0);
                assert_int_equal(refusal, REASON_BAD_SIGNATURE);
                bytes[i] ^= 1;
        }
        assert_int_equal(executed_all, 0);
}

static void test_expiry_needs_trusted_time(void **state)
{
        static const struct {
                bool trusted;
                uint64_t now;
                enum reason expected;
        } rows[] = {
                { false, NOW, REASON_NO_TRUSTED_TIME },
                { true, NOW + 61, REASON_EXPIRED_COMMAND },
                { true, UINT64_MAX, REASON_EXPIRED_COMMAND },
                { true, NOW + 60, REASON_NONE },
        };
        struct command command = sample(1);
        uint8_t bytes[COMMAND_MAX];
        enum reason refusal;

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct span signed_command = sign(bytes, &command, STRANGER);
                assert_int_equal(commands_take(&commands, signed_command, rows[i].trusted, rows[i].now, &refusal), 0);
                assert_int_equal(refusal, rows[i].expected);
        }
        assert_int_equal(executed_all, 1);
}

/* by relay and by cloud */
static void test_same_command_again_is_answered_again(void **state)
{
        struct command commands_sent[COMMANDS_ANSWERS + 1];

        (void)state;
        for (uint64_t i = 0; i < COMMANDS_ANSWERS + 1; i++) {
                commands_sent[i] = sample(i + 1);
                assert_int_equal(take(&commands_sent[i], STRANGER), REASON_NONE);
                (void)next_result();
        }
        assert_int_equal(executed_all, COMMANDS_ANSWERS + 1);
        struct command again = sample(3);
        assert_int_equal(take(&again, STRANGER), REASON_NONE);
        assert_string_equal(
                next_result(),
                expected_result(STRANGER, 3, "\"result\":\"done\",\"reason\":\"none\",\"value\":\"pump.on\""));
        assert_int_equal(executed_all, COMMANDS_ANSWERS + 1);
        /* older than what is remembered, and after a restart: a replay */
        again = sample(1);
        assert_int_equal(take(&again, STRANGER), REASON_REPLAYED_COMMAND);
        assert_int_equal(start(0), 0);
        again = sample(5);
        assert_int_equal(take(&again, STRANGER), REASON_REPLAYED_COMMAND);
        assert_int_equal(executed_all, COMMANDS_ANSWERS + 1);
}

static void test_counters_are_of_each_key(void **state)
{
        struct command command = sample(9), diagnostics = sample(2);

        (void)state;
        strcpy(diagnostics.name, "diagnostics.log");
        assert_int_equal(take(&command, STRANGER), REASON_NONE);
        assert_int_equal(take(&diagnostics, COMMAND), REASON_NONE);
        assert_int_equal(start(0), 0);
        command.counter = 9;
        diagnostics.counter = 2;
        assert_int_equal(take(&command, STRANGER), REASON_REPLAYED_COMMAND);
        assert_int_equal(take(&diagnostics, COMMAND), REASON_REPLAYED_COMMAND);
        command.counter = UINT64_MAX;
        assert_int_equal(take(&command, STRANGER), REASON_NONE);
        assert_int_equal(take(&command, STRANGER), REASON_NONE); /* the same one */
        assert_int_equal(executed_all, 3);
}

/* Keys come and go; there is always a place, and no key that may command loses its counter. */
static void test_more_keys_than_places(void **state)
{
        (void)state;
        for (uint64_t round = 1; round <= 3; round++) {
                for (enum who by = APPROVER_1; by < WHO_END; by++) {
                        policy.grants[0].key = key_of(by);
                        struct command command = sample(round);
                        assert_int_equal(take(&command, by), REASON_NONE);
                }
        }
        for (size_t i = 0; i < COMMANDS_KEYS_MAX; i++)
                commands.counters[i].counter = 100; /* a full table of keys that are gone */
        for (size_t i = 0; i < COMMANDS_KEYS_MAX; i++)
                memset(commands.counters[i].key, (int)i, KEY_ID_SIZE);
        struct command command = sample(7), diagnostics = sample(7);
        strcpy(diagnostics.name, "diagnostics.log");
        policy.grants[0].key = key_of(STRANGER);
        assert_int_equal(take(&command, STRANGER), REASON_NONE);
        assert_int_equal(take(&diagnostics, COMMAND), REASON_NONE);
        command.arguments = SPAN_EMPTY;
        assert_int_equal(take(&command, STRANGER), REASON_REPLAYED_COMMAND);
        assert_int_equal(start(0), 0);
        assert_int_equal(take(&command, STRANGER), REASON_REPLAYED_COMMAND);
}

/* The power goes at each flash operation of many commands: the counter never falls, no command runs twice. */
static void test_power_cut_at_each_operation(void **state)
{
        (void)state;
        for (uint64_t cut = 1; cut < 120; cut++) {
                uint8_t bytes[COMMAND_MAX];
                enum reason refusal;
                int r = 0;

                setup(state);
                assert_int_equal(start(cut), 0);
                uint64_t counter = 0;
                while (r == 0 && counter < NUMBERS - 1) {
                        struct command command = sample(++counter);
                        r = commands_take(&commands, sign(bytes, &command, STRANGER), true, NOW, &refusal);
                }
                /* what was executed had its counter in flash; the cut one was not executed */
                assert_int_equal(executed_all, r == 0 ? counter : counter - 1);
                assert_int_equal(start(0), 0);
                for (uint64_t i = 1; i <= counter; i++) {
                        struct command command = sample(i);
                        refusal = take(&command, STRANGER);
                        assert_true(refusal == REASON_REPLAYED_COMMAND || (i == counter && executed[i] == 1));
                }
                for (uint64_t i = 1; i <= counter; i++)
                        assert_true(executed[i] <= 1);
        }
}

static uint32_t draw(uint32_t *random, uint32_t below)
{
        *random ^= *random << 13;
        *random ^= *random >> 17;
        *random ^= *random << 5;
        return *random % below;
}

/* Property: at most once, whatever is repeated, reordered, or cut, over restarts. */
static void test_at_most_once(void **state)
{
        for (uint32_t seed = 1; seed < 25; seed++) {
                uint32_t random = seed * 2654435761u;
                setup(state);
                for (unsigned step = 0; step < 80; step++) {
                        struct command command = sample(1 + draw(&random, NUMBERS - 1));
                        uint8_t bytes[COMMAND_MAX];
                        enum reason refusal;

                        if (draw(&random, 5) == 0)
                                assert_int_equal(start(draw(&random, 2) == 0 ? 1 + draw(&random, 6) : 0), 0);
                        if (commands_take(&commands, sign(bytes, &command, STRANGER), draw(&random, 8) > 0, NOW,
                                          &refusal) < 0)
                                assert_int_equal(start(0), 0);
                }
                for (unsigned i = 0; i < NUMBERS; i++)
                        assert_true(executed[i] <= 1);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_results, setup),
                cmocka_unit_test_setup(test_refused_commands, setup),
                cmocka_unit_test_setup(test_unsigned_and_cut_commands, setup),
                cmocka_unit_test_setup(test_expiry_needs_trusted_time, setup),
                cmocka_unit_test_setup(test_same_command_again_is_answered_again, setup),
                cmocka_unit_test_setup(test_counters_are_of_each_key, setup),
                cmocka_unit_test_setup(test_more_keys_than_places, setup),
                cmocka_unit_test_setup(test_power_cut_at_each_operation, setup),
                cmocka_unit_test_setup(test_at_most_once, setup),
        };
        return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
