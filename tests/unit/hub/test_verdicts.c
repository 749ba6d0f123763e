/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who approved what for whom: rules, approvals that take another's place, the word for tickets, the vendor's answer. */
#include "updater_host.h"

#include "hub/manager.h"
#include "hub/updates.h"

#define DAY 86400

static const enum who two[] = { APPROVER_1, APPROVER_2 };

/* The policy's successor with rules in UTC, so that the host's time zone does not matter. */
static struct site_policy policy_with_rules(void)
{
        uint8_t bytes[SITE_POLICY_MAX];
        struct site_policy before = sample_policy(3, 2);
        struct site_policy next = next_policy(&before, write_policy_set(bytes, sizeof(bytes), &before, two, 2));

        next.rule_count = 1;
        next.rules[0] = (struct site_rule){ .urgencies = { "security" }, .urgency_count = 1, .wait_s = 3 * DAY };
        next.ticket_needed = true;
        strcpy(next.time_zone, "UTC");
        return next;
}

static void take_policy(struct host *h, const struct site_policy *policy)
{
        uint8_t out[SITE_POLICY_MAX];
        struct refusal refusal;

        assert_int_equal(updater_import_site_policy(h->updater, "uid:0",
                                                    write_policy_set(out, sizeof(out), policy, two, 2), &refusal),
                         0);
}

static void pass(struct host *h, uint64_t seconds)
{
        h->now_s += seconds;
        h->now_ms += seconds * 1000;
        updater_tick(h->updater);
}

static const char *verdict(struct host *h, const char *device, struct span offer)
{
        uint8_t digest[SHA256_SIZE];

        host_digest(offer, digest);
        struct decision decision = updater_verdict(h->updater, device, digest);
        assert_int_equal(decision.verdict == VERDICT_ALLOW, decision.reason == REASON_NONE);
        return reason_name(decision.reason);
}

static const char *rule_of(struct host *h, struct span offer)
{
        static struct manager_update view;
        uint8_t digest[SHA256_SIZE];

        host_digest(offer, digest);
        assert_true(updater_find(h->updater, digest, &view));
        return view.rule;
}

static void a_rule_approves_after_its_wait(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);
        struct site_policy policy = policy_with_rules();

        h->gate_key = key_of(GATE);
        take_policy(h, &policy);
        host_open_gate(h, 0);
        host_offer(h, "device-1", offer);
        assert_string_equal(host_state(h, offer), "pending");
        assert_string_equal(host_waits(h, offer, "device-1"), "rule-waits");
        assert_string_equal(verdict(h, "device-1", offer), "rule-waits");
        assert_string_equal(rule_of(h, offer), "rule 1: urgency security, 3 d after the offer");
        pass(h, 3 * DAY - 20);
        assert_string_equal(host_state(h, offer), "pending");
        pass(h, 20);
        assert_string_equal(host_state(h, offer), "approved");
        host_serve_image(h);
        assert_span_equal(host_shown(h, "device-1"), offer);
        assert_string_equal(verdict(h, "device-1", offer), "none");
        host_close_gate(h); /* a rule approves, it does not open the gate */
        assert_string_equal(verdict(h, "device-1", offer), "gate-closed");
        assert_int_equal(host_shown(h, "device-1").size, 0);
        host_commit(h);
        host_restart(h);
        assert_string_equal(host_state(h, offer), "approved");
}

