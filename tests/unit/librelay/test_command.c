/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: whose key may run what, where. */
#include "objects.h"
#include "relay/command.h"

static struct site_policy policy;
static struct vendor_keys vendor;
static uint8_t bytes[COMMAND_MAX];

static struct command sample(const char *device, const char *name)
{
        struct command command = { .site = "site-1", .counter = 7, .expiry = 1763800600 };

        strcpy(command.device, device);
        strcpy(command.name, name);
        command.arguments = SPAN_LITERAL("\x01\x02");
        return command;
}

static struct span sign(const struct command *command, enum who w, int expected)
{
        struct signer signer = who(w);
        struct writer out;

        writer_init(&out, bytes, sizeof(bytes));
        assert_int_equal(command_sign(&out, command, &signer), expected);
        return writer_span(&out);
}

static int setup(void **state)
{
        (void)state;
        policy = full_policy(); /* the site's key: pump.* and valve.open at device-1; the vendor's: diagnostics.* */
        vendor = sample_vendor();
        return 0;
}

static void test_scopes(void **state)
{
        static const struct {
                enum who signer;
                const char *device, *name, *asked; /* asked: by which device; NULL: by the relay */
                enum reason reason;
        } rows[] = {
                { SITE_COMMAND, "device-1", "pump.on", "device-1", REASON_NONE },
                { SITE_COMMAND, "device-1", "pump.on", NULL, REASON_NONE },
                { SITE_COMMAND, "device-1", "valve.open", "device-1", REASON_NONE },
                { SITE_COMMAND, "device-1", "valve.close", "device-1", REASON_OUT_OF_SCOPE },
                { SITE_COMMAND, "device-1", "diagnostics.log", "device-1", REASON_OUT_OF_SCOPE },
                { SITE_COMMAND, "device-2", "pump.on", "device-2", REASON_OUT_OF_SCOPE },
                { SITE_COMMAND, "device-2", "pump.on", NULL, REASON_OUT_OF_SCOPE },
                { SITE_COMMAND, "device-1", "pump.on", "device-2", REASON_WRONG_DEVICE },
                { COMMAND, "device-1", "diagnostics.log", "device-1", REASON_NONE },
                { COMMAND, "device-9", "diagnostics.log", "device-9", REASON_NONE },
                { COMMAND, "device-1", "pump.on", "device-1", REASON_OUT_OF_SCOPE },
                { ORGANISATION, "device-1", "pump.on", "device-1", REASON_BAD_SIGNATURE },
                { APPROVER_1, "device-1", "pump.on", "device-1", REASON_BAD_SIGNATURE },
                { GATE, "device-1", "pump.on", "device-1", REASON_BAD_SIGNATURE },
                { STRANGER, "device-1", "pump.on", "device-1", REASON_BAD_SIGNATURE },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                struct command command = sample(rows[i].device, rows[i].name), out = { 0 };
                struct public_key key = { 0 }, signer = key_of(rows[i].signer);

                (void)state;
                enum reason reason = command_check(sign(&command, rows[i].signer, RELAY_OK), &policy, &vendor,
                                                   rows[i].asked, NULL, &out, &key);
                if (reason != rows[i].reason)
                        fail_msg("row %zu: %s", i, reason_name(reason));
                assert_int_equal(out.counter, reason == REASON_NONE ? 7 : 0);
                assert_int_equal(key_equal(&key, &signer), reason == REASON_NONE);
                if (reason == REASON_NONE)
                        assert_span_equal(out.arguments, command.arguments);
        }
}

static void test_scope_of_a_class(void **state)
{
        struct command command = sample("device-1", "pump.on"), out;
        uint8_t pump[CLASS_ID_SIZE], lamp[CLASS_ID_SIZE] = { 0 };
        struct public_key key;
        struct span in;

        (void)state;
        memset(pump, 0xc1, sizeof(pump));
        policy.grants[0].scope = policy.rules[0].scope;
        in = sign(&command, SITE_COMMAND, RELAY_OK);
        assert_int_equal(command_check(in, &policy, &vendor, "device-1", pump, &out, &key), REASON_NONE);
        assert_int_equal(command_check(in, &policy, &vendor, "device-1", lamp, &out, &key), REASON_OUT_OF_SCOPE);
        assert_int_equal(command_check(in, &policy, &vendor, "device-1", NULL, &out, &key), REASON_OUT_OF_SCOPE);
}

/* the vendor's keys may nothing where the policy says nothing of them, whatever the vendor wishes */
static void test_vendor_may_nothing_by_default(void **state)
{
        struct command command = sample("device-1", "diagnostics.log"), out;
        struct public_key key;

        (void)state;
        policy.vendor_commands.count = 0;
        assert_int_equal(
                command_check(sign(&command, COMMAND, RELAY_OK), &policy, &vendor, "device-1", NULL, &out, &key),
                REASON_OUT_OF_SCOPE);
}

