/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may use which topic: rows. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/access.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OWN    "sites/s1/devices/device-1/"

static const struct access_subject device = { .site = "s1", .identity = "device-1" };

static const char *const app_read[] = { "sites/s1/devices/+/events/#", "home/#" };
static const char *const app_write[] = { "sites/s1/devices/+/commands", "sites/s1/#", "home/+/set", "images/#", "#" };
static const struct access_role role = { app_read, 2, app_write, 5 };
static const struct access_subject application = { .site = "s1", .identity = "app.dashboard", .role = &role };
static const struct access_role narrow_role = { app_read, 1, app_write, 1 };
static const struct access_subject narrow = { .site = "s1", .identity = "app.narrow", .role = &narrow_role };
static const struct access_subject at_gate = { "s1", "device-1", NULL, true };
static const struct access_subject application_at_gate = { "s1", "app.dashboard", &role, true };
static const struct access_role no_role = { 0 };
static const struct access_subject powerless = { .site = "s1", .identity = "app.none", .role = &no_role };

static const struct access_subject confined = { .site = "s1", .identity = "device-1", .quarantine = true };

struct row {
        const struct access_subject *subject;
        const char *topic;
        bool allowed;
};

static void run(const struct row *rows, size_t count,
                struct decision (*decide)(const struct access_subject *subject, struct span topic))
{
        for (size_t i = 0; i < count; i++) {
                struct decision d = decide(rows[i].subject, span_of_string(rows[i].topic));
                if ((d.verdict == VERDICT_ALLOW) != rows[i].allowed)
                        fail_msg("%s: %s should be %s", rows[i].subject->identity, rows[i].topic,
                                 rows[i].allowed ? "allowed" : "denied");
                assert_int_equal(d.reason, rows[i].allowed ? REASON_NONE : REASON_TOPIC);
        }
}

/* In quarantine: the way of updates, and what is nobody's stays nobody's. */
static void test_quarantine(void **state)
{
        static const struct {
                const char *topic;
                enum reason publish, subscribe;
        } rows[] = {
                { OWN "state/relay", REASON_NONE, REASON_QUARANTINED },
                { OWN "updates/status", REASON_NONE, REASON_QUARANTINED },
                { OWN "updates/refused", REASON_NONE, REASON_QUARANTINED },
                { OWN "gate/request", REASON_NONE, REASON_QUARANTINED },
                { OWN "events/soil", REASON_QUARANTINED, REASON_QUARANTINED },
                { OWN "events1/soil", REASON_QUARANTINED, REASON_QUARANTINED },
                { OWN "state/direct", REASON_QUARANTINED, REASON_QUARANTINED },
                { OWN "commands/result", REASON_QUARANTINED, REASON_QUARANTINED },
                { OWN "commands", REASON_TOPIC, REASON_QUARANTINED },
                { OWN "updates/offer", REASON_TOPIC, REASON_NONE },
                { OWN "gate/ticket", REASON_TOPIC, REASON_NONE },
                { OWN "#", REASON_TOPIC, REASON_QUARANTINED },
                { OWN "updates/+", REASON_TOPIC, REASON_QUARANTINED },
                { OWN "+/offer", REASON_TOPIC, REASON_QUARANTINED },
                { "sites/s1/relay/state", REASON_TOPIC, REASON_NONE },
                { "sites/s1/policy/+", REASON_TOPIC, REASON_NONE },
                { "sites/s1/policy/4", REASON_TOPIC, REASON_NONE },
                { "sites/s1/vendor/+", REASON_TOPIC, REASON_NONE },
                { "sites/s1/revocations", REASON_TOPIC, REASON_NONE },
                { "sites/s1/approvals/" DIGEST "/+", REASON_TOPIC, REASON_NONE },
                { "sites/s1/audit/checkpoint", REASON_TOPIC, REASON_QUARANTINED },
                { "images/" DIGEST "/0", REASON_TOPIC, REASON_NONE },
                { "images/" DIGEST "/l0", REASON_TOPIC, REASON_NONE },
                { "images/#", REASON_TOPIC, REASON_TOPIC },
                { "sites/s1/devices/device-2/updates/offer", REASON_TOPIC, REASON_TOPIC },
                { "sites/s1/devices/device-2/state/relay", REASON_TOPIC, REASON_TOPIC },
                { "sites/s2/devices/device-1/updates/offer", REASON_TOPIC, REASON_TOPIC },
                { "sites/s1/alerts", REASON_TOPIC, REASON_TOPIC },
                { "#", REASON_TOPIC, REASON_TOPIC },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct span topic = span_of_string(rows[i].topic);

                if (access_publish(&confined, topic).reason != rows[i].publish)
                        fail_msg("publish %s: %s", rows[i].topic, reason_name(access_publish(&confined, topic).reason));
                if (access_subscribe(&confined, topic).reason != rows[i].subscribe)
                        fail_msg("subscribe %s: %s", rows[i].topic,
                                 reason_name(access_subscribe(&confined, topic).reason));
                assert_int_equal(access_publish(&confined, topic).verdict == VERDICT_ALLOW,
                                 rows[i].publish == REASON_NONE);
                assert_int_equal(access_subscribe(&confined, topic).verdict == VERDICT_ALLOW,
                                 rows[i].subscribe == REASON_NONE);
        }
}

