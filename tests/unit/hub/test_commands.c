/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signed commands at the hub: which pass, how they reach their device once and not before they are on the disk. */

#include <errno.h>

#include "../librelay/objects.h"
#include "hub/command_record.h"
#include "hub/commands.h"

#define DEVICE "device-1"
#define TIME   UINT64_C(1763800000)

struct bench {
        struct store *store;
        struct commands commands;
        struct site_policy policy;
        struct vendor_keys vendor;
        bool has_policy, has_time, checks;
        uint64_t now;
        int hand_answer;
        size_t handed;
        char handed_to[IDENTITY_MAX + 1];
        uint8_t bytes[COMMAND_MAX];
        size_t size;
        size_t ends, alerts, audits;
        char ended[80], value[40], alert[80], audit[80]; /* "device result reason", "device reason", "actor action" */
        uint64_t commit;
};

static uint64_t now_s(void *context)
{
        return ((struct bench *)context)->now;
}

static bool time_trusted(void *context)
{
        return ((struct bench *)context)->has_time;
}

static bool device_of(void *context, const char *device, uint8_t class_id[CLASS_ID_SIZE])
{
        (void)context;
        memset(class_id, 0xc1, CLASS_ID_SIZE);
        return strncmp(device, "device-", 7) == 0;
}

static bool checks(void *context, const char *device)
{
        (void)device;
        return ((struct bench *)context)->checks;
}

static const struct site_policy *policy_of(void *context)
{
        struct bench *b = context;
        return b->has_policy ? &b->policy : NULL;
}

static const struct vendor_keys *vendor_of(void *context)
{
        return &((struct bench *)context)->vendor;
}

static int hand(void *context, const char *device, struct span command, uint64_t expiry)
{
        struct bench *b = context;

        assert_true(expiry >= b->now);
        if (b->hand_answer == COMMANDS_ABSENT || b->hand_answer < 0)
                return b->hand_answer;
        b->handed++;
        strcpy(b->handed_to, device);
        assert_true(command.size <= sizeof(b->bytes));
        memcpy(b->bytes, command.data, command.size);
        b->size = command.size;
        return b->hand_answer;
}

static void ended(void *context, const struct command_end_view *end)
{
        struct bench *b = context;

        b->ends++;
        snprintf(b->ended, sizeof(b->ended), "%s %u %s %s", end->device, (unsigned)end->counter, end->result,
                 end->reason);
        span_to_string(end->value, b->value, sizeof(b->value));
}

static void alert(void *context, const char *device, enum reason reason, const char *detail)
{
        struct bench *b = context;

        (void)detail;
        b->alerts++;
        snprintf(b->alert, sizeof(b->alert), "%s %s", device, reason_name(reason));
}

static void audit(void *context, const char *actor, enum audit_action action, const char *object, const char *detail)
{
        struct bench *b = context;

        (void)object, (void)detail;
        b->audits++;
        snprintf(b->audit, sizeof(b->audit), "%s %s", actor, audit_action_name(action));
}

static const struct commands_host *host_of(struct bench *b)
{
        static struct commands_host host;

        host = (struct commands_host){ b,         now_s, time_trusted, device_of, checks, policy_of,
                                       vendor_of, hand,  ended,        alert,     audit };
        return &host;
}

/* Site commands: the approver's key beside him may switch pumps of class 0xc1, the vendor's may ask for diagnostics. */
static void grant(struct site_policy *policy)
{
        strcpy(policy->names[0], "pump.*");
        strcpy(policy->names[1], "diagnostics");
        policy->name_count = 2;
        policy->grants[0] = (struct site_grant){ .key = key_of(APPROVER_4), .names = { 0, 1 } };
        policy->grants[0].scope.kind = SCOPE_CLASS;
        memset(policy->grants[0].scope.class_id, 0xc1, CLASS_ID_SIZE);
        policy->grant_count = 1;
        policy->vendor_commands = (struct site_names){ 1, 1 };
}

