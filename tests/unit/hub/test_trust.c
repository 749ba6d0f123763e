/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What changes when site policy, vendor keys or the revoked epoch change: by the bus, by the cloud, in any order. */
#include "updater_host.h"

#include "hub/manager.h"

static const enum who two[] = { APPROVER_1, APPROVER_2 };
static const enum who mixed[] = { APPROVER_1, APPROVER_2, APPROVER_4 };

static struct span first_policy(uint8_t *out)
{
        struct site_policy policy = sample_policy(3, 2);

        return write_policy_set(out, SITE_POLICY_MAX, &policy, two, 2);
}

/* the second policy: approver 4 in place of 1 */
static struct span rotated(uint8_t *out)
{
        uint8_t bytes[SITE_POLICY_MAX];
        struct site_policy before = sample_policy(3, 2), next = next_policy(&before, first_policy(bytes));

        next.approvers[0] = key_of(APPROVER_4);
        return write_policy_set(out, SITE_POLICY_MAX, &next, mixed, 3);
}

/* the one after it: approver 1 is back, and nobody else changes */
static struct span rotated_again(uint8_t *out)
{
        uint8_t bytes[SITE_POLICY_MAX], second[SITE_POLICY_MAX];
        struct site_policy before = sample_policy(3, 2), next = next_policy(&before, first_policy(bytes));

        next = next_policy(&next, rotated(second));
        return write_policy_set(out, SITE_POLICY_MAX, &next, mixed, 3);
}

static enum reason import_policy(struct host *h, struct span set)
{
        struct refusal refusal = { 0 };
        int r = updater_import_site_policy(h->updater, "uid:0", set, &refusal);

        assert_int_equal(r, refusal.reason == REASON_NONE ? 0 : MANAGER_REFUSED);
        return refusal.reason;
}

static enum reason revoke(struct host *h, struct span set)
{
        struct refusal refusal = { 0 };
        int r = updater_revoke(h->updater, "uid:0", set, &refusal);

        assert_int_equal(r, refusal.reason == REASON_NONE ? 0 : MANAGER_REFUSED);
        return refusal.reason;
}

static struct span topic_of(const struct host_topic *topics, size_t count, const char *rest)
{
        char topic[TOPIC_MAX];

        return host_topic_of(topics, count, topic_site(topic, HOST_SITE, rest));
}

static char *approval_topic(struct span offer, enum who approver, char *out, size_t size)
{
        uint8_t digest[SHA256_SIZE], id[KEY_ID_SIZE];
        char hex[2 * SHA256_SIZE + 1], id_hex[2 * KEY_ID_SIZE + 1];
        struct public_key key = key_of(approver);

        host_digest(offer, digest);
        assert_int_equal(key_id(&key, id), RELAY_OK);
        snprintf(out, size, "approvals/%s/%s", span_to_hex(SPAN_OF(digest), hex, sizeof(hex)),
                 span_to_hex(SPAN_OF(id), id_hex, sizeof(id_hex)));
        return out;
}

static void removed_approvers_stop_counting(void **state)
{
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX], envelope[MANIFEST_MAX];
        char topic[TOPIC_MAX];
        struct span offer = host_manifest(h, 7, envelope);

        host_show_offer(h); /* by approvers 1 and 3 */
        host_commit(h);
        assert_int_equal(import_policy(h, rotated(out)), REASON_NONE);
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_string_equal(host_state(h, offer), "pending");
        assert_string_equal(host_waits(h, offer, "device-1"), "approval");
        assert_int_equal(h->audits[AUDIT_APPROVAL_DROPPED], 1);
        approval_topic(offer, APPROVER_1, topic, sizeof(topic));
        assert_int_equal(topic_of(h->local, h->local_count, topic).size, 0);
        assert_int_equal(topic_of(h->cloud, h->cloud_count, topic).size, 0);
        approval_topic(offer, APPROVER_3, topic, sizeof(topic));
        assert_true(topic_of(h->local, h->local_count, topic).size > 0);
        /* he may not come back by the cloud */
        uint8_t digest[SHA256_SIZE];
        host_digest(offer, digest);
        struct approval approval = sample_approval(digest);
        assert_int_equal(host_approve_from_cloud(h, &approval, APPROVER_1), REASON_NOT_AN_APPROVER);
        /* and a restart does not bring him back */
        host_commit(h);
        host_restart(h);
        assert_string_equal(host_state(h, offer), "pending");
        assert_int_equal(host_approve(h, offer, APPROVER_4), REASON_NONE);
        assert_span_equal(host_shown(h, "device-1"), offer);
}

