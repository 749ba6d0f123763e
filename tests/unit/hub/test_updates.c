/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "updater_host.h"

#include <stdlib.h>

#include "hub/manager.h"
#include "hub/refusals.h"

/* ---- the straight path */

static void offer_waits_for_approval_gate_and_image(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        assert_int_equal(host_offer(h, "device-1", offer), REASON_NONE);
        assert_int_equal(host_offer(h, "device-2", offer), REASON_NONE);
        assert_string_equal(host_state(h, offer), "pending");
        assert_string_equal(host_waits(h, offer, "device-1"), "approval");

        assert_int_equal(host_approve(h, offer, APPROVER_1), REASON_NONE);
        assert_string_equal(host_state(h, offer), "pending");
        assert_string_equal(h->watched[0], ""); /* nothing is fetched for one approval of two */
        assert_int_equal(h->approved, 0);       /* and nobody may run it */
        assert_int_equal(host_approve(h, offer, APPROVER_3), REASON_NONE);
        assert_string_equal(host_state(h, offer), "approved");
        assert_string_equal(host_waits(h, offer, "device-1"), "gate");
        assert_true(h->approved > 0);
        assert_memory_equal(h->approved_image, host_fields(h, 7).image_digest, SHA256_SIZE);

        host_serve_image(h);
        assert_int_equal(host_shown(h, "device-1").size, 0);
        host_open_gate(h, 0);
        assert_span_equal(host_shown(h, "device-1"), offer);
        assert_span_equal(host_shown(h, "device-2"), offer);
        assert_int_equal(host_shown(h, "device-3").size, 0); /* never offered to it */
        assert_string_equal(host_waits(h, offer, "device-1"), "offered");
        assert_int_equal(h->alert_count, 0);
}

static void open_gate_waits_for_the_image(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        host_open_gate(h, 0);
        host_offer(h, "device-1", offer);
        host_approve(h, offer, APPROVER_1);
        host_approve(h, offer, APPROVER_2);
        assert_string_equal(host_waits(h, offer, "device-1"), "image");
        assert_int_equal(host_shown(h, "device-1").size, 0);
        host_serve_image(h);
        assert_span_equal(host_shown(h, "device-1"), offer);
}

static void closing_the_gate_takes_offers_back(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        host_show_offer(h);
        host_status(h, "device-2", "confirmed", offer, "none");
        assert_string_equal(host_waits(h, offer, "device-2"), "installed");
        host_status(h, "device-2", "confirmed", offer, "none");
        assert_int_equal(h->audits[AUDIT_UPDATE_INSTALLED], 1);
        assert_int_equal(host_shown(h, "device-2").size, 0);
        host_close_gate(h);
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_string_equal(host_waits(h, offer, "device-1"), "gate");
        assert_string_equal(host_waits(h, offer, "device-2"), "installed");
}

static void the_gate_closes_by_itself(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        host_offer(h, "device-1", offer);
        host_approve(h, offer, APPROVER_1);
        host_approve(h, offer, APPROVER_2);
        host_serve_image(h);
        host_open_gate(h, h->now_s + 600);
        assert_span_equal(host_shown(h, "device-1"), offer);
        assert_int_equal(updater_deadline(h->updater), h->now_ms + 600000);
        h->now_s += 600;
        h->now_ms += 600000;
        updater_tick(h->updater);
        assert_int_equal(host_shown(h, "device-1").size, 0);
}

static void gate_times_must_lie_ahead(void **state)
{
        struct host *h = *state;
        struct refusal refusal;

        assert_int_equal(updater_open_gate(h->updater, "uid:0", h->now_s, &refusal), MANAGER_REFUSED);
        h->time_trusted = false;
        assert_int_equal(updater_open_gate(h->updater, "uid:0", h->now_s + 10, &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_NO_TRUSTED_TIME);
}

static void approvals_and_anchors_are_retained_here_and_in_the_cloud(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE], id[KEY_ID_SIZE];
        char topic[TOPIC_MAX];
        struct public_key key = key_of(APPROVER_1);
        struct span offer = host_manifest(h, 7, out);

        host_offer(h, "device-1", offer);
        host_approve(h, offer, APPROVER_1);
        host_digest(offer, digest);
        assert_int_equal(key_id(&key, id), RELAY_OK);
        topic_approval(topic, HOST_SITE, digest, id);
        assert_true(host_topic_of(h->local, h->local_count, topic).size > 0);
        assert_true(host_topic_of(h->cloud, h->cloud_count, topic).size > 0);
        static const char *const anchors[] = { "policy/1", "vendor/1" };
        for (size_t i = 0; i < 2; i++) {
                topic_site(topic, HOST_SITE, anchors[i]);
                assert_true(host_topic_of(h->local, h->local_count, topic).size > 0);
                assert_true(host_topic_of(h->cloud, h->cloud_count, topic).size > 0);
        }
}