static int setup(void **state)
{
        static struct bench b;
        struct store_options options = { .size_max = 8 * 1024 * 1024 };
        char detail[100];

        b = (struct bench){ .policy = sample_policy(3, 2), .vendor = sample_vendor(), .has_policy = true };
        b.has_time = b.checks = true;
        b.now = TIME;
        grant(&b.policy);
        assert_int_equal(store_open(&options, &b.store, detail, sizeof(detail)), 0);
        assert_int_equal(commands_load(&b.commands, b.store, host_of(&b)), 0);
        *state = &b;
        return 0;
}

static int teardown(void **state)
{
        struct bench *b = *state;

        commands_release(&b->commands);
        store_free(b->store);
        return 0;
}

/* The hub ends and starts; what was staged is on the disk. */
static void restart(struct bench *b)
{
        assert_int_equal(store_sync(b->store), 0);
        commands_release(&b->commands);
        assert_int_equal(commands_load(&b->commands, b->store, host_of(b)), 0);
}

static void turn(struct bench *b)
{
        b->commit = store_commit(b->store);
        commands_sealed(&b->commands, b->commit);
        assert_int_equal(store_sync(b->store), 0);
        commands_durable(&b->commands, b->commit);
}

struct order {
        enum who signer;
        const char *device, *name, *site;
        uint64_t counter, expiry;
};

static struct span sign(const struct order *order, uint8_t out[COMMAND_MAX])
{
        struct command command = { .counter = order->counter,
                                   .expiry = order->expiry ? order->expiry : TIME + 60,
                                   .arguments = SPAN_LITERAL("5 minutes") };
        struct signer signer = who(order->signer ? order->signer : APPROVER_4);
        struct writer w;

        strcpy(command.site, order->site ? order->site : "site-1");
        strcpy(command.device, order->device ? order->device : DEVICE);
        strcpy(command.name, order->name ? order->name : "pump.on");
        writer_init(&w, out, COMMAND_MAX);
        assert_int_equal(command_sign(&w, &command, &signer), RELAY_OK);
        return writer_span(&w);
}

static enum reason take(struct bench *b, const struct order *order)
{
        struct command_origin origin = { .actor = "uplink", .device = order->device ? order->device : DEVICE };
        uint8_t bytes[COMMAND_MAX];

        return commands_take(&b->commands, &origin, sign(order, bytes), NULL);
}

static enum reason take_counter(struct bench *b, uint64_t counter)
{
        return take(b, &(struct order){ .counter = counter });
}

static void result(struct bench *b, const char *device, uint64_t counter, const char *word, const char *reason)
{
        char json[300], id[2 * KEY_ID_SIZE + 1];
        struct public_key key = key_of(APPROVER_4);
        uint8_t bytes[KEY_ID_SIZE];

        assert_int_equal(key_id(&key, bytes), RELAY_OK);
        snprintf(json, sizeof(json),
                 "{\"key\":\"%s\",\"counter\":%u,\"result\":\"%s\",\"reason\":\"%s\",\"value\":\"21.5 C\"}",
                 span_to_hex(SPAN_OF(bytes), id, sizeof(id)), (unsigned)counter, word, reason);
        commands_result(&b->commands, device, span_of_string(json));
}