static void a_rule_approves_in_its_window_only(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);
        struct site_policy policy = policy_with_rules();

        h->now_s = UINT64_C(1795910400) + 12 * 3600; /* Sunday 2026-11-29, noon in UTC */
        policy.rules[0].wait_s = 0;
        policy.rules[0].window_count = 1;
        policy.rules[0].windows[0] = (struct site_window){ 6 * 1440 + 13 * 60, 30 };
        h->gate_key = key_of(GATE);
        take_policy(h, &policy);
        host_open_gate(h, 0);
        host_offer(h, "device-1", offer);
        assert_string_equal(host_waits(h, offer, "device-1"), "rule-waits");
        assert_string_equal(rule_of(h, offer), "rule 1: urgency security, in Sun 13:00-13:30");
        pass(h, 3600);
        assert_string_equal(host_state(h, offer), "approved");
        host_serve_image(h);
        assert_span_equal(host_shown(h, "device-1"), offer);
        pass(h, 1800);
        assert_string_equal(host_state(h, offer), "pending");
        assert_int_equal(host_shown(h, "device-1").size, 0);
        h->time_trusted = false;
        assert_string_equal(verdict(h, "device-1", offer), "no-trusted-time");
}

static void a_denied_update_is_denied_by_no_rule_undone(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct refusal refusal;
        struct span offer = host_manifest(h, 7, out);
        struct site_policy policy = policy_with_rules();

        policy.rules[0].wait_s = 0;
        take_policy(h, &policy);
        host_offer(h, "device-1", offer);
        assert_string_equal(host_state(h, offer), "approved");
        host_digest(offer, digest);
        assert_int_equal(updater_deny(h->updater, "uid:0", digest, "no", &refusal), 0);
        assert_string_equal(host_state(h, offer), "denied");
        assert_string_equal(verdict(h, "device-1", offer), "denied");
}

/* An offer that came before the clock was set waits from the clock's first word on, also after a restart. */
static void a_wait_without_a_clock_begins_with_the_clock(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);
        struct site_policy policy = policy_with_rules();
        uint64_t now = h->now_s;

        h->gate_key = key_of(GATE);
        take_policy(h, &policy);
        h->time_trusted = false;
        h->now_s = 1000; /* as gateways without a clock start */
        host_offer(h, "device-1", offer);
        assert_string_equal(host_waits(h, offer, "device-1"), "no-trusted-time");
        h->time_trusted = true;
        h->now_s = now;
        pass(h, 100);
        assert_string_equal(host_waits(h, offer, "device-1"), "rule-waits");
        host_commit(h);
        host_restart(h);
        pass(h, 3 * DAY - 100);
        assert_string_equal(host_state(h, offer), "pending");
        pass(h, 100);
        assert_string_equal(host_state(h, offer), "approved");
}

/* ---- whose gate it is */

static void another_gate_answers_for_its_devices(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out);
        struct site_policy policy = policy_with_rules();

        policy.rule_count = 0;
        take_policy(h, &policy);
        host_offer(h, "device-1", offer);
        host_approve(h, offer, APPROVER_1);
        host_approve(h, offer, APPROVER_2);
        host_serve_image(h);
        /* the gate here is closed, and it is not asked: device-1's gate is the one with the key of the policy */
        assert_span_equal(host_shown(h, "device-1"), offer);
        assert_string_equal(host_waits(h, offer, "device-1"), "offered");
        h->gate_key = key_of(GATE); /* this one */
        updater_device_changed(h->updater, "device-1");
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_string_equal(host_waits(h, offer, "device-1"), "gate");
}

static void the_ticket_is_for_known_updates_only(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], newer_out[MANIFEST_MAX], other[MANIFEST_MAX];
        struct span offer = host_manifest(h, 7, out), newer = host_manifest(h, 8, newer_out);

        assert_string_equal(verdict(h, "device-1", offer), "unknown-update");
        host_offer(h, "device-1", offer);
        assert_string_equal(verdict(h, "device-1", offer), "not-approved");
        assert_string_equal(verdict(h, "device-2", offer), "unknown-update"); /* nobody offered it that one */
        host_approve(h, offer, APPROVER_1);
        assert_string_equal(verdict(h, "device-1", offer), "not-approved");
        host_approve(h, offer, APPROVER_2);
        assert_string_equal(verdict(h, "device-1", offer), "gate-closed");
        host_open_gate(h, 0);
        /* the image is not here, but the device may get it elsewhere */
        assert_string_equal(verdict(h, "device-1", offer), "none");
        assert_string_equal(verdict(h, "device-1", host_manifest(h, 9, other)), "unknown-update");
        host_offer(h, "device-1", newer);
        host_approve(h, newer, APPROVER_1);
        host_approve(h, newer, APPROVER_2);
        assert_string_equal(verdict(h, "device-1", offer), "unknown-update"); /* superseded */
        assert_string_equal(verdict(h, "device-1", newer), "none");
        h->registered[1] = false;
        assert_string_equal(verdict(h, "device-1", newer), "unknown-device");
}