static void who_came_and_who_went_is_told(void **state)
{
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX], id[KEY_ID_SIZE];
        char came[2 * KEY_ID_SIZE + 1], went[2 * KEY_ID_SIZE + 1];
        struct public_key key = key_of(APPROVER_4);

        assert_int_equal(key_id(&key, id), RELAY_OK);
        span_to_hex(SPAN_OF(id), came, sizeof(came));
        key = key_of(APPROVER_1);
        assert_int_equal(key_id(&key, id), RELAY_OK);
        span_to_hex(SPAN_OF(id), went, sizeof(went));
        assert_int_equal(import_policy(h, rotated(out)), REASON_NONE);
        const char *detail = host_alert(h, REASON_APPROVERS_CHANGED);
        assert_non_null(detail);
        assert_non_null(strstr(detail, "came"));
        assert_true(strstr(detail, came) < strstr(detail, "went"));
        assert_true(strstr(detail, went) > strstr(detail, "went"));
        assert_int_equal(h->audits[AUDIT_APPROVERS_CHANGED], 1);
        assert_int_equal(h->audits[AUDIT_POLICY_ACCEPTED], 2);
}

static void every_epoch_stands_retained_here_and_in_the_cloud(void **state)
{
        static const char *const topics[] = { "policy/1", "policy/2", "policy/3", "vendor/1", "revocations" };
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX];

        assert_int_equal(import_policy(h, rotated(out)), REASON_NONE);
        assert_int_equal(import_policy(h, rotated_again(out)), REASON_NONE);
        assert_int_equal(revoke(h, host_revocation(out, sizeof(out), 5, two, 2)), REASON_NONE);
        for (int turn = 0; turn < 2; turn++) {
                for (size_t i = 0; i < ROWS(topics); i++) {
                        print_message("# %s\n", topics[i]);
                        assert_true(topic_of(h->local, h->local_count, topics[i]).size > 0);
                        assert_true(topic_of(h->cloud, h->cloud_count, topics[i]).size > 0);
                }
                /* a new broker and a new cloud get all of it */
                host_commit(h);
                h->local_count = h->cloud_count = 0;
                host_restart(h);
                updater_uplink(h->updater, true);
        }
        assert_span_equal(updater_site_policy(h->updater, 2), rotated(out));
        assert_int_equal(updater_site_policy(h->updater, 4).size, 0);
}

/* Retained messages come in any order: the chain closes when the last link is there. */
static void successors_of_the_cloud_come_in_any_order(void **state)
{
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX];
        struct manager_view view;

        assert_int_equal(host_from_cloud(h, "policy/3", rotated_again(out)), REASON_POLICY_GAP);
        assert_int_equal(host_from_cloud(h, "policy/3", rotated_again(out)), REASON_POLICY_GAP);
        h->now_ms += 4000;
        updater_tick(h->updater);
        assert_null(host_alert(h, REASON_POLICY_GAP));
        assert_int_equal(host_from_cloud(h, "policy/2", rotated(out)), REASON_NONE);
        updater_view(h->updater, &view);
        assert_int_equal(view.policy.epoch, 3);
        h->now_ms += 60000;
        updater_tick(h->updater);
        assert_null(host_alert(h, REASON_POLICY_GAP));
        /* what comes back to us is known */
        assert_int_equal(host_from_cloud(h, "policy/2", rotated(out)), REASON_NONE);
        assert_int_equal(host_from_cloud(h, "policy/1", first_policy(out)), REASON_NONE);
        assert_int_equal(h->audits[AUDIT_POLICY_REFUSED], 0);
}

