/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the site trusts: chains that only grow, of which every epoch is kept, and verified again when it is read. */
#include "updater_host.h"

#include <errno.h>
#include <stdlib.h>

#include "hub/anchors.h"

static const enum who both[] = { ORGANISATION, DEVELOPER };
static const enum who two[] = { APPROVER_1, APPROVER_2 };
static const enum who vendor_and_two[] = { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 };

/* a store, what is in force in it, and the sets by epoch */
struct site {
        struct store *store;
        struct anchors anchors;
        struct site_policy policies[4]; /* by epoch */
        struct vendor_keys vendors[4];
        struct span policy_sets[4], vendor_sets[4];
        uint8_t bytes[8][SITE_POLICY_MAX];
};

static struct store *open_store(void)
{
        const struct store_options options = { .size_max = 1 << 20 };
        struct store *store;
        char detail[256];

        assert_int_equal(store_open(&options, &store, detail, sizeof(detail)), 0);
        return store;
}

/* three policies: in the third, approver 4 stands in place of 1; two vendor key sets */
static void make_sets(struct site *s)
{
        static const enum who mixed[] = { APPROVER_1, APPROVER_2, APPROVER_4 };

        s->policies[1] = sample_policy(3, 2);
        s->policy_sets[1] = write_policy_set(s->bytes[0], SITE_POLICY_MAX, &s->policies[1], two, 2);
        s->policies[2] = next_policy(&s->policies[1], s->policy_sets[1]);
        s->policies[2].patience_s = 99;
        s->policy_sets[2] = write_policy_set(s->bytes[1], SITE_POLICY_MAX, &s->policies[2], two, 2);
        s->policies[3] = next_policy(&s->policies[2], s->policy_sets[2]);
        s->policies[3].approvers[0] = key_of(APPROVER_4);
        s->policies[3].vendor_epoch = 2;
        s->policy_sets[3] = write_policy_set(s->bytes[2], SITE_POLICY_MAX, &s->policies[3], mixed, 3);
        s->vendors[1] = sample_vendor();
        s->vendor_sets[1] = host_vendor_set(s->bytes[3], SITE_POLICY_MAX, &s->vendors[1], both, 2);
        s->vendors[2] = next_vendor(&s->vendors[1], s->vendor_sets[1]);
        s->vendors[2].command[0] = key_of(STRANGER);
        s->vendor_sets[2] = host_vendor_set(s->bytes[4], SITE_POLICY_MAX, &s->vendors[2], vendor_and_two, 4);
}

static int setup(void **state)
{
        struct site *s = calloc(1, sizeof(*s));

        assert_non_null(s);
        s->store = open_store();
        make_sets(s);
        *state = s;
        return 0;
}

static int teardown(void **state)
{
        struct site *s = *state;

        anchors_clear(&s->anchors);
        store_free(s->store);
        free(s);
        return 0;
}

static enum reason take(struct site *s, enum anchor_kind kind, struct span set)
{
        return anchors_take(&s->anchors, s->store, HOST_SITE, kind, set);
}

static void take_all(struct site *s)
{
        for (int epoch = 1; epoch <= 2; epoch++)
                assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[epoch]), REASON_NONE);
        for (int epoch = 1; epoch <= 2; epoch++)
                assert_int_equal(take(s, ANCHOR_VENDOR, s->vendor_sets[epoch]), REASON_NONE);
        assert_int_equal(take(s, ANCHOR_REVOCATION, host_revocation(s->bytes[5], SITE_POLICY_MAX, 7, two, 2)),
                         REASON_NONE);
        /* signed by approver 1, who goes now */
        assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[3]), REASON_NONE);
}

static int reload(struct site *s)
{
        struct anchors again = { 0 };

        store_commit(s->store);
        assert_int_equal(store_sync(s->store), 0);
        int r = anchors_load(&again, s->store, HOST_SITE);
        if (r == 0) {
                anchors_clear(&s->anchors);
                s->anchors = again;
        }
        return r;
}

static void every_epoch_is_kept(void **state)
{
        struct site *s = *state;

        take_all(s);
        for (int turn = 0; turn < 2; turn++) {
                for (uint64_t epoch = 1; epoch <= 3; epoch++)
                        assert_span_equal(anchors_set(&s->anchors, ANCHOR_POLICY, epoch), s->policy_sets[epoch]);
                for (uint64_t epoch = 1; epoch <= 2; epoch++)
                        assert_span_equal(anchors_set(&s->anchors, ANCHOR_VENDOR, epoch), s->vendor_sets[epoch]);
                assert_int_equal(anchors_set(&s->anchors, ANCHOR_POLICY, 4).size, 0);
                assert_int_equal(anchors_set(&s->anchors, ANCHOR_VENDOR, 0).size, 0);
                assert_int_equal(s->anchors.policy.epoch, 3);
                assert_int_equal(s->anchors.vendor.epoch, 2);
                assert_int_equal(anchors_floor(&s->anchors), 7);
                assert_true(key_equal(&s->anchors.policy.approvers[0], &s->policies[3].approvers[0]));
                assert_int_equal(reload(s), 0); /* and after a restart all of it holds again */
        }
}