static void the_ticket_judges_windows_at_its_own_time(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out);

        host_offer(h, "device-1", offer);
        host_open_gate(h, h->now_s + 50);
        host_digest(offer, digest);
        struct approval approval = sample_approval(digest);
        approval.has_not_after = true;
        approval.not_after = h->now_s + 9;
        host_approve_as(h, &approval, APPROVER_1);
        host_approve_as(h, &approval, APPROVER_2);
        assert_string_equal(verdict(h, "device-1", offer), "none");
        h->now_s += 10; /* no tick came in between */
        assert_string_equal(verdict(h, "device-1", offer), "outside-window");
        approval.not_after += 1000;
        host_approve_as(h, &approval, APPROVER_1);
        host_approve_as(h, &approval, APPROVER_2);
        assert_string_equal(verdict(h, "device-1", offer), "none");
        h->now_s += 40;
        assert_string_equal(verdict(h, "device-1", offer), "gate-closed");
        h->time_trusted = false;
        assert_string_equal(verdict(h, "device-1", offer), "no-trusted-time");
}

/* ---- one approver, several approvals */

static void the_same_approver_counts_once(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out);
        struct manager_update view;

        host_offer(h, "device-1", offer);
        host_digest(offer, digest);
        struct approval approval = sample_approval(digest);
        approval.scope = SCOPE_DEVICES;
        approval.device_count = 1;
        strcpy(approval.devices[0], "device-1");
        assert_int_equal(host_approve_as(h, &approval, APPROVER_1), REASON_NONE);
        assert_int_equal(host_approve_as(h, &approval, APPROVER_1), REASON_ALREADY_APPROVED);
        assert_int_equal(host_approve(h, offer, APPROVER_1), REASON_NONE); /* wider, by hand */
        assert_true(updater_find(h->updater, digest, &view));
        assert_int_equal(view.approval_count, 1);
        assert_string_equal(host_state(h, offer), "pending");
        assert_int_equal(host_approve_as(h, &approval, APPROVER_1), REASON_NONE); /* by hand also narrower */
        assert_int_equal(host_approve(h, offer, APPROVER_2), REASON_NONE);
        assert_string_equal(host_state(h, offer), "approved");
        assert_string_equal(host_waits(h, offer, "device-1"), "gate");
}

static void the_cloud_replaces_by_what_says_more_only(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        struct span offer = host_manifest(h, 7, out);

        host_offer(h, "device-1", offer);
        host_digest(offer, digest);
        struct approval narrow = sample_approval(digest), wide = sample_approval(digest);
        narrow.scope = SCOPE_CLASS;
        memset(narrow.class_id, 0xc1, CLASS_ID_SIZE);
        assert_int_equal(host_approve_from_cloud(h, &narrow, APPROVER_1), REASON_NONE);
        assert_int_equal(host_approve_from_cloud(h, &wide, APPROVER_1), REASON_NONE);
        assert_int_equal(host_approve_from_cloud(h, &narrow, APPROVER_1), REASON_ALREADY_APPROVED);
        assert_int_equal(host_approve_from_cloud(h, &wide, APPROVER_1), REASON_ALREADY_APPROVED);
        assert_int_equal(h->alert_count, 0);
        host_commit(h);
        host_restart(h); /* the wide one is what was kept */
        assert_int_equal(host_approve_from_cloud(h, &narrow, APPROVER_1), REASON_ALREADY_APPROVED);
}

/* ---- the vendor's answer */