/* ---- after a restart */

static void a_restart_forgets_nothing(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        host_show_offer(h);
        host_status(h, "device-1", "refused", offer, "application-busy");
        host_commit(h);
        host_restart(h);
        assert_string_equal(host_state(h, offer), "approved");
        assert_string_equal(host_waits(h, offer, "device-1"), "application-busy");
        assert_span_equal(host_shown(h, "device-1"), offer);
        assert_string_equal(h->watched[0], ""); /* the image is here: nothing is fetched again */
        assert_int_equal(host_approve(h, offer, APPROVER_1), REASON_ALREADY_APPROVED);
}

static void an_interrupted_fetch_goes_on(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        char topic[TOPIC_MAX];
        struct manager_view view = { 0 };
        struct span offer = host_manifest(h, 7, out);

        host_offer(h, "device-1", offer);
        host_approve(h, offer, APPROVER_1);
        host_approve(h, offer, APPROVER_2);
        strcpy(topic, h->watched[0]);
        host_image_message(h, topic, host_image_payload(h, topic)); /* the list */
        for (int i = 0; i < 2; i++) {
                strcpy(topic, h->watched[0][0] ? h->watched[0] : h->watched[1]);
                host_image_message(h, topic, host_image_payload(h, topic));
        }
        host_commit(h);
        host_restart(h);
        updater_uplink(h->updater, true);
        size_t wanted = 0;
        for (size_t i = 0; i < ROWS(h->watched); i++)
                wanted += h->watched[i][0] != '\0';
        assert_int_equal(wanted, 4); /* of six blocks two are here; the list, too */
        host_serve_image(h);
        host_open_gate(h, 0);
        assert_span_equal(host_shown(h, "device-1"), offer);
        updater_view(h->updater, &view);
        assert_int_equal(view.image_bytes_fetched, IMAGE_SIZE - 2 * IMAGE_BLOCK_SIZE);
}

/* ---- approvals */

static void bad_approvals_do_not_count(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out);

        host_offer(h, "device-1", offer);
        host_digest(offer, digest);
        struct approval approval = sample_approval(digest);
        assert_int_equal(host_approve_as(h, &approval, APPROVER_1), REASON_NONE);
        assert_int_equal(host_approve_as(h, &approval, APPROVER_1), REASON_ALREADY_APPROVED);
        assert_int_equal(host_approve_as(h, &approval, STRANGER), REASON_NOT_AN_APPROVER);
        assert_int_equal(host_approve_as(h, &approval, ORGANISATION), REASON_NOT_AN_APPROVER);
        strcpy(approval.site, "site-2");
        assert_int_equal(host_approve_as(h, &approval, APPROVER_2), REASON_WRONG_SITE);
        memset(digest, 5, sizeof(digest));
        approval = sample_approval(digest);
        assert_int_equal(host_approve_as(h, &approval, APPROVER_2), REASON_UNKNOWN_UPDATE);
        assert_string_equal(host_state(h, offer), "pending");
        assert_int_equal(h->alert_count, 0); /* the person who calls is told, nobody else */
}

static void approvals_come_by_the_uplink_too(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out);

        host_digest(offer, digest);
        struct approval approval = sample_approval(digest);
        /* before its offer: kept till it comes */
        assert_int_equal(host_approve_from_cloud(h, &approval, APPROVER_1), REASON_UNKNOWN_UPDATE);
        host_offer(h, "device-1", offer);
        assert_string_equal(host_state(h, offer), "pending");
        assert_int_equal(host_approve_from_cloud(h, &approval, APPROVER_2), REASON_NONE);
        assert_string_equal(host_state(h, offer), "approved");
        assert_int_equal(host_approve_from_cloud(h, &approval, STRANGER), REASON_NOT_AN_APPROVER);
        assert_int_equal(h->alert_count, 1);
}