static void test_site_and_kind(void **state)
{
        struct command command = sample("device-1", "pump.on"), out;
        struct signer signer = who(SITE_COMMAND);
        uint8_t other[COMMAND_MAX], scratch[COMMAND_MAX];
        struct public_key key;
        struct cose_sign1 sign1;
        struct writer w;
        struct span in = sign(&command, SITE_COMMAND, RELAY_OK);

        (void)state;
        assert_int_equal(command_check(span_of(bytes, in.size - 1), &policy, &vendor, "device-1", NULL, &out, &key),
                         REASON_MALFORMED);
        assert_int_equal(cose_sign1_decode(in, &sign1), RELAY_OK);
        writer_init(&w, other, sizeof(other)); /* the same bytes signed as an approval */
        assert_int_equal(cose_sign1_write(&w, &signer, SPAN_LITERAL(APPROVAL_AAD), sign1.payload, false, scratch,
                                          sizeof(scratch)),
                         RELAY_OK);
        assert_int_equal(command_check(writer_span(&w), &policy, &vendor, "device-1", NULL, &out, &key),
                         REASON_BAD_SIGNATURE);
        strcpy(command.site, "site-2");
        assert_int_equal(
                command_check(sign(&command, SITE_COMMAND, RELAY_OK), &policy, &vendor, "device-1", NULL, &out, &key),
                REASON_WRONG_SITE);
}

static void test_what_cannot_be_written(void **state)
{
        static uint8_t large[COMMAND_ARGUMENTS_MAX + 1];
        struct command command = sample("device-1", "pump.on");

        (void)state;
        command.arguments = span_of(large, COMMAND_ARGUMENTS_MAX);
        sign(&command, SITE_COMMAND, RELAY_OK);
        command.arguments = SPAN_OF(large);
        sign(&command, SITE_COMMAND, RELAY_E_RANGE);
        command = sample("device-1", "pump.on");
        command.counter = 0;
        sign(&command, SITE_COMMAND, RELAY_E_RANGE);
        command = sample("device-1", "pump.*");
        sign(&command, SITE_COMMAND, RELAY_E_RANGE);
        command = sample("Device", "pump.on");
        sign(&command, SITE_COMMAND, RELAY_E_RANGE);
}

#define HEAD   \
        "00"   \
        "01"   \
        "01"   \
        "6173" \
        "02"   \
        "6164"
static void test_form(void **state)
{
        static const struct {
                const char *hex;
                int result;
        } rows[] = {
                { "a7" HEAD "0307"
                  "0405"
                  "056161"
                  "0640",
                  RELAY_OK },
                { "a7" HEAD "0300"
                  "0405"
                  "056161"
                  "0640",
                  RELAY_E_RANGE },
                { "a7" HEAD "0307"
                  "0405"
                  "0560"
                  "0640",
                  RELAY_E_RANGE },
                { "a7" HEAD "0307"
                  "0405"
                  "05612a"
                  "0640",
                  RELAY_E_RANGE },
                { "a7" HEAD "0307"
                  "0405"
                  "056161"
                  "0660",
                  RELAY_E_MALFORMED },
                { "a6" HEAD "0307"
                  "0405"
                  "056161",
                  RELAY_E_MALFORMED },
                { "a6" HEAD "0405"
                  "056161"
                  "0640",
                  RELAY_E_MALFORMED },
                { "a6" HEAD "0307"
                  "056161"
                  "0640",
                  RELAY_E_MALFORMED },
                { "a8" HEAD "0307"
                  "0405"
                  "056161"
                  "0640"
                  "0700",
                  RELAY_E_MALFORMED },
                { "a7" HEAD "0327"
                  "0405"
                  "056161"
                  "0640",
                  RELAY_E_MALFORMED },
                { "a7"
                  "0002"
                  "016173"
                  "026164"
                  "0307"
                  "0405"
                  "056161"
                  "0640",
                  RELAY_E_UNSUPPORTED },
                { "a7" HEAD "0307"
                  "0405"
                  "056161"
                  "06",
                  RELAY_E_TRUNCATED },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct command out;
                uint8_t buffer[64];
                int result = command_decode(unhex(rows[i].hex, buffer, sizeof(buffer)), &out);
                if (result != rows[i].result)
                        fail_msg("row %zu: %d", i, result);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_scopes, setup),
                cmocka_unit_test_setup(test_scope_of_a_class, setup),
                cmocka_unit_test_setup(test_vendor_may_nothing_by_default, setup),
                cmocka_unit_test_setup(test_site_and_kind, setup),
                cmocka_unit_test_setup(test_what_cannot_be_written, setup),
                cmocka_unit_test_setup(test_form, setup),
        };
        return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