static void test_will(void **state)
{
        static const struct row rows[] = {
                { &device, OWN "state/relay", true },         { &device, OWN "updates/offer", false },
                { &application, "home/lamp/set", true },      { &application, "sites/s1/apps/dashboard", true },
                { &application, OWN "commands", false },      { &application, OWN "gate/ticket", false },
                { &application, "sites/s1/policy/4", false },
        };

        (void)state;
        run(rows, sizeof(rows) / sizeof(rows[0]), access_will);
}

static void test_publish(void **state)
{
        (void)state;
        static const struct row rows[] = {
                { &device, OWN "events/soil", true },
                { &device, OWN "events/soil/deep", true },
                { &device, OWN "events1/soil", true },
                { &device, OWN "state/relay", true },
                { &device, OWN "state/direct", true },
                { &device, OWN "commands/result", true },
                { &device, OWN "updates/status", true },
                { &device, OWN "gate/request", true },
                { &device, OWN "updates/refused", true },
                { &device, OWN "events", false },
                { &device, OWN "events/", false },
                { &device, OWN "eventsx/soil", false },
                { &device, OWN "state/relay/x", false },
                { &device, OWN "state", false },
                { &device, OWN "commands", false },
                { &device, OWN "updates/offer", false },
                { &device, OWN "gate/ticket", false },
                { &device, "sites/s1/devices/device-2/events/soil", false },
                { &device, "sites/s1/devices/device-11/events/soil", false },
                { &device, "sites/s2/devices/device-1/events/soil", false },
                { &device, "sites/s1/relay/state", false },
                { &device, "sites/s1/policy/3", false },
                { &device, "images/" DIGEST "/0", false },
                { &device, OWN "events/#", false },
                { &device, OWN "events/+", false },
                { &device, "", false },
                { &device, "$SYS/x", false },
                { &application, OWN "commands", true },
                { &application, "sites/s1/devices/other/commands", true },
                { &application, OWN "gate/ticket", true },
                { &application, OWN "gate/request", false },
                { &application, "sites/s2/devices/device-1/gate/ticket", false },
                { &application, "sites/s1/updates/" DIGEST, false },
                { &application, OWN "events/soil", false },
                { &application, OWN "updates/offer", false },
                { &application, OWN "state/relay", false },
                { &application, OWN "commands/result", false },
                { &application, "sites/s2/devices/device-1/commands", false },
                { &application, "sites/s1/approvals/" DIGEST "/0123456789abcdef", false },
                { &application, "sites/s1/policy/4", false },
                { &application, "sites/s1/revocations", false },
                { &application, "sites/s1/vendor/2", false },
                { &application, "sites/s1/relay/state", false },
                { &application, "sites/s1/alerts", false },
                { &application, "sites/s1/audit/checkpoint", false },
                { &application, "sites/s1/devices", false },
                { &application, "sites/s1/devices/BAD/commands", false },
                { &application, "sites/s1/apps/dashboard", true },
                { &application, "sites/s2/apps/dashboard", false },
                { &application, "sites", false },
                { &application, "images/" DIGEST "/0", false },
                { &application, "images/" DIGEST "/x", false },
                { &application, "home/lamp/set", true },
                { &application, "$SYS/broker", false },
                { &application, "$share/g/home", false },
                { &application, "home/+/set", false },
                { &narrow, OWN "commands", true },
                { &narrow, OWN "gate/ticket", false },
                { &at_gate, OWN "gate/request", true },
                { &at_gate, OWN "state/relay", false },
                { &at_gate, OWN "events/soil", false },
                { &at_gate, OWN "updates/status", false },
                { &at_gate, "sites/s1/devices/device-2/gate/request", false },
                { &application_at_gate, OWN "commands", false },
                { &application_at_gate, OWN "gate/ticket", false },
                { &application_at_gate, "home/lamp/set", false },
                { &narrow, "sites/s1/apps/x", false },
                { &narrow, "home/lamp/set", false },
                { &powerless, OWN "commands", false },
                { &powerless, "x", false },
        };
        run(rows, sizeof(rows) / sizeof(rows[0]), access_publish);
}