static void a_scope_covers_its_devices_only(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out);

        host_offer(h, "device-1", offer);
        host_offer(h, "device-2", offer);
        host_digest(offer, digest);
        struct approval approval = sample_approval(digest);
        host_approve_as(h, &approval, APPROVER_1);
        approval.scope = SCOPE_DEVICES;
        approval.device_count = 1;
        strcpy(approval.devices[0], "device-2");
        assert_int_equal(host_approve_as(h, &approval, APPROVER_2), REASON_NONE);
        host_open_gate(h, 0);
        host_serve_image(h);
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_string_equal(host_waits(h, offer, "device-1"), "out-of-scope");
        assert_span_equal(host_shown(h, "device-2"), offer);
}

static void a_window_opens_and_ends(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out);

        host_open_gate(h, 0);
        host_offer(h, "device-1", offer);
        host_digest(offer, digest);
        struct approval approval = sample_approval(digest);
        host_approve_as(h, &approval, APPROVER_1);
        approval.has_not_before = approval.has_not_after = true;
        approval.not_before = h->now_s + 100;
        approval.not_after = h->now_s + 200;
        host_approve_as(h, &approval, APPROVER_2);
        assert_string_equal(host_waits(h, offer, "device-1"), "outside-window");
        size_t changes = h->changes;
        h->now_ms += 20000;
        updater_tick(h->updater);
        assert_int_equal(h->changes, changes); /* nothing became another: nothing is told */
        h->now_s += 150;
        h->now_ms += 150000;
        updater_tick(h->updater);
        host_serve_image(h);
        assert_span_equal(host_shown(h, "device-1"), offer);
        h->now_s += 100;
        h->now_ms += 100000;
        updater_tick(h->updater);
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_string_equal(host_waits(h, offer, "device-1"), "outside-window");
        /* what ended may be given anew */
        approval.not_after = h->now_s + 200;
        assert_int_equal(host_approve_as(h, &approval, APPROVER_2), REASON_NONE);
        assert_span_equal(host_shown(h, "device-1"), offer);
}

static void a_denied_update_is_taken_back(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct refusal refusal;
        struct span offer = host_manifest(h, 7, out);

        host_show_offer(h);
        host_digest(offer, digest);
        assert_int_equal(updater_deny(h->updater, "uid:0", digest, "not in winter", &refusal), 0);
        assert_string_equal(host_state(h, offer), "denied");
        assert_string_equal(host_waits(h, offer, "device-1"), "denied");
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_int_equal(host_approve(h, offer, APPROVER_2), REASON_DENIED);
        host_commit(h);
        host_restart(h);
        assert_string_equal(host_state(h, offer), "denied");
        memset(digest, 1, sizeof(digest));
        assert_int_equal(updater_deny(h->updater, "uid:0", digest, "", &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_UNKNOWN_UPDATE);
}

/* ---- several updates */

static void only_an_approved_update_supersedes_an_approved_one(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], newer_out[MANIFEST_MAX], old_out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out), newer = host_manifest(h, 8, newer_out);
        struct span old = host_manifest(h, 6, old_out);

        host_show_offer(h);
        host_offer(h, "device-1", old);
        assert_string_equal(host_state(h, old), "superseded");
        assert_string_equal(host_waits(h, old, "device-1"), "superseded");
        host_offer(h, "device-1", newer);
        assert_string_equal(host_state(h, offer), "approved");
        assert_span_equal(host_shown(h, "device-1"), offer);
        host_approve(h, newer, APPROVER_1);
        host_approve(h, newer, APPROVER_2);
        assert_string_equal(host_state(h, offer), "superseded");
        assert_span_equal(host_shown(h, "device-1"), newer); /* the same image: it is there already */
        assert_int_equal(host_shown(h, "device-2").size, 0);
}

static void the_number_of_updates_is_bounded(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct manager_update view;
        uint8_t digest[SHA256_SIZE];
        enum reason reason = REASON_NONE;

        /* each newer one supersedes the ones before, so there is always room */
        for (uint64_t i = 1; i <= 300; i++) {
                h->now_s++;
                reason = host_offer(h, "device-1", host_manifest(h, i, out));
                assert_int_equal(reason, REASON_NONE);
        }
        host_digest(host_manifest(h, 1, out), digest);
        assert_false(updater_find(h->updater, digest, &view));
        host_digest(host_manifest(h, 300, out), digest);
        assert_true(updater_find(h->updater, digest, &view));
}