/* A store in which somebody changed one epoch is damaged, whichever it is. */
static void a_chain_is_verified_from_epoch_one(void **state)
{
        static const char *const keys[] = { "policy/1", "policy/2", "policy/3", "vendor/1", "vendor/2", "revocation" };
        struct site *s = *state;
        static uint8_t out[SITE_POLICY_MAX];
        static const enum who four[] = { APPROVER_3, APPROVER_4 };
        struct span old;

        take_all(s);
        assert_int_equal(reload(s), 0);
        for (size_t i = 0; i < ROWS(keys); i++) {
                uint8_t *bytes;
                size_t size;
                print_message("# %s\n", keys[i]);
                assert_int_equal(store_get(s->store, STORE_POLICY, span_of_string(keys[i]), &bytes, &size), 0);
                bytes[size - 1] ^= 1; /* of the last signature */
                assert_int_equal(store_put(s->store, STORE_POLICY, span_of_string(keys[i]), span_of(bytes, size)), 0);
                assert_int_equal(reload(s), -EBADMSG);
                bytes[size - 1] ^= 1;
                assert_int_equal(store_put(s->store, STORE_POLICY, span_of_string(keys[i]), span_of(bytes, size)), 0);
                assert_int_equal(reload(s), 0);
                free(bytes);
        }
        /* the newest policy alone, without those before */
        old = anchors_set(&s->anchors, ANCHOR_POLICY, 3);
        assert_int_equal(store_put(s->store, STORE_POLICY, SPAN_LITERAL("policy/1"), old), 0);
        assert_int_equal(reload(s), -EBADMSG);
        /* a first policy of other people */
        struct site_policy other = sample_policy(2, 2);
        other.approvers[0] = key_of(APPROVER_3);
        other.approvers[1] = key_of(APPROVER_4);
        assert_int_equal(store_put(s->store, STORE_POLICY, SPAN_LITERAL("policy/1"),
                                   write_policy_set(out, sizeof(out), &other, four, 2)),
                         0);
        assert_int_equal(reload(s), -EBADMSG);
}

static void what_does_not_succeed_is_refused(void **state)
{
        static const enum who one[] = { APPROVER_1 }, stranger[] = { STRANGER, GATE };
        static const enum who vendor_and_one[] = { ORGANISATION, DEVELOPER, APPROVER_1 };
        static const enum who no_organisation[] = { DEVELOPER, APPROVER_1, APPROVER_2 };
        static const enum who no_developer[] = { ORGANISATION, APPROVER_1, APPROVER_2 };
        static uint8_t out[SITE_POLICY_MAX];
        struct site *s = *state;
        struct site_policy fork = next_policy(&s->policies[1], s->policy_sets[1]), other = sample_policy(3, 2);

        assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[2]), REASON_POLICY_INVALID); /* not a first one */
        assert_int_equal(take(s, ANCHOR_REVOCATION, host_revocation(out, sizeof(out), 7, two, 2)),
                         REASON_POLICY_INVALID);
        assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[1]), REASON_NONE);
        assert_int_equal(take(s, ANCHOR_VENDOR, s->vendor_sets[1]), REASON_NONE);
        assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[3]), REASON_POLICY_GAP);
        assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[1]), REASON_OLD_POLICY);
        assert_int_equal(take(s, ANCHOR_POLICY, write_policy_set(out, sizeof(out), &s->policies[2], one, 1)),
                         REASON_UNDER_SIGNED);
        assert_int_equal(take(s, ANCHOR_POLICY, write_policy_set(out, sizeof(out), &s->policies[2], stranger, 2)),
                         REASON_UNDER_SIGNED);
        other.patience_s = 5;
        assert_int_equal(take(s, ANCHOR_POLICY, write_policy_set(out, sizeof(out), &other, two, 2)),
                         REASON_POLICY_FORK);
        memset(fork.predecessor, 9, SHA256_SIZE);
        assert_int_equal(take(s, ANCHOR_POLICY, write_policy_set(out, sizeof(out), &fork, two, 2)), REASON_POLICY_FORK);
        assert_int_equal(take(s, ANCHOR_POLICY, SPAN_LITERAL("junk")), REASON_MALFORMED);
        assert_int_equal(take(s, ANCHOR_POLICY, SPAN_EMPTY), REASON_MALFORMED);
        assert_int_equal(take(s, ANCHOR_VENDOR, host_vendor_set(out, sizeof(out), &s->vendors[2], vendor_and_one, 3)),
                         REASON_UNDER_SIGNED);
        assert_int_equal(take(s, ANCHOR_VENDOR, host_vendor_set(out, sizeof(out), &s->vendors[2], no_organisation, 3)),
                         REASON_ORGANISATION_SIGNATURE);
        assert_int_equal(take(s, ANCHOR_VENDOR, host_vendor_set(out, sizeof(out), &s->vendors[2], no_developer, 3)),
                         REASON_DEVELOPER_SIGNATURE);
        assert_int_equal(take(s, ANCHOR_REVOCATION, host_revocation(out, sizeof(out), 7, one, 1)), REASON_UNDER_SIGNED);
        assert_int_equal(take(s, ANCHOR_REVOCATION, host_revocation(out, sizeof(out), 7, two, 2)), REASON_NONE);
        assert_int_equal(take(s, ANCHOR_REVOCATION, host_revocation(out, sizeof(out), 6, two, 2)), REASON_OLD_EPOCH);
        assert_int_equal(s->anchors.policy.epoch, 1);
        assert_int_equal(s->anchors.vendor.epoch, 1);
        assert_int_equal(anchors_floor(&s->anchors), 7);
        assert_int_equal(reload(s), 0);
        assert_int_equal(s->anchors.policy.epoch, 1);
}