static char *answer(struct host *h, struct span offer, bool cloud, char out[UPDATE_ANSWER_MAX])
{
        uint8_t digest[SHA256_SIZE];
        char rest[80] = "updates/", topic[TOPIC_MAX];

        host_digest(offer, digest);
        span_to_hex(SPAN_OF(digest), rest + 8, sizeof(rest) - 8);
        topic_site(topic, HOST_SITE, rest);
        struct span json = cloud ? host_topic_of(h->cloud, h->cloud_count, topic)
                                 : host_topic_of(h->local, h->local_count, topic);
        if (json.size > 0)
                memcpy(out, json.data, json.size);
        out[json.size] = '\0';
        return out;
}

static void the_vendor_reads_the_answer(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], digest[SHA256_SIZE];
        char json[UPDATE_ANSWER_MAX];
        struct refusal refusal;
        struct span offer = host_manifest(h, 7, out);

        host_offer(h, "device-1", offer);
        assert_string_equal(answer(h, offer, true, json),
                            "{\"state\":\"pending\",\"reason\":\"none\",\"detail\":\"\",\"urgency\":\"security\","
                            "\"since\":1763800000,\"approved\":0,\"needed\":2}");
        host_approve(h, offer, APPROVER_1);
        assert_non_null(strstr(answer(h, offer, true, json), "\"state\":\"pending\""));
        assert_non_null(strstr(json, "\"approved\":1,"));
        host_approve(h, offer, APPROVER_2);
        assert_non_null(strstr(answer(h, offer, true, json), "\"state\":\"approved\""));
        host_digest(offer, digest);
        assert_int_equal(updater_deny(h->updater, "uid:0", digest, "the \"pump\" leaks", &refusal), 0);
        assert_non_null(strstr(answer(h, offer, true, json),
                               "\"state\":\"denied\",\"reason\":\"denied\",\"detail\":\"the \\\"pump\\\" leaks\""));
        assert_string_equal(answer(h, offer, false, json), answer(h, offer, true, (char[UPDATE_ANSWER_MAX]){ 0 }));
        host_commit(h);
        h->cloud_count = h->local_count = 0;
        host_restart(h);
        assert_non_null(strstr(answer(h, offer, false, json), "denied"));
        assert_string_equal(answer(h, offer, true, json), "");
        updater_uplink(h->updater, true); /* a cloud that forgot is told again */
        assert_non_null(strstr(answer(h, offer, true, json), "denied"));
}

static void what_is_forgotten_is_taken_back(void **state)
{
        struct host *h = *state;
        uint8_t out[MANIFEST_MAX], first_out[MANIFEST_MAX];
        char json[UPDATE_ANSWER_MAX];
        struct span first = host_manifest(h, 1, first_out);

        host_offer(h, "device-1", first);
        for (uint64_t i = 2; i <= UPDATES_MAX + 1; i++) {
                h->now_s++;
                host_offer(h, "device-1", host_manifest(h, i, out));
        }
        assert_string_equal(host_state(h, first), "unknown");
        assert_string_equal(answer(h, first, true, json), "");
        assert_string_equal(answer(h, first, false, json), "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                HOST_ROW(a_rule_approves_after_its_wait),
                HOST_ROW(a_rule_approves_in_its_window_only),
                HOST_ROW(a_denied_update_is_denied_by_no_rule_undone),
                HOST_ROW(a_wait_without_a_clock_begins_with_the_clock),
                HOST_ROW(another_gate_answers_for_its_devices),
                HOST_ROW(the_ticket_is_for_known_updates_only),
                HOST_ROW(the_ticket_judges_windows_at_its_own_time),
                HOST_ROW(the_same_approver_counts_once),
                HOST_ROW(the_cloud_replaces_by_what_says_more_only),
                HOST_ROW(the_vendor_reads_the_answer),
                HOST_ROW(what_is_forgotten_is_taken_back),
        };
        return cmocka_run_group_tests_name("verdicts", tests, NULL, NULL);
}