/* ---- anchors */

static void anchors_are_imported_once(void **state)
{
        static const enum who approvers[] = { APPROVER_1, APPROVER_2 };
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX];
        struct site_policy policy = sample_policy(3, 2);
        struct refusal refusal;
        struct span set = write_policy_set(out, sizeof(out), &policy, approvers, 2);

        assert_int_equal(updater_import_site_policy(h->updater, "uid:0", set, &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_OLD_POLICY);
        assert_int_equal(h->alert_count, 0); /* the same again is no attack */
        assert_int_equal(updater_import_vendor_keys(h->updater, "uid:0", set, &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_MALFORMED);
}

static void bad_anchors_are_refused(void **state)
{
        static const enum who approvers[] = { APPROVER_1, APPROVER_2 };
        struct host *h = host_new();
        uint8_t out[SITE_POLICY_MAX];
        struct site_policy policy = sample_policy(3, 2);
        struct refusal refusal;

        (void)state;
        assert_int_equal(updater_import_site_policy(h->updater, "uid:0", SPAN_LITERAL("junk"), &refusal),
                         MANAGER_REFUSED);
        assert_int_equal(updater_import_site_policy(h->updater, "uid:0",
                                                    write_policy_set(out, sizeof(out), &policy, approvers, 1),
                                                    &refusal),
                         MANAGER_REFUSED);
        strcpy(policy.site, "site-2");
        assert_int_equal(updater_import_site_policy(h->updater, "uid:0",
                                                    write_policy_set(out, sizeof(out), &policy, approvers, 2),
                                                    &refusal),
                         MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_WRONG_SITE);
        assert_int_equal(updater_import_vendor_keys(h->updater, "uid:0", SPAN_EMPTY, &refusal), MANAGER_REFUSED);
        assert_int_equal(updater_site_policy(h->updater, 0).size, 0);
        host_free(h);
}

static void offers_before_the_anchors_wait(void **state)
{
        struct host *h = host_new();
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out);

        (void)state;
        host_digest(offer, digest);
        struct approval approval = sample_approval(digest);
        assert_int_equal(host_offer(h, "device-1", offer), REASON_VENDOR_KEYS_INVALID);
        assert_int_equal(host_approve_from_cloud(h, &approval, APPROVER_1), REASON_POLICY_INVALID);
        assert_int_equal(h->alert_count, 0);
        host_import(h);
        assert_string_equal(host_state(h, offer), "pending");
        assert_int_equal(host_approve(h, offer, APPROVER_1), REASON_ALREADY_APPROVED);
        host_free(h);
}

static void a_cloud_cannot_choose_the_anchors(void **state)
{
        static const enum who approvers[] = { APPROVER_1, APPROVER_2 };
        struct host *h = host_new();
        uint8_t out[SITE_POLICY_MAX];
        char topic[TOPIC_MAX];
        struct topic_parts parts;
        struct site_policy policy = sample_policy(3, 2);

        (void)state;
        topic_parse(span_of_string(topic_site(topic, HOST_SITE, "policy/1")), &parts);
        assert_int_equal(
                updater_from_cloud(h->updater, &parts, write_policy_set(out, sizeof(out), &policy, approvers, 2)),
                REASON_POLICY_INVALID);
        assert_int_equal(updater_site_policy(h->updater, 0).size, 0);
        host_free(h);
}

/* What the cloud sends is recorded, but the record of it is not the cloud's to make longer without end. */
static void refused_anchors_do_not_fill_the_audit_log(void **state)
{
        struct host *h = *state;
        char topic[TOPIC_MAX];
        struct topic_parts parts;

        topic_parse(span_of_string(topic_site(topic, HOST_SITE, "policy/9")), &parts);
        for (uint32_t i = 0; i < 10 * REFUSALS_MAX; i++)
                assert_int_equal(updater_from_cloud(h->updater, &parts, span_of(&i, sizeof(i))), REASON_MALFORMED);
        assert_int_equal(h->audits[AUDIT_POLICY_REFUSED], REFUSALS_MAX);
        assert_int_equal(h->alert_count, REFUSALS_MAX + 1);
}