static void test_subscribe(void **state)
{
        (void)state;
        static const struct row rows[] = {
                { &device, OWN "updates/offer", true },
                { &device, OWN "commands", true },
                { &device, OWN "#", true },
                { &device, OWN "+/#", true },
                { &device, OWN "updates/+", true },
                { &device, "sites/s1/devices/+/commands", false },
                { &device, "sites/s1/devices/device-2/commands", false },
                { &device, "sites/s1/devices/device-11/#", false },
                { &device, "sites/s2/devices/device-1/#", false },
                { &device, "sites/+/devices/device-1/commands", false },
                { &device, "sites/s1/#", false },
                { &device, "#", false },
                { &device, "+", false },
                { &device, "sites/s1/relay/state", true },
                { &device, "sites/s1/relay/+", false },
                { &device, "sites/s1/policy/+", true },
                { &device, "sites/s1/policy/3", true },
                { &device, "sites/s1/policy/#", false },
                { &device, "sites/s1/revocations", true },
                { &device, "sites/s1/approvals/#", true },
                { &device, "sites/s1/approvals/" DIGEST "/+", true },
                { &device, "sites/s2/approvals/" DIGEST "/+", false },
                { &device, "sites/s1/vendor/+", true },
                { &device, "sites/s1/vendor/7", true },
                { &device, "sites/s1/audit/checkpoint", true },
                { &device, "sites/s1/audit/#", false },
                { &device, "sites/s1/alerts", false },
                { &device, "images/" DIGEST "/0", true },
                { &device, "images/" DIGEST "/l3", true },
                { &device, "images/" DIGEST "/+", false },
                { &device, "images/" DIGEST "/#", false },
                { &device, "images/+/0", false },
                { &device, "images/" DIGEST "/01", false },
                { &device, "$share/g/" OWN "commands", false },
                { &device, "$SYS/#", false },
                { &device, OWN "a#", false },
                { &device, "", false },
                { &application, "sites/s1/devices/+/events/#", true },
                { &application, "sites/s1/devices/device-1/events/soil", true },
                { &application, "sites/s1/devices/+/state/relay", false },
                { &application, "sites/s1/devices/#", false },
                { &application, "home/#", true },
                { &application, "home", true },
                { &application, "#", false },
                { &application, "$share/g/home/#", false },
                { &powerless, "home", false },
        };
        run(rows, sizeof(rows) / sizeof(rows[0]), access_subscribe);
}