/* ---- which pass */
static void signed_scoped_fresh(void **state)
{
        struct bench *b = *state;
        static const struct {
                struct order order;
                enum reason reason;
        } rows[] = {
                { { .counter = 1 }, REASON_NONE },
                { { .counter = 1 }, REASON_REPLAYED_COMMAND },
                { { .counter = 5, .name = "pump.off" }, REASON_NONE },
                { { .counter = 4, .name = "pump.off" }, REASON_REPLAYED_COMMAND },
                { { .counter = 6, .name = "diagnostics" }, REASON_OUT_OF_SCOPE },
                { { .signer = COMMAND, .counter = 1, .name = "diagnostics" }, REASON_NONE },
                { { .signer = COMMAND, .counter = 2, .name = "pump.on" }, REASON_OUT_OF_SCOPE },
                { { .signer = STRANGER, .counter = 7 }, REASON_BAD_SIGNATURE },
                { { .signer = GATE, .counter = 7 }, REASON_BAD_SIGNATURE },
                { { .signer = APPROVER_1, .counter = 7 }, REASON_BAD_SIGNATURE },
                { { .counter = 8, .site = "site-2" }, REASON_WRONG_SITE },
                { { .counter = 8, .expiry = TIME - 1 }, REASON_EXPIRED_COMMAND },
                { { .counter = 8, .expiry = TIME }, REASON_NONE },       /* its last second */
                { { .counter = 1, .device = "device-2" }, REASON_NONE }, /* each device has its own count */
                { { .counter = 1, .device = "stranger" }, REASON_UNKNOWN_DEVICE },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                size_t audits = b->audits, alerts = b->alerts;
                enum reason reason = take(b, &rows[i].order);
                if (reason != rows[i].reason)
                        fail_msg("row %zu: %s", i, reason_name(reason));
                assert_int_equal(b->audits, audits + 1);
                assert_int_equal(b->alerts, alerts + (reason != REASON_NONE));
                assert_string_equal(b->audit,
                                    reason == REASON_NONE ? "uplink command-accepted" : "uplink command-refused");
        }
}

static void rubbish_and_other_devices(void **state)
{
        struct bench *b = *state;
        struct command_origin origin = { .actor = "application:app.test", .device = "device-2" };
        uint8_t bytes[COMMAND_MAX], large[COMMAND_MAX + 1] = { 0 };
        struct span signed_one = sign(&(struct order){ .counter = 1 }, bytes);

        assert_int_equal(commands_take(&b->commands, &origin, signed_one, NULL), REASON_WRONG_DEVICE);
        assert_string_equal(b->alert, "device-2 wrong-device");
        assert_int_equal(commands_take(&b->commands, &origin, SPAN_EMPTY, NULL), REASON_MALFORMED);
        assert_int_equal(commands_take(&b->commands, &origin, SPAN_LITERAL("water"), NULL), REASON_MALFORMED);
        assert_int_equal(commands_take(&b->commands, &origin, SPAN_OF(large), NULL), REASON_TOO_LARGE);
        bytes[signed_one.size - 1] ^= 1;
        origin.device = DEVICE;
        assert_int_equal(commands_take(&b->commands, &origin, signed_one, NULL), REASON_BAD_SIGNATURE);
        bytes[signed_one.size - 1] ^= 1;
        b->has_policy = false;
        assert_int_equal(commands_take(&b->commands, &origin, signed_one, NULL), REASON_POLICY_INVALID);
        b->has_policy = true;
        b->has_time = false;
        assert_int_equal(commands_take(&b->commands, &origin, signed_one, NULL), REASON_NO_TRUSTED_TIME);
        b->has_time = true;
        assert_int_equal(commands_take(&b->commands, &origin, signed_one, NULL), REASON_NONE);
        turn(b);
        assert_int_equal(b->handed, 1);
}

static void on_the_bus_the_command_says_its_device(void **state)
{
        struct bench *b = *state;
        struct command_origin origin = { .actor = "uid:1000" };
        uint8_t bytes[COMMAND_MAX];
        uint64_t counter = 0;

        assert_int_equal(commands_take(&b->commands, &origin, sign(&(struct order){ .counter = 9 }, bytes), &counter),
                         REASON_NONE);
        assert_int_equal(counter, 9);
}