/* Two of an epoch that was passed long ago are a fork, too, and not only an old one. */
static void a_fork_of_the_past_is_seen(void **state)
{
        static uint8_t out[SITE_POLICY_MAX];
        struct site *s = *state;
        struct site_policy fork = next_policy(&s->policies[1], s->policy_sets[1]);
        struct vendor_keys keys = sample_vendor();

        take_all(s);
        fork.patience_s = 5;
        struct span set = write_policy_set(out, sizeof(out), &fork, two, 2);
        struct anchor_claim claim = anchor_claim(ANCHOR_POLICY, set);
        assert_int_equal(claim.epoch, 2);
        assert_false(anchors_hold(&s->anchors, ANCHOR_POLICY, &claim));
        assert_int_equal(take(s, ANCHOR_POLICY, set), REASON_POLICY_FORK);
        assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[1]), REASON_OLD_POLICY);
        keys.command[0] = key_of(STRANGER);
        assert_int_equal(take(s, ANCHOR_VENDOR, host_vendor_set(out, sizeof(out), &keys, both, 2)),
                         REASON_VENDOR_KEYS_FORK);
        assert_int_equal(take(s, ANCHOR_VENDOR, s->vendor_sets[1]), REASON_OLD_VENDOR_KEYS);
}

/* What nobody of the site signed is no fork, however it is numbered: or a cloud could cry wolf. */
static void rubbish_is_no_fork(void **state)
{
        static const enum who one[] = { APPROVER_1 }, strangers[] = { STRANGER, GATE };
        static uint8_t out[SITE_POLICY_MAX];
        struct site *s = *state;
        struct site_policy own = next_policy(&s->policies[1], s->policy_sets[1]), first = sample_policy(3, 2);
        struct vendor_keys keys = sample_vendor();

        take_all(s);
        own.patience_s = 5;
        assert_int_equal(take(s, ANCHOR_POLICY, write_policy_set(out, sizeof(out), &own, one, 1)), REASON_OLD_POLICY);
        own.approvers[0] = key_of(STRANGER);
        own.approver_count = own.threshold = 1;
        assert_int_equal(take(s, ANCHOR_POLICY, write_policy_set(out, sizeof(out), &own, strangers, 2)),
                         REASON_OLD_POLICY);
        first.approvers[0] = key_of(STRANGER);
        first.approver_count = first.threshold = 1;
        assert_int_equal(take(s, ANCHOR_POLICY, write_policy_set(out, sizeof(out), &first, strangers, 2)),
                         REASON_OLD_POLICY);
        own = s->policies[3];
        own.patience_s = 6;
        assert_int_equal(take(s, ANCHOR_POLICY, write_policy_set(out, sizeof(out), &own, strangers, 2)),
                         REASON_UNDER_SIGNED);
        keys.command[0] = key_of(STRANGER);
        assert_int_equal(take(s, ANCHOR_VENDOR, host_vendor_set(out, sizeof(out), &keys, strangers, 2)),
                         REASON_OLD_VENDOR_KEYS);
}

/* It is the payload that is held: who signed it beside the k that were enough, does not matter. */
static void a_set_with_other_signatures_is_known(void **state)
{
        static const enum who three[] = { APPROVER_3, APPROVER_2, APPROVER_1 };
        static uint8_t out[SITE_POLICY_MAX];
        struct site *s = *state;

        take_all(s);
        struct span set = write_policy_set(out, sizeof(out), &s->policies[2], three, 3);
        struct anchor_claim claim = anchor_claim(ANCHOR_POLICY, set);
        assert_true(anchors_hold(&s->anchors, ANCHOR_POLICY, &claim));
        claim = anchor_claim(ANCHOR_POLICY, SPAN_LITERAL("junk"));
        assert_int_equal(claim.epoch, 0);
        assert_false(anchors_hold(&s->anchors, ANCHOR_POLICY, &claim));
}