static void test_uplink(void **state)
{
        (void)state;
        static const struct {
                const char *topic;
                size_t size;
                enum access_uplink kind;
        } rows[] = {
                { OWN "updates/offer", 4096, ACCESS_UPLINK_OFFER },
                { OWN "updates/offer", 4097, ACCESS_UPLINK_REFUSED },
                { OWN "updates/offer", 0, ACCESS_UPLINK_REFUSED },
                { OWN "commands", 1024, ACCESS_UPLINK_COMMAND },
                { OWN "commands", 1025, ACCESS_UPLINK_REFUSED },
                { OWN "gate/request", 64, ACCESS_UPLINK_GATE_REQUEST },
                { OWN "gate/request", 65, ACCESS_UPLINK_REFUSED },
                { "sites/s2/devices/device-1/gate/request", 64, ACCESS_UPLINK_REFUSED },
                { OWN "gate/ticket", 512, ACCESS_UPLINK_TICKET },
                { OWN "gate/ticket", 513, ACCESS_UPLINK_REFUSED },
                { OWN "gate/other", 10, ACCESS_UPLINK_REFUSED },
                { OWN "updates/refused", 1024, ACCESS_UPLINK_REPORT },
                { OWN "updates/refused", 1025, ACCESS_UPLINK_REFUSED },
                { OWN "updates/status", 10, ACCESS_UPLINK_REFUSED },
                { OWN "commands/result", 100, ACCESS_UPLINK_REFUSED },
                { OWN "events/soil", 100, ACCESS_UPLINK_REFUSED },
                { OWN "state/relay", 100, ACCESS_UPLINK_REFUSED },
                { "sites/s2/devices/device-1/commands", 100, ACCESS_UPLINK_REFUSED },
                { "sites/s1/approvals/" DIGEST "/0123456789abcdef", 300, ACCESS_UPLINK_APPROVAL },
                { "sites/s1/approvals/" DIGEST "/0123456789abcdef", 2049, ACCESS_UPLINK_REFUSED },
                { "sites/s1/approvals/" DIGEST "/0123456789abcdeF", 300, ACCESS_UPLINK_REFUSED },
                { "sites/s1/approvals/" DIGEST "/0123456789abcde", 300, ACCESS_UPLINK_REFUSED },
                { "sites/s1/approvals/" DIGEST, 300, ACCESS_UPLINK_REFUSED },
                { "sites/s2/approvals/" DIGEST "/0123456789abcdef", 300, ACCESS_UPLINK_REFUSED },
                { "sites/s1/policy/2", 8192, ACCESS_UPLINK_POLICY },
                { "sites/s1/policy/2", 8193, ACCESS_UPLINK_REFUSED },
                { "sites/s1/policy/02", 10, ACCESS_UPLINK_REFUSED },
                { "sites/s1/policy/", 10, ACCESS_UPLINK_REFUSED },
                { "sites/s1/policy/x", 10, ACCESS_UPLINK_REFUSED },
                { "sites/s1/vendor/1", 10, ACCESS_UPLINK_VENDOR },
                { "sites/s1/vendor/1/2", 10, ACCESS_UPLINK_REFUSED },
                { "sites/s1/revocations", 10, ACCESS_UPLINK_REVOCATION },
                { "sites/s1/revocations/x", 10, ACCESS_UPLINK_REFUSED },
                { "sites/s1/relay/state", 10, ACCESS_UPLINK_REFUSED },
                { "sites/s1/alerts", 10, ACCESS_UPLINK_REFUSED },
                { "images/" DIGEST "/0", 4096, ACCESS_UPLINK_IMAGE_BLOCK },
                { "images/" DIGEST "/0", 4097, ACCESS_UPLINK_REFUSED },
                { "images/" DIGEST "/l0", 4096, ACCESS_UPLINK_IMAGE_LIST },
                { "images/" DIGEST "/l0", 4097, ACCESS_UPLINK_REFUSED },
                { "images/" DIGEST "/m0", 100, ACCESS_UPLINK_REFUSED },
                { "home/lamp", 10, ACCESS_UPLINK_REFUSED },
                { "", 10, ACCESS_UPLINK_REFUSED },
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct topic_parts parts;
                struct span topic = span_of_string(rows[i].topic);
                if (access_uplink("s1", topic, rows[i].size, &parts) != rows[i].kind)
                        fail_msg("%s, %zu bytes: %d", rows[i].topic, rows[i].size,
                                 access_uplink("s1", topic, rows[i].size, &parts));
                assert_int_equal(access_uplink("s1", topic, rows[i].size, NULL), rows[i].kind);
                if (rows[i].kind == ACCESS_UPLINK_OFFER)
                        assert_true(span_equal_string(parts.device, "device-1"));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_publish),   cmocka_unit_test(test_quarantine), cmocka_unit_test(test_will),
                cmocka_unit_test(test_subscribe), cmocka_unit_test(test_uplink),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