static void the_same_refusal_is_told_once(void **state)
{
        struct bench *b = *state;

        for (int i = 0; i < 5; i++)
                assert_int_equal(take(b, &(struct order){ .signer = STRANGER, .counter = 7 }), REASON_BAD_SIGNATURE);
        assert_int_equal(b->audits, 1);
        assert_int_equal(b->alerts, 1);
        for (unsigned i = 0; i < 2 * REFUSALS_MAX; i++)
                take(b, &(struct order){ .signer = STRANGER, .counter = 100 + i });
        assert_true(b->audits <= REFUSALS_MAX);
        assert_string_equal(b->alert, " quota");
}

/* The cloud says DUP when the connection was lost before our acknowledgement. */
static void what_may_come_again_is_no_replay(void **state)
{
        struct bench *b = *state;
        struct command_origin origin = { .actor = "uplink", .device = DEVICE, .again = true };
        uint8_t bytes[COMMAND_MAX];
        struct span command = sign(&(struct order){ .counter = 3 }, bytes);

        assert_int_equal(commands_take(&b->commands, &origin, command, NULL), REASON_NONE);
        assert_int_equal(commands_take(&b->commands, &origin, command, NULL), REASON_NONE);
        assert_int_equal(b->audits, 1);
        assert_int_equal(b->alerts, 0);
        assert_int_equal(b->commands.count, 1);
        origin.again = false;
        assert_int_equal(commands_take(&b->commands, &origin, command, NULL), REASON_REPLAYED_COMMAND);
        origin.again = true;
        assert_int_equal(take_counter(b, 4), REASON_NONE);
        assert_int_equal(commands_take(&b->commands, &origin, command, NULL), REASON_NONE); /* it waits still */
        turn(b);
        result(b, DEVICE, 3, "done", "none");
        assert_int_equal(commands_take(&b->commands, &origin, command, NULL), REASON_REPLAYED_COMMAND);
}

static void too_many_wait(void **state)
{
        struct bench *b = *state;

        b->hand_answer = COMMANDS_ABSENT;
        for (uint64_t counter = 1; counter <= COMMANDS_DEVICE_MAX; counter++)
                assert_int_equal(take_counter(b, counter), REASON_NONE);
        assert_int_equal(take_counter(b, 100), REASON_QUOTA);
        assert_int_equal(take(b, &(struct order){ .counter = 1, .device = "device-2" }), REASON_NONE);
        turn(b);
        result(b, DEVICE, 1, "done", "none");
        assert_int_equal(take_counter(b, 100), REASON_NONE); /* what was refused for want of room did not count */
}

/* ---- how they reach their device */
static void not_before_it_is_on_the_disk(void **state)
{
        struct bench *b = *state;

        assert_int_equal(take_counter(b, 1), REASON_NONE);
        commands_subscribed(&b->commands, DEVICE);
        assert_int_equal(b->handed, 0);
        b->commit = store_commit(b->store);
        commands_sealed(&b->commands, b->commit);
        commands_subscribed(&b->commands, DEVICE);
        commands_durable(&b->commands, b->commit - 1);
        assert_int_equal(b->handed, 0);
        commands_durable(&b->commands, b->commit);
        assert_int_equal(b->handed, 1);
        assert_string_equal(b->handed_to, DEVICE);
}

static void an_absent_device_gets_it_later(void **state)
{
        struct bench *b = *state;

        b->hand_answer = COMMANDS_ABSENT;
        assert_int_equal(take_counter(b, 1), REASON_NONE);
        assert_int_equal(take_counter(b, 2), REASON_NONE);
        turn(b);
        commands_session(&b->commands, DEVICE); /* connected, not subscribed */
        assert_int_equal(b->handed, 0);
        b->hand_answer = COMMANDS_HANDED;
        commands_subscribed(&b->commands, "device-2");
        assert_int_equal(b->handed, 0);
        commands_subscribed(&b->commands, DEVICE);
        assert_int_equal(b->handed, 2);
        commands_subscribed(&b->commands, DEVICE); /* once in a session */
        assert_int_equal(b->handed, 2);
}