static void a_gap_that_stays_is_told(void **state)
{
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX];

        assert_int_equal(host_from_cloud(h, "policy/3", rotated_again(out)), REASON_POLICY_GAP);
        h->now_ms += 6000;
        updater_tick(h->updater);
        assert_non_null(host_alert(h, REASON_POLICY_GAP));
        assert_int_equal(h->audits[AUDIT_POLICY_REFUSED], 1);
        h->now_ms += 6000;
        updater_tick(h->updater);
        assert_int_equal(h->audits[AUDIT_POLICY_REFUSED], 1);
        assert_int_equal(import_policy(h, rotated_again(out)), REASON_POLICY_GAP); /* a person is told at once */
}

/* rubbish waits in a bounded room and pushes nothing out for good: the cloud has the good ones still */
static void many_gaps_do_no_harm(void **state)
{
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX];
        struct site_policy policy = sample_policy(3, 2);

        policy.has_predecessor = true;
        for (uint64_t epoch = 3; epoch < 30; epoch++) {
                policy.epoch = epoch;
                assert_int_equal(host_from_cloud(h, "policy/3", write_policy_set(out, sizeof(out), &policy, two, 2)),
                                 REASON_POLICY_GAP);
        }
        h->now_ms += 6000;
        updater_tick(h->updater);
        assert_int_equal(import_policy(h, rotated(out)), REASON_NONE);
}

static void forks_name_both_digests(void **state)
{
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX];
        struct site_policy other = sample_policy(3, 2);
        char held[2 * SHA256_SIZE + 1], given[2 * SHA256_SIZE + 1];
        struct manager_view view;
        struct site_policy decoded;
        struct cose_set set;

        updater_view(h->updater, &view);
        span_to_hex(SPAN_OF(view.policy.digest), held, sizeof(held));
        other.patience_s = 77;
        struct span fork = write_policy_set(out, sizeof(out), &other, two, 2);
        assert_int_equal(cose_set_decode(fork, &set), RELAY_OK);
        assert_int_equal(site_policy_decode(set.payload, &decoded), RELAY_OK);
        span_to_hex(SPAN_OF(decoded.digest), given, sizeof(given));
        assert_int_equal(host_from_cloud(h, "policy/1", fork), REASON_POLICY_FORK);
        const char *detail = host_alert(h, REASON_POLICY_FORK);
        assert_non_null(detail);
        assert_non_null(strstr(detail, held));
        assert_non_null(strstr(detail, given));
        /* also a successor of a policy that is not ours */
        other = next_policy(&other, fork);
        assert_int_equal(import_policy(h, write_policy_set(out, sizeof(out), &other, two, 2)), REASON_POLICY_FORK);
        detail = host_alert(h, REASON_POLICY_FORK);
        assert_non_null(strstr(detail, held));
        assert_non_null(strstr(detail, given));
        assert_int_equal(h->audits[AUDIT_POLICY_REFUSED], 2);
}

static void lower_and_under_signed_ones_are_told(void **state)
{
        static const enum who one[] = { APPROVER_1 };
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX], bytes[SITE_POLICY_MAX];
        struct site_policy before = sample_policy(3, 2), next = next_policy(&before, first_policy(bytes));

        assert_int_equal(host_from_cloud(h, "policy/2", write_policy_set(out, sizeof(out), &next, one, 1)),
                         REASON_UNDER_SIGNED);
        assert_non_null(host_alert(h, REASON_UNDER_SIGNED));
        assert_int_equal(import_policy(h, rotated(out)), REASON_NONE);
        h->alert_count = 0;
        assert_int_equal(import_policy(h, first_policy(out)), REASON_OLD_POLICY);
        assert_int_equal(h->alert_count, 0); /* our own first one, again: no attack */
        next = sample_policy(3, 2);
        next.patience_s = 4;
        assert_int_equal(import_policy(h, write_policy_set(out, sizeof(out), &next, two, 2)), REASON_POLICY_FORK);
        assert_int_equal(h->alert_count, 1);
}

/* ---- revocation */

