/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What devices say that they refused: which become alerts, how often, and nonsense. */

#include "../librelay/unit.h"
#include "hub/reports.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct bench {
        uint64_t now;
        size_t alerts;
        char device[80], detail[300];
        enum reason reason;
        struct reports reports;
};

static uint64_t now_s(void *context)
{
        return ((struct bench *)context)->now;
}

static void alert(void *context, const char *device, enum reason reason, const char *detail)
{
        struct bench *b = context;

        b->alerts++;
        b->reason = reason;
        snprintf(b->device, sizeof(b->device), "%s", device);
        snprintf(b->detail, sizeof(b->detail), "%s", detail);
}

static int setup(void **state)
{
        static struct bench b;

        b = (struct bench){ .now = 1763800000 };
        b.reports = (struct reports){ .host = { &b, now_s, alert } };
        *state = &b;
        return 0;
}

static void status(struct bench *b, const char *state, const char *reason, unsigned progress)
{
        char json[300];

        snprintf(json, sizeof(json),
                 "{\"state\":\"%s\",\"manifest\":\"" DIGEST
                 "\",\"version\":\"1.1.0\",\"progress\":%u,\"reason\":\"%s\"}",
                 state, progress, reason);
        reports_status(&b->reports, "device-1", span_of_string(json));
}

static void refused_updates(void **state)
{
        static const struct {
                const char *state, *reason;
                bool told;
        } rows[] = {
                { "refused", "not-approved", true },
                { "refused", "developer-signature", true },
                { "refused", "wrong-vendor", true },
                { "refused", "block-digest", true },
                { "refused", "not-confirmed", true },
                { "refused", "revoked-epoch", true },
                { "waiting", "not-approved", false },
                { "refused", "old-sequence", false },
                { "refused", "application-busy", false },
                { "refused", "gate-closed", false },
                { "refused", "no-trusted-time", false },
                { "idle", "none", false },
                { "refused", "none", false },
        };
        struct bench *b = *state;

        for (size_t i = 0; i < ROWS(rows); i++) {
                size_t before = b->alerts;

                status(b, rows[i].state, rows[i].reason, 0);
                if (b->alerts != before + rows[i].told)
                        fail_msg("%s %s", rows[i].state, rows[i].reason);
                if (rows[i].told) {
                        assert_string_equal(reason_name(b->reason), rows[i].reason);
                        assert_non_null(strstr(b->detail, DIGEST));
                        assert_string_equal(b->device, "device-1");
                }
        }
}

static void each_is_told_once_an_hour(void **state)
{
        struct bench *b = *state;

        for (unsigned i = 0; i < 100; i++)
                status(b, "refused", "not-approved", i);
        assert_int_equal(b->alerts, 1);
        b->now += REFUSALS_INTERVAL_S;
        status(b, "refused", "not-approved", 0);
        assert_int_equal(b->alerts, 2);
}

static void flood(struct bench *b, const char *device, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                char json[200];
                snprintf(json, sizeof(json), "{\"object\":\"ticket\",\"reason\":\"wrong-nonce\",\"detail\":\"%u\"}", i);
                reports_refused(&b->reports, device, span_of_string(json), false);
        }
}

static void a_flood_is_told_as_one(void **state)
{
        struct bench *b = *state;

        for (unsigned i = 0; i < REFUSALS_MAX / REFUSALS_SHARE; i++) {
                char device[16];
                snprintf(device, sizeof(device), "device-%u", i);
                flood(b, device, REFUSALS_SHARE);
        }
        assert_int_equal(b->alerts, REFUSALS_MAX);
        flood(b, "device-99", 3 * REFUSALS_MAX);
        assert_int_equal(b->alerts, REFUSALS_MAX + 1);
        assert_int_equal(b->reason, REASON_QUOTA);
}

static void one_device_does_not_silence_another(void **state)
{
        struct bench *b = *state;

        flood(b, "device-1", 3 * REFUSALS_MAX);
        assert_int_equal(b->alerts, REFUSALS_SHARE + 1);
        assert_int_equal(b->reason, REASON_QUOTA);
        flood(b, "device-2", 1);
        assert_int_equal(b->alerts, REFUSALS_SHARE + 2);
        assert_int_equal(b->reason, REASON_WRONG_NONCE);
        assert_string_equal(b->device, "device-2");
}

/* It speaks in the name of all of them, and nobody signed it. */
static void a_cloud_does_not_silence_devices(void **state)
{
        struct bench *b = *state;
        char device[16], json[128];

        for (unsigned i = 0; i < 1000; i++) {
                snprintf(device, sizeof(device), "device-%u", i % 50);
                snprintf(json, sizeof(json), "{\"object\":\"policy\",\"reason\":\"policy-fork\",\"detail\":\"%u\"}", i);
                reports_refused(&b->reports, device, span_of_string(json), true);
        }
        assert_int_equal(b->alerts, REFUSALS_MAX + 1);
        assert_int_equal(b->reason, REASON_QUOTA);
        flood(b, "device-7", 1);
        assert_int_equal(b->alerts, REFUSALS_MAX + 2);
        assert_string_equal(b->device, "device-7");
}

static void refused_objects(void **state)
{
        struct bench *b = *state;

        reports_refused(&b->reports, "device-2",
                        SPAN_LITERAL("{\"object\":\"policy\",\"reason\":\"policy-fork\",\"detail\":\"7\"}"), false);
        assert_int_equal(b->reason, REASON_POLICY_FORK);
        assert_string_equal(b->device, "device-2");
        assert_non_null(strstr(b->detail, "policy (7)"));
        reports_refused(&b->reports, "device-2",
                        SPAN_LITERAL("{\"object\":\"policy\",\"reason\":\"policy-fork\",\"detail\":\"7\"}"), true);
        assert_non_null(strstr(b->detail, "by the cloud's word"));
        assert_non_null(strstr(b->detail, "direct way"));
        reports_refused(&b->reports, "device-2",
                        SPAN_LITERAL("{\"object\":\"command\",\"reason\":\"of-tomorrow\",\"detail\":\"\"}"), false);
        assert_int_equal(b->reason, REASON_MALFORMED);
        assert_int_equal(b->alerts, 3);
}

static void nonsense(void **state)
{
        static const char *const texts[] = { "",
                                             "{}",
                                             "[]",
                                             "refused",
                                             "{\"object\":\"moon\",\"reason\":\"x\"}",
                                             "{\"object\":7}",
                                             "{\"state\":\"refused\"",
                                             "{\"state\":true}" };
        struct bench *b = *state;

        for (size_t i = 0; i < ROWS(texts); i++) {
                reports_refused(&b->reports, "device-1", span_of_string(texts[i]), false);
                reports_status(&b->reports, "device-1", span_of_string(texts[i]));
        }
        assert_int_equal(b->alerts, 0);
}

#define test(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(refused_updates),
                test(each_is_told_once_an_hour),
                test(a_flood_is_told_as_one),
                test(one_device_does_not_silence_another),
                test(a_cloud_does_not_silence_devices),
                test(refused_objects),
                test(nonsense),
        };
        return cmocka_run_group_tests_name("reports", tests, NULL, NULL);
}