static void a_restart_forgets_neither_command_nor_counter(void **state)
{
        struct bench *b = *state;
        uint8_t id[KEY_ID_SIZE];
        struct public_key key = key_of(APPROVER_4);

        b->hand_answer = COMMANDS_ABSENT;
        assert_int_equal(take_counter(b, 41), REASON_NONE);
        assert_int_equal(take_counter(b, 42), REASON_NONE);
        restart(b);
        assert_int_equal(take_counter(b, 42), REASON_REPLAYED_COMMAND);
        b->hand_answer = COMMANDS_HANDED;
        commands_session(&b->commands, DEVICE);
        assert_int_equal(b->handed, 2);
        result(b, DEVICE, 41, "done", "none");
        result(b, DEVICE, 42, "done", "none");
        restart(b);
        commands_session(&b->commands, DEVICE);
        assert_int_equal(b->handed, 2);
        assert_int_equal(take_counter(b, 42), REASON_REPLAYED_COMMAND);
        assert_int_equal(take_counter(b, 43), REASON_NONE);
        assert_int_equal(key_id(&key, id), RELAY_OK);
        assert_int_equal(commands_counter(&b->commands, DEVICE, id), 43);
        assert_int_equal(commands_counter(&b->commands, "device-2", id), 0);
}

static void a_device_that_checks_gets_it_till_it_reports(void **state)
{
        struct bench *b = *state;

        assert_int_equal(take_counter(b, 1), REASON_NONE);
        turn(b);
        commands_delivered(&b->commands, DEVICE, span_of(b->bytes, b->size));
        assert_int_equal(b->ends, 0);
        commands_session(&b->commands, DEVICE);
        assert_int_equal(b->handed, 2);
        result(b, DEVICE, 1, "done", "none");
        assert_string_equal(b->ended, DEVICE " 1 done none");
        assert_string_equal(b->value, "21.5 C");
        assert_string_equal(b->audit, "device:" DEVICE " command-ended");
        commands_session(&b->commands, DEVICE);
        assert_int_equal(b->handed, 2);
        result(b, DEVICE, 1, "done", "none"); /* told again: known */
        assert_int_equal(b->ends, 1);
}

static void a_device_that_cannot_check_gets_it_once(void **state)
{
        struct bench *b = *state;

        b->checks = false;
        assert_int_equal(take_counter(b, 1), REASON_NONE);
        turn(b);
        assert_int_equal(b->handed, 1);
        commands_delivered(&b->commands, DEVICE, SPAN_LITERAL("something else"));
        assert_int_equal(b->ends, 0);
        commands_delivered(&b->commands, DEVICE, span_of(b->bytes, b->size));
        assert_string_equal(b->ended, DEVICE " 1 delivered none");
        commands_session(&b->commands, DEVICE);
        assert_int_equal(b->handed, 1);
        b->hand_answer = COMMANDS_UNSURE; /* subscribed with QoS 0: nobody will say more */
        assert_int_equal(take_counter(b, 2), REASON_NONE);
        turn(b);
        assert_string_equal(b->ended, DEVICE " 2 delivered none");
}

static void it_expires(void **state)
{
        struct bench *b = *state;

        b->hand_answer = COMMANDS_ABSENT;
        assert_int_equal(take_counter(b, 1), REASON_NONE);
        turn(b);
        b->now = TIME + 60;
        commands_tick(&b->commands);
        assert_int_equal(b->ends, 0);
        b->now++;
        b->has_time = false;
        commands_tick(&b->commands);
        assert_int_equal(b->ends, 0);
        b->has_time = true;
        commands_tick(&b->commands);
        assert_string_equal(b->ended, DEVICE " 1 expired expired-command");
        restart(b);
        assert_int_equal(b->commands.count, 0);
}