static void revoked_approvals_stop_counting(void **state)
{
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX], envelope[MANIFEST_MAX], digest[SHA256_SIZE];
        char topic[TOPIC_MAX];
        struct manager_view view;
        struct span offer = host_manifest(h, 7, envelope);

        host_show_offer(h);
        host_digest(offer, digest);
        assert_int_equal(revoke(h, host_revocation(out, sizeof(out), 2, two, 2)), REASON_NONE);
        updater_view(h->updater, &view);
        assert_int_equal(view.policy.approval_epoch, 2);
        assert_int_equal(updater_approval_epoch(h->updater), 2);
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_int_equal(host_shown(h, "device-2").size, 0);
        assert_string_equal(host_state(h, offer), "pending");
        assert_non_null(host_alert(h, REASON_REVOKED_EPOCH));
        assert_int_equal(h->audits[AUDIT_APPROVALS_REVOKED], 1);
        approval_topic(offer, APPROVER_1, topic, sizeof(topic));
        assert_int_equal(topic_of(h->cloud, h->cloud_count, topic).size, 0);
        /* yesterday's approval, replayed by whatever way, is none */
        struct approval approval = sample_approval(digest);
        assert_int_equal(host_approve(h, offer, APPROVER_1), REASON_REVOKED_EPOCH);
        h->alert_count = 0;
        assert_int_equal(host_approve_from_cloud(h, &approval, APPROVER_3), REASON_REVOKED_EPOCH);
        assert_non_null(host_alert(h, REASON_REVOKED_EPOCH));
        /* also after kill -9: what was durable holds */
        host_commit(h);
        host_restart(h);
        assert_string_equal(host_state(h, offer), "pending");
        assert_int_equal(host_approve(h, offer, APPROVER_1), REASON_REVOKED_EPOCH);
        approval.epoch = 2;
        assert_int_equal(host_approve_as(h, &approval, APPROVER_1), REASON_NONE);
        assert_int_equal(host_approve_as(h, &approval, APPROVER_3), REASON_NONE);
        assert_span_equal(host_shown(h, "device-1"), offer);
}

static void a_policy_can_revoke_too(void **state)
{
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX], bytes[SITE_POLICY_MAX], envelope[MANIFEST_MAX];
        struct site_policy before = sample_policy(3, 2), next = next_policy(&before, first_policy(bytes));

        host_show_offer(h);
        next.approval_epoch = 9;
        assert_int_equal(import_policy(h, write_policy_set(out, sizeof(out), &next, two, 2)), REASON_NONE);
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_int_equal(updater_approval_epoch(h->updater), 9);
        assert_int_equal(host_approve(h, host_manifest(h, 7, envelope), APPROVER_1), REASON_REVOKED_EPOCH);
        /* the revocation has to be above the floor, wherever that comes from */
        assert_int_equal(revoke(h, host_revocation(out, sizeof(out), 9, two, 2)), REASON_OLD_EPOCH);
        assert_int_equal(revoke(h, host_revocation(out, sizeof(out), 10, two, 2)), REASON_NONE);
}

static void revocations_of_the_cloud(void **state)
{
        static const enum who one[] = { APPROVER_1 }, new_ones[] = { APPROVER_4, APPROVER_2 };
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX];

        assert_int_equal(host_from_cloud(h, "revocations", host_revocation(out, sizeof(out), 3, one, 1)),
                         REASON_UNDER_SIGNED);
        h->now_ms += 6000;
        updater_tick(h->updater);
        assert_non_null(host_alert(h, REASON_UNDER_SIGNED));
        assert_int_equal(updater_approval_epoch(h->updater), 0);
        assert_int_equal(host_from_cloud(h, "revocations", host_revocation(out, sizeof(out), 3, two, 2)), REASON_NONE);
        assert_int_equal(updater_approval_epoch(h->updater), 3);
        /* an older one at the cloud is answered with the one in force, quietly */
        h->alert_count = h->cloud_count = 0;
        assert_int_equal(host_from_cloud(h, "revocations", host_revocation(out, sizeof(out), 2, two, 2)),
                         REASON_OLD_EPOCH);
        assert_span_equal(topic_of(h->cloud, h->cloud_count, "revocations"), updater_revocation(h->updater));
        assert_int_equal(h->alert_count, 0);
        assert_int_equal(host_from_cloud(h, "revocations", SPAN_LITERAL("junk")), REASON_MALFORMED);
        /* one by approvers of a policy that comes later waits for it */
        assert_int_equal(host_from_cloud(h, "revocations", host_revocation(out, sizeof(out), 8, new_ones, 2)),
                         REASON_UNDER_SIGNED);
        assert_int_equal(host_from_cloud(h, "policy/2", rotated(out)), REASON_NONE);
        assert_int_equal(updater_approval_epoch(h->updater), 8);
}