/* ---- what devices say */

static void status_of_devices_is_shown(void **state)
{
        static const struct {
                const char *state, *reason, *waits;
        } rows[] = {
                { "fetching", "none", "fetching" },
                { "trying", "none", "trying" },
                { "refused", "not-approved", "not-approved" },
                { "waiting", "none", "application-busy" },
                { "refused", "never-heard-of", "refused" },
        };
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);

        host_show_offer(h);
        for (size_t i = 0; i < ROWS(rows); i++) {
                host_status(h, "device-1", rows[i].state, offer, rows[i].reason);
                assert_string_equal(host_waits(h, offer, "device-1"), rows[i].waits);
        }
        h->online[2] = false;
        assert_string_equal(host_waits(h, offer, "device-2"), "offline");
        updater_from_device(h->updater, "device-1", SPAN_LITERAL("updates/status"), SPAN_LITERAL("{\"state\":"));
        host_status(h, "device-3", "confirmed", offer, "none"); /* never offered to it */
        assert_string_equal(host_waits(h, offer, "device-3"), "not offered");
}

static void a_running_image_counts_as_installed(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        char hex[2 * SHA256_SIZE + 1], json[300];
        struct manifest_fields fields = host_fields(h, 7);
        struct span offer = host_manifest(h, 7, out);

        host_offer(h, "device-1", offer);
        snprintf(json, sizeof(json),
                 "{\"online\":true,\"version\":\"1.1.0\",\"image\":\"%s\",\"boot\":3,\"session\":1}",
                 span_to_hex(SPAN_OF(fields.image_digest), hex, sizeof(hex)));
        updater_from_device(h->updater, "device-1", SPAN_LITERAL("state/relay"), span_of_string(json));
        assert_string_equal(host_waits(h, offer, "device-1"), "installed");
}

/* provisioned anew, or another flash chip: what it had installed once is offered again */
static void a_device_that_runs_something_older_is_offered_it_again(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);
        char json[300];

        host_show_offer(h);
        host_status(h, "device-1", "confirmed", offer, "none");
        assert_int_equal(host_shown(h, "device-1").size, 0);
        snprintf(json, sizeof(json),
                 "{\"online\":true,\"version\":\"1.0.0\",\"image\":\"%064d\",\"boot\":1,\"session\":1}", 0);
        updater_from_device(h->updater, "device-1", SPAN_LITERAL("state/relay"), span_of_string(json));
        assert_span_equal(host_shown(h, "device-1"), offer);
        host_status(h, "device-1", "confirmed", offer, "none");
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_string_equal(host_waits(h, offer, "device-1"), "installed");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                HOST_ROW(offer_waits_for_approval_gate_and_image),
                HOST_ROW(open_gate_waits_for_the_image),
                HOST_ROW(closing_the_gate_takes_offers_back),
                HOST_ROW(the_gate_closes_by_itself),
                HOST_ROW(gate_times_must_lie_ahead),
                HOST_ROW(approvals_and_anchors_are_retained_here_and_in_the_cloud),
                HOST_ROW(a_restart_forgets_nothing),
                HOST_ROW(an_interrupted_fetch_goes_on),
                HOST_ROW(bad_approvals_do_not_count),
                HOST_ROW(approvals_come_by_the_uplink_too),
                HOST_ROW(a_scope_covers_its_devices_only),
                HOST_ROW(a_window_opens_and_ends),
                HOST_ROW(a_denied_update_is_taken_back),
                HOST_ROW(only_an_approved_update_supersedes_an_approved_one),
                HOST_ROW(the_number_of_updates_is_bounded),
                HOST_ROW(anchors_are_imported_once),
                HOST_ROW(bad_anchors_are_refused),
                HOST_ROW(offers_before_the_anchors_wait),
                HOST_ROW(a_cloud_cannot_choose_the_anchors),
                HOST_ROW(refused_anchors_do_not_fill_the_audit_log),
                HOST_ROW(status_of_devices_is_shown),
                HOST_ROW(a_running_image_counts_as_installed),
                HOST_ROW(a_device_that_runs_something_older_is_offered_it_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
