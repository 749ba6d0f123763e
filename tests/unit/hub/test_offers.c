/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Offers that must not be believed, and for whom an offer is. */
#include "updater_host.h"

static const enum who organisation_only[] = { ORGANISATION };
static const enum who developer_only[] = { DEVELOPER };
static const enum who strangers[] = { STRANGER, GATE };

static void bad_signatures_are_refused_by_name(void **state)
{
        static const struct {
                const enum who *signers;
                size_t count;
                enum reason reason;
        } rows[] = {
                { NULL, 0, REASON_ORGANISATION_SIGNATURE },
                { organisation_only, 1, REASON_DEVELOPER_SIGNATURE },
                { developer_only, 1, REASON_ORGANISATION_SIGNATURE },
                { strangers, 2, REASON_ORGANISATION_SIGNATURE },
        };
        struct host *h = *state;

        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t out[MANIFEST_MAX];
                struct manifest_fields fields = host_fields(h, 20 + i);
                struct span offer = write_manifest_of(out, sizeof(out), &fields, rows[i].signers, rows[i].count);
                size_t before = h->alert_count;

                assert_int_equal(host_offer(h, "device-1", offer), rows[i].reason);
                assert_int_equal(h->alert_count, before + 1);
                assert_int_equal(h->alerts[before].reason, rows[i].reason);
                assert_string_equal(h->alerts[before].device, "device-1");
                assert_string_equal(host_state(h, offer), "unknown");
        }
}

static void a_bad_offer_displaces_nothing(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], bad[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        host_show_offer(h);
        struct manifest_fields fields = host_fields(h, 99);
        host_offer(h, "device-1", write_manifest_of(bad, sizeof(bad), &fields, organisation_only, 1));
        host_offer(h, "device-1", SPAN_LITERAL("not a manifest"));
        host_offer(h, "device-1", SPAN_EMPTY);
        assert_string_equal(host_state(h, offer), "approved");
        assert_span_equal(host_shown(h, "device-1"), offer);
        assert_int_equal(h->alert_count, 2);
        assert_int_equal(h->alerts[1].reason, REASON_MALFORMED);
}

static void the_same_refusal_is_told_once_an_hour(void **state)
{
        struct host *h = *state;

        for (int i = 0; i < 5; i++)
                host_offer(h, "device-1", SPAN_LITERAL("junk"));
        assert_int_equal(h->alert_count, 1);
        host_offer(h, "device-2", SPAN_LITERAL("junk"));
        assert_int_equal(h->alert_count, 2);
        h->now_s += 3600;
        host_offer(h, "device-1", SPAN_LITERAL("junk"));
        assert_int_equal(h->alert_count, 3);
}

static void a_flood_of_refusals_is_told_once(void **state)
{
        struct host *h = *state;

        for (uint32_t i = 0; i < 1000; i++)
                host_offer(h, "device-1", span_of(&i, sizeof(i)));
        assert_int_equal(h->alert_count, 32 + 1);
        assert_int_equal(h->alerts[32].reason, REASON_QUOTA);
        /* that was one device's share; for all of them together there is an end, too */
        for (uint32_t i = 0; i < 1000; i++) {
                char device[] = "device-0";
                device[7] = (char)('0' + i % 10);
                host_offer(h, device, span_of(&i, sizeof(i)));
        }
        assert_int_equal(h->alert_count, 128 + 1);
}

static void only_known_devices_of_the_class(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        assert_int_equal(host_offer(h, "device-9", offer), REASON_UNKNOWN_DEVICE);
        memset(h->class_id, 0xee, CLASS_ID_SIZE);
        assert_int_equal(host_offer(h, "device-1", offer), REASON_WRONG_CLASS);
        memset(h->class_id, 0, CLASS_ID_SIZE); /* the registry does not know: the device checks it */
        assert_int_equal(host_offer(h, "device-1", offer), REASON_NONE);
}

static void a_device_that_is_revoked_loses_its_offer(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        host_show_offer(h);
        h->registered[1] = false;
        updater_device_changed(h->updater, "device-1");
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_string_equal(host_waits(h, offer, "device-1"), "unknown-device");
        assert_span_equal(host_shown(h, "device-2"), offer);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                HOST_ROW(bad_signatures_are_refused_by_name),    HOST_ROW(a_bad_offer_displaces_nothing),
                HOST_ROW(the_same_refusal_is_told_once_an_hour), HOST_ROW(a_flood_of_refusals_is_told_once),
                HOST_ROW(only_known_devices_of_the_class),       HOST_ROW(a_device_that_is_revoked_loses_its_offer),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