/* ---- vendor keys */

static void what_former_vendor_keys_signed_is_dropped(void **state)
{
        static const enum who signers[] = { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 };
        static const enum who newer[] = { STRANGER, DEVELOPER };
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX], bytes[SITE_POLICY_MAX], envelope[MANIFEST_MAX];
        struct vendor_keys before = sample_vendor(), next;
        struct refusal refusal;
        struct span offer = host_manifest(h, 7, envelope);

        host_show_offer(h);
        next = next_vendor(&before, write_vendor_set(bytes, sizeof(bytes)));
        next.organisation[0] = key_of(STRANGER);
        assert_int_equal(host_from_cloud(h, "vendor/2", host_vendor_set(out, sizeof(out), &next, signers, 4)),
                         REASON_NONE);
        assert_string_equal(host_state(h, offer), "unknown");
        assert_int_equal(host_shown(h, "device-1").size, 0);
        assert_int_equal(h->audits[AUDIT_UPDATE_DROPPED], 1);
        assert_int_equal(host_offer(h, "device-1", offer), REASON_ORGANISATION_SIGNATURE);
        struct manifest_fields fields = host_fields(h, 8);
        assert_int_equal(host_offer(h, "device-1", write_manifest_of(envelope, sizeof(envelope), &fields, newer, 2)),
                         REASON_NONE);
        host_commit(h);
        host_restart(h); /* everything in the store is verified again */
        assert_int_equal(updater_import_vendor_keys(h->updater, "uid:0", write_vendor_set(out, sizeof(out)), &refusal),
                         MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_OLD_VENDOR_KEYS);
        assert_int_equal(updater_vendor_keys(h->updater, 1).size, write_vendor_set(out, sizeof(out)).size);
}

static void a_vendor_set_waits_for_its_policy(void **state)
{
        static const enum who signers[] = { ORGANISATION, DEVELOPER, APPROVER_4, APPROVER_2 };
        struct host *h = *state;
        uint8_t out[SITE_POLICY_MAX], bytes[SITE_POLICY_MAX];
        struct vendor_keys before = sample_vendor(), next;

        next = next_vendor(&before, write_vendor_set(bytes, sizeof(bytes)));
        next.command[0] = key_of(STRANGER);
        assert_int_equal(host_from_cloud(h, "vendor/2", host_vendor_set(out, sizeof(out), &next, signers, 4)),
                         REASON_UNDER_SIGNED);
        assert_int_equal(updater_vendor_keys(h->updater, 2).size, 0);
        assert_int_equal(import_policy(h, rotated(out)), REASON_NONE);
        assert_true(updater_vendor_keys(h->updater, 2).size > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                HOST_ROW(removed_approvers_stop_counting),
                HOST_ROW(who_came_and_who_went_is_told),
                HOST_ROW(every_epoch_stands_retained_here_and_in_the_cloud),
                HOST_ROW(successors_of_the_cloud_come_in_any_order),
                HOST_ROW(a_gap_that_stays_is_told),
                HOST_ROW(many_gaps_do_no_harm),
                HOST_ROW(forks_name_both_digests),
                HOST_ROW(lower_and_under_signed_ones_are_told),
                HOST_ROW(revoked_approvals_stop_counting),
                HOST_ROW(a_policy_can_revoke_too),
                HOST_ROW(revocations_of_the_cloud),
                HOST_ROW(what_former_vendor_keys_signed_is_dropped),
                HOST_ROW(a_vendor_set_waits_for_its_policy),
        };
        return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