static struct span policy_with(enum who gate, uint8_t *out, size_t size)
{
        struct site_policy policy = sample_policy(3, 2);

        policy.gates[0].key = key_of(gate);
        return write_policy_set(out, size, &policy, two, 2);
}

static void test_roles_are_kept_apart(void **state)
{
        static const struct {
                enum who gate;
                bool vendor_first;
                enum reason first, second;
        } rows[] = {
                { GATE, true, REASON_NONE, REASON_NONE },
                { GATE, false, REASON_NONE, REASON_NONE },
                { ORGANISATION, true, REASON_NONE, REASON_POLICY_INVALID },
                { DEVELOPER, true, REASON_NONE, REASON_POLICY_INVALID },
                { COMMAND, true, REASON_NONE, REASON_POLICY_INVALID },
                { ORGANISATION, false, REASON_NONE, REASON_VENDOR_KEYS_INVALID },
                { COMMAND, false, REASON_NONE, REASON_VENDOR_KEYS_INVALID },
        };
        static uint8_t policy_bytes[SITE_POLICY_MAX], vendor_bytes[VENDOR_KEYS_SET_MAX];

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct store *store = open_store();
                struct anchors anchors = { 0 };
                struct span policy = policy_with(rows[i].gate, policy_bytes, sizeof(policy_bytes));
                struct span vendor = write_vendor_set(vendor_bytes, sizeof(vendor_bytes));

                for (int turn = 0; turn < 2; turn++) {
                        bool of_vendor = rows[i].vendor_first == (turn == 0);
                        enum reason reason = anchors_take(&anchors, store, HOST_SITE,
                                                          of_vendor ? ANCHOR_VENDOR : ANCHOR_POLICY,
                                                          of_vendor ? vendor : policy);
                        assert_string_equal(reason_name(reason), reason_name(turn ? rows[i].second : rows[i].first));
                }
                anchors_clear(&anchors);
                store_free(store);
        }
}

/* successors must not bring a key of the other side either */
static void successors_keep_roles_apart(void **state)
{
        static uint8_t out[SITE_POLICY_MAX];
        struct site *s = *state;
        struct site_policy policy = next_policy(&s->policies[1], s->policy_sets[1]);
        struct vendor_keys keys = next_vendor(&s->vendors[1], s->vendor_sets[1]);

        assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[1]), REASON_NONE);
        assert_int_equal(take(s, ANCHOR_VENDOR, s->vendor_sets[1]), REASON_NONE);
        policy.gates[0].key = key_of(COMMAND);
        assert_int_equal(take(s, ANCHOR_POLICY, write_policy_set(out, sizeof(out), &policy, two, 2)),
                         REASON_POLICY_INVALID);
        keys.command[0] = key_of(GATE);
        assert_int_equal(take(s, ANCHOR_VENDOR, host_vendor_set(out, sizeof(out), &keys, vendor_and_two, 4)),
                         REASON_VENDOR_KEYS_INVALID);
}

/* the vendor's second set was signed by approver 1; the policy without him waits for it */
static void a_policy_waits_for_its_vendor_keys(void **state)
{
        struct site *s = *state;

        assert_int_equal(take(s, ANCHOR_VENDOR, s->vendor_sets[1]), REASON_NONE);
        for (int epoch = 1; epoch <= 2; epoch++)
                assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[epoch]), REASON_NONE);
        assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[3]), REASON_VENDOR_KEYS_GAP);
        assert_int_equal(anchors_epoch(&s->anchors, ANCHOR_POLICY), 2);
        assert_int_equal(take(s, ANCHOR_VENDOR, s->vendor_sets[2]), REASON_NONE);
        assert_int_equal(take(s, ANCHOR_POLICY, s->policy_sets[3]), REASON_NONE);
        assert_int_equal(reload(s), 0);
        assert_int_equal(s->anchors.policy.epoch, 3);
}

#define SITE_ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                SITE_ROW(every_epoch_is_kept),
                SITE_ROW(a_chain_is_verified_from_epoch_one),
                SITE_ROW(what_does_not_succeed_is_refused),
                SITE_ROW(a_fork_of_the_past_is_seen),
                SITE_ROW(rubbish_is_no_fork),
                SITE_ROW(a_set_with_other_signatures_is_known),
                cmocka_unit_test(test_roles_are_kept_apart),
                SITE_ROW(successors_keep_roles_apart),
                SITE_ROW(a_policy_waits_for_its_vendor_keys),
        };
        return cmocka_run_group_tests_name("anchors", tests, NULL, NULL);
}