static void what_a_device_may_say(void **state)
{
        struct bench *b = *state;

        assert_int_equal(take_counter(b, 1), REASON_NONE);
        assert_int_equal(take_counter(b, 2), REASON_NONE);
        assert_int_equal(take_counter(b, 3), REASON_NONE);
        turn(b);
        result(b, "device-2", 1, "done", "none"); /* not its own */
        result(b, DEVICE, 9, "done", "none");
        result(b, DEVICE, 1, "wonderful", "none");
        commands_result(&b->commands, DEVICE, SPAN_LITERAL("{}"));
        commands_result(&b->commands, DEVICE, SPAN_LITERAL("rubbish"));
        assert_int_equal(b->ends, 0);
        result(b, DEVICE, 1, "refused", "unknown-command");
        assert_string_equal(b->ended, DEVICE " 1 refused unknown-command");
        assert_string_equal(b->alert, DEVICE " unknown-command");
        result(b, DEVICE, 2, "failed", "command-failed");
        assert_string_equal(b->ended, DEVICE " 2 failed command-failed");
        assert_int_equal(b->alerts, 1);
        result(b, DEVICE, 3, "failed", "a-reason-of-tomorrow");
        assert_string_equal(b->ended, DEVICE " 3 failed command-failed");
}

/* ---- store */
static void a_full_store_takes_nothing(void **state)
{
        struct bench *b = *state;
        static uint8_t filler[STORE_VALUE_MAX];
        uint8_t key[STORE_NUMBER_SIZE];

        /* what is staged counts as more than it takes in the end */
        for (uint64_t n = 1, last = 0; n != last;) {
                last = n;
                while (store_put(b->store, STORE_OUTBOX, store_number_key(n, key), SPAN_OF(filler)) == 0)
                        n++;
                while (store_put(b->store, STORE_RETAINED, store_number_key(n, key), SPAN_OF(key)) == 0)
                        n++;
                assert_int_equal(store_sync(b->store), 0);
        }
        assert_int_equal(take_counter(b, 1), REASON_STORE_FULL);
        assert_int_equal(b->commands.count, 0);
        for (uint64_t n = 1; n < 20; n++)
                assert_int_equal(store_delete(b->store, STORE_OUTBOX, store_number_key(n, key)), 0);
        assert_int_equal(store_sync(b->store), 0);
        assert_int_equal(take_counter(b, 1), REASON_NONE);
}

static void a_damaged_record(void **state)
{
        struct bench *b = *state;

        assert_int_equal(store_put(b->store, STORE_COMMANDS, SPAN_LITERAL("w" DEVICE "\0\0\0\0\0\0\0\0\1"),
                                   SPAN_LITERAL("rubbish")),
                         0);
        assert_int_equal(store_sync(b->store), 0);
        commands_release(&b->commands);
        assert_int_equal(commands_load(&b->commands, b->store, host_of(b)), -EBADMSG);
}

static void records(void **state)
{
        static const char *const keys[] = { "", "w", "c", "wDEVICE", "w-1", "xdevice-1" };
        struct command_record record;
        uint8_t long_name[100];

        (void)state;
        for (size_t i = 0; i < ROWS(keys); i++)
                assert_true(command_record_decode(span_of_string(keys[i]), SPAN_LITERAL("\1"), &record) != RELAY_OK);
        memset(long_name, 'a', sizeof(long_name));
        assert_true(command_record_decode(SPAN_OF(long_name), SPAN_LITERAL("\1"), &record) != RELAY_OK);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(signed_scoped_fresh),
                test(rubbish_and_other_devices),
                test(on_the_bus_the_command_says_its_device),
                test(the_same_refusal_is_told_once),
                test(what_may_come_again_is_no_replay),
                test(too_many_wait),
                test(not_before_it_is_on_the_disk),
                test(an_absent_device_gets_it_later),
                test(a_restart_forgets_neither_command_nor_counter),
                test(a_device_that_checks_gets_it_till_it_reports),
                test(a_device_that_cannot_check_gets_it_once),
                test(it_expires),
                test(what_a_device_may_say),
                test(a_full_store_takes_nothing),
                test(a_damaged_record),
                test(records),
        };
        return cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
