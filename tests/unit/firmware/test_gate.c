/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's client: which tickets it believes, how old they may be, when it asks again. */
#include "gate_lab.h"
#include "unit.h"

static const uint8_t class_id[CLASS_ID_SIZE] = { 0xc1 };
static struct site_policy policy;
static struct gate gate;
static uint64_t now;
static uint8_t manifest[SHA256_SIZE] = { 0x11 }, other_manifest[SHA256_SIZE] = { 0x22 };
static uint8_t question_bytes[GATE_REQUEST_MAX], ticket_bytes[TICKET_MAX];

static int setup(void **state)
{
        struct gate_config config = {
                .device = "device-1",
                .class_id = class_id,
                .policy = &policy,
                .entropy = &gate_lab_entropy,
                .timing = gate_timing_default,
        };

        (void)state;
        policy = sample_policy(3, 2);
        memset(policy.digest, 0x70, SHA256_SIZE);
        policy.approval_epoch = 4;
        now = 1000000;
        gate_init(&gate, &config);
        gate_trust(&gate, 4, GATE_LAB_TIME - 1000, now);
        gate_session(&gate, now);
        return 0;
}

static struct span ask(void)
{
        struct span question;

        assert_true(gate_is_due(&gate, now));
        assert_int_equal(gate_ask(&gate, question_bytes, &question, now), 0);
        return question;
}

static enum reason answer(const struct ticket *ticket, enum who by)
{
        return gate_ticket(&gate, gate_lab_sign(ticket_bytes, ticket, by), now);
}

static enum gate_answer may_install(enum reason *reason)
{
        *reason = REASON_NONE;
        return gate_may_install(&gate, manifest, now, reason);
}

static void test_time_is_asked_at_the_beginning_of_a_session(void **state)
{
        uint64_t unix_s;

        (void)state;
        assert_false(gate_time(&gate, now, &unix_s));
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        assert_false(ticket.has_digest);
        assert_true(gate_is_waiting(&gate));
        now += 3000;
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        assert_true(gate_time(&gate, now, &unix_s));
        assert_int_equal(unix_s, GATE_LAB_TIME + 3); /* counted from the making of the question */
        now += 60000;
        assert_true(gate_time(&gate, now, &unix_s));
        assert_int_equal(unix_s, GATE_LAB_TIME + 63);
        assert_false(gate_is_due(&gate, now));
        gate_session(&gate, now);
        assert_true(gate_is_due(&gate, now));
}

static void test_open_verdict_serves_once(void **state)
{
        enum reason reason;

        (void)state;
        assert_int_equal(may_install(&reason), GATE_PENDING);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        assert_true(ticket.has_digest);
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        assert_int_equal(may_install(&reason), GATE_OPEN);
        assert_int_equal(may_install(&reason), GATE_PENDING);
        /* the time came with it, and what is asked next has another nonce */
        now += gate_timing_default.spacing_ms;
        struct ticket second = gate_lab_ticket(&policy, ask());
        assert_true(second.has_digest);
        assert_memory_not_equal(second.nonce, ticket.nonce, TICKET_NONCE_SIZE);
}

struct ticket_row {
        const char *name;
        void (*bend)(struct ticket *ticket);
        enum who signer;
        enum reason expected;
        bool answered; /* the question is used up, and its refusal stands */
};

static void bend_nothing(struct ticket *ticket)
{
        (void)ticket;
}
static void bend_site(struct ticket *ticket)
{
        strcpy(ticket->site, "site-2");
}
static void bend_device(struct ticket *ticket)
{
        strcpy(ticket->device, "device-2");
}
static void bend_nonce(struct ticket *ticket)
{
        ticket->nonce[15] ^= 1;
}
static void bend_digest(struct ticket *ticket)
{
        memcpy(ticket->manifest_digest, other_manifest, SHA256_SIZE);
}
static void bend_to_time(struct ticket *ticket)
{
        ticket->has_digest = false;
        ticket->decision = DECISION_DENY(REASON_NONE);
}
static void bend_policy(struct ticket *ticket)
{
        ticket->policy_digest[0] ^= 1;
}
static void bend_epoch(struct ticket *ticket)
{
        ticket->approval_epoch++;
}
static void bend_time(struct ticket *ticket)
{
        ticket->time = GATE_LAB_TIME - 1001;
}

static void test_every_field_of_a_ticket_is_compared(void **state)
{
        static const struct ticket_row rows[] = {
                { "true", bend_nothing, GATE, REASON_NONE, true },
                { "other site", bend_site, GATE, REASON_WRONG_SITE, false },
                { "other device", bend_device, GATE, REASON_WRONG_DEVICE, false },
                { "other nonce", bend_nonce, GATE, REASON_WRONG_NONCE, false },
                { "other manifest", bend_digest, GATE, REASON_WRONG_DIGEST, false },
                { "no manifest", bend_to_time, GATE, REASON_WRONG_DIGEST, false },
                { "stranger", bend_nothing, STRANGER, REASON_BAD_SIGNATURE, false },
                { "approver", bend_nothing, APPROVER_1, REASON_BAD_SIGNATURE, false },
                { "other policy", bend_policy, GATE, REASON_POLICY_DIFFERS, true },
                { "later epoch", bend_epoch, GATE, REASON_REVOKED_EPOCH, true },
                { "time below the floor", bend_time, GATE, REASON_CLOCK_TURNED_BACK, true },
        };
        enum reason reason;
        uint64_t unix_s;

        for (size_t i = 0; i < ROWS(rows); i++) {
                const struct ticket_row *row = &rows[i];
                setup(state);
                (void)may_install(&reason);
                struct ticket ticket = gate_lab_ticket(&policy, ask()), bent = ticket;
                row->bend(&bent);
                if (answer(&bent, row->signer) != row->expected)
                        fail_msg("%s: not %s", row->name, reason_name(row->expected));
                assert_int_equal(gate_time(&gate, now, &unix_s), row->expected == REASON_NONE);
                enum gate_answer given = may_install(&reason);
                if (row->expected == REASON_NONE) {
                        assert_int_equal(given, GATE_OPEN);
                        continue;
                }
                assert_int_equal(given, row->answered ? GATE_NO : GATE_PENDING);
                assert_int_equal(gate_take_behind(&gate),
                                 row->expected == REASON_POLICY_DIFFERS || row->expected == REASON_REVOKED_EPOCH);
                assert_false(gate_take_behind(&gate));
                /* what is refused takes nothing from the true answer, unless it was one */
                assert_int_equal(answer(&ticket, GATE), row->answered ? REASON_WRONG_NONCE : REASON_NONE);
                assert_int_equal(may_install(&reason), row->answered ? GATE_NO : GATE_OPEN);
        }
}

static void test_garbage_is_malformed(void **state)
{
        enum reason reason;

        (void)state;
        (void)may_install(&reason);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        struct span good = gate_lab_sign(ticket_bytes, &ticket, GATE);
        for (size_t size = 0; size < good.size; size++)
                assert_int_equal(gate_ticket(&gate, span_slice(good, 0, size), now), REASON_MALFORMED);
        assert_int_equal(gate_ticket(&gate, good, now), REASON_NONE);
}

static void test_ticket_is_120_seconds_old_at_most(void **state)
{
        static const struct {
                uint64_t age_ms;
                enum reason expected;
        } rows[] = {
                { 119000, REASON_NONE },         { 120000, REASON_NONE },           { 120001, REASON_STALE_TICKET },
                { 121000, REASON_STALE_TICKET }, { 86400000, REASON_STALE_TICKET },
        };
        enum reason reason;
        uint64_t unix_s;

        for (size_t i = 0; i < ROWS(rows); i++) {
                setup(state);
                (void)may_install(&reason);
                struct ticket ticket = gate_lab_ticket(&policy, ask());
                /* the gate's clock says nothing about the age: it may be turned back or forward as it likes */
                ticket.time += i % 2 == 0 ? 100000 : 0;
                now += rows[i].age_ms;
                assert_int_equal(answer(&ticket, GATE), rows[i].expected);
                assert_int_equal(may_install(&reason), rows[i].expected == REASON_NONE ? GATE_OPEN : GATE_NO);
                assert_int_equal(gate_time(&gate, now, &unix_s), rows[i].expected == REASON_NONE);
        }
}

/* It came in time, but was not used in time. */
static void test_open_verdict_ages(void **state)
{
        static const uint64_t ages[] = { 119000, 120000, 121000 };
        enum reason reason;

        for (size_t i = 0; i < ROWS(ages); i++) {
                setup(state);
                (void)may_install(&reason);
                struct ticket ticket = gate_lab_ticket(&policy, ask());
                now += 1000;
                assert_int_equal(answer(&ticket, GATE), REASON_NONE);
                now += ages[i] - 1000;
                assert_int_equal(may_install(&reason), ages[i] <= 120000 ? GATE_OPEN : GATE_PENDING);
                assert_int_equal(gate_is_due(&gate, now), ages[i] > 120000);
        }
}

static void test_replayed_ticket(void **state)
{
        uint8_t recorded_bytes[TICKET_MAX];
        enum reason reason;

        (void)state;
        (void)may_install(&reason);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        struct span recorded = gate_lab_sign(recorded_bytes, &ticket, GATE);
        assert_int_equal(gate_ticket(&gate, recorded, now), REASON_NONE);
        assert_int_equal(may_install(&reason), GATE_OPEN);
        /* to no question, and to the next one */
        assert_int_equal(gate_ticket(&gate, recorded, now), REASON_WRONG_NONCE);
        assert_int_equal(may_install(&reason), GATE_PENDING);
        now += 20000;
        (void)ask();
        assert_int_equal(gate_ticket(&gate, recorded, now), REASON_WRONG_NONCE);
        assert_int_equal(may_install(&reason), GATE_PENDING);
        /* and after a restart */
        setup(state);
        (void)may_install(&reason);
        (void)ask();
        assert_int_equal(gate_ticket(&gate, recorded, now), REASON_WRONG_NONCE);
        assert_int_equal(may_install(&reason), GATE_PENDING);
}

/* Late, but honest: it changes nothing, and is no attack either. */
static void test_late_answer_to_a_question_that_was_given_up(void **state)
{
        enum reason reason;
        uint64_t unix_s;

        (void)state;
        (void)may_install(&reason);
        struct ticket first = gate_lab_ticket(&policy, ask());
        now += gate_timing_default.patience_ms;
        gate_tick(&gate, now);
        assert_int_equal(may_install(&reason), GATE_NO);
        assert_int_equal(reason, REASON_NO_GATE_ANSWER);
        now += 60000;
        struct ticket second = gate_lab_ticket(&policy, ask());
        assert_int_equal(answer(&first, GATE), REASON_NONE);
        assert_false(gate_time(&gate, now, &unix_s));
        assert_int_equal(may_install(&reason), GATE_NO);
        assert_int_equal(answer(&second, GATE), REASON_NONE);
        assert_int_equal(may_install(&reason), GATE_OPEN);
}

/* An answer after our patience, but to the question that still stands. */
static void test_slow_answer(void **state)
{
        enum reason reason;

        (void)state;
        (void)may_install(&reason);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        now += gate_timing_default.patience_ms + 5000;
        gate_tick(&gate, now);
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        assert_int_equal(may_install(&reason), GATE_OPEN);
}

static void test_freeze_no_answer_is_no_install(void **state)
{
        uint64_t last = 0, end = now + 24 * 3600 * 1000;
        unsigned asked = 0;
        enum reason reason;

        (void)state;
        for (; now < end; now += 1000) {
                gate_tick(&gate, now);
                assert_int_not_equal(may_install(&reason), GATE_OPEN);
                assert_true(now < 1000000 + 20000 || reason == REASON_NO_GATE_ANSWER);
                if (!gate_is_due(&gate, now))
                        continue;
                (void)ask();
                assert_true(asked == 0 || now - last >= 10000);
                last = now;
                asked++;
        }
        assert_in_range(asked, 200, 400); /* a day; five minutes and a bit apart in the end */
}

static void test_closed_gate_is_asked_again(void **state)
{
        uint64_t closed_at = 0;
        enum reason reason;

        (void)state;
        for (unsigned i = 0; i < 5; i++) {
                assert_int_equal(may_install(&reason), i == 0 ? GATE_PENDING : GATE_NO);
                struct ticket ticket = gate_lab_ticket(&policy, ask());
                ticket.decision = DECISION_DENY(REASON_OUTSIDE_WINDOW);
                assert_int_equal(answer(&ticket, GATE), REASON_NONE);
                assert_int_equal(may_install(&reason), GATE_NO);
                assert_int_equal(reason, REASON_OUTSIDE_WINDOW);
                closed_at = now;
                assert_false(gate_is_due(&gate, now));
                now = gate_deadline(&gate, now);
                assert_true(now >= closed_at + 10000);
        }
        /* somebody showed the offer again: the pause ends, the distance does not */
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        ticket.decision = DECISION_DENY(REASON_GATE_CLOSED);
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        gate_hurry(&gate, now);
        assert_false(gate_is_due(&gate, now));
        now += gate_timing_default.spacing_ms;
        ticket = gate_lab_ticket(&policy, ask());
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        assert_int_equal(may_install(&reason), GATE_OPEN);
}

static void test_verdict_is_for_the_manifest_that_was_asked(void **state)
{
        enum reason reason;

        (void)state;
        (void)may_install(&reason);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        assert_int_equal(gate_may_install(&gate, other_manifest, now, &reason), GATE_PENDING);
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        assert_int_equal(gate_may_install(&gate, other_manifest, now, &reason), GATE_PENDING);
        /* the other way round: an open one is void once another is asked for */
        now += 20000;
        ticket = gate_lab_ticket(&policy, ask());
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        assert_int_equal(may_install(&reason), GATE_PENDING);
        assert_int_equal(gate_may_install(&gate, other_manifest, now, &reason), GATE_PENDING);
}

static void test_change_of_trust_voids_verdicts(void **state)
{
        enum reason reason;
        uint64_t unix_s;

        (void)state;
        (void)may_install(&reason);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        gate_trust(&gate, 5, GATE_LAB_TIME - 500, now);
        assert_int_equal(may_install(&reason), GATE_PENDING);
        assert_true(gate_time(&gate, now, &unix_s));
        gate_trust(&gate, 5, GATE_LAB_TIME + 500, now);
        assert_false(gate_time(&gate, now, &unix_s));
}

static void test_later_ticket_corrects_the_time(void **state)
{
        static const int64_t steps[] = { 5000, -5900, 0 };
        uint64_t unix_s;

        (void)state;
        for (size_t i = 0; i < ROWS(steps); i++) {
                gate_session(&gate, now);
                struct ticket ticket = gate_lab_ticket(&policy, ask());
                ticket.time = (uint64_t)((int64_t)GATE_LAB_TIME + 5000 + steps[i]);
                assert_int_equal(answer(&ticket, GATE), REASON_NONE);
                assert_true(gate_time(&gate, now, &unix_s));
                assert_int_equal(unix_s, ticket.time);
                now += 20000;
        }
        /* one that lies below the floor changes nothing */
        gate_session(&gate, now);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        ticket.time = GATE_LAB_TIME - 1001;
        assert_int_equal(answer(&ticket, GATE), REASON_CLOCK_TURNED_BACK);
        assert_true(gate_time(&gate, now, &unix_s));
        assert_int_equal(unix_s, GATE_LAB_TIME + 5000 + 20);
}

static void test_gate_without_a_clock(void **state)
{
        enum reason reason;
        uint64_t unix_s;

        (void)state;
        (void)may_install(&reason);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        ticket.has_time = false;
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        assert_int_equal(may_install(&reason), GATE_OPEN);
        assert_false(gate_time(&gate, now, &unix_s));
        assert_false(gate_is_due(&gate, now));
        now = gate_deadline(&gate, now);
        assert_true(gate_is_due(&gate, now)); /* it may have one by now */
}

static void test_no_gate_for_this_device(void **state)
{
        enum reason reason;

        (void)state;
        policy.gates[0].scope = (struct site_scope){ .kind = SCOPE_DEVICES, .device_first = 1, .device_count = 1 };
        assert_false(gate_is_due(&gate, now));
        assert_int_equal(gate_deadline(&gate, now), UINT64_MAX);
        assert_int_equal(may_install(&reason), GATE_NO);
        assert_int_equal(reason, REASON_NO_GATE_ANSWER);
}

/* A gate of the site, but of other devices. */
static void test_gate_of_other_devices(void **state)
{
        enum reason reason;

        (void)state;
        policy.gates[1] = (struct site_gate){ .key = key_of(STRANGER) };
        policy.gates[1].scope = (struct site_scope){ .kind = SCOPE_DEVICES, .device_first = 1, .device_count = 1 };
        policy.gate_count = 2;
        (void)may_install(&reason);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        assert_int_equal(answer(&ticket, STRANGER), REASON_BAD_SIGNATURE);
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
}

static void test_unreached_gate(void **state)
{
        enum reason reason;
        uint64_t before;

        (void)state;
        (void)may_install(&reason);
        gate_unreached(&gate, now); /* the link was not even opened */
        assert_int_equal(may_install(&reason), GATE_NO);
        assert_int_equal(reason, REASON_NO_GATE_ANSWER);
        before = now;
        now = gate_deadline(&gate, now);
        assert_true(now - before >= gate_timing_default.retry_first_ms);
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        assert_int_equal(may_install(&reason), GATE_OPEN);
}

static void test_time_is_refreshed(void **state)
{
        (void)state;
        struct ticket ticket = gate_lab_ticket(&policy, ask());
        assert_int_equal(answer(&ticket, GATE), REASON_NONE);
        now = gate_deadline(&gate, now);
        gate_tick(&gate, now);
        assert_true(gate_is_due(&gate, now));
        assert_int_equal(now, 1000000 + gate_timing_default.refresh_ms);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_time_is_asked_at_the_beginning_of_a_session, setup),
                cmocka_unit_test_setup(test_open_verdict_serves_once, setup),
                cmocka_unit_test_setup(test_every_field_of_a_ticket_is_compared, setup),
                cmocka_unit_test_setup(test_garbage_is_malformed, setup),
                cmocka_unit_test_setup(test_ticket_is_120_seconds_old_at_most, setup),
                cmocka_unit_test_setup(test_open_verdict_ages, setup),
                cmocka_unit_test_setup(test_replayed_ticket, setup),
                cmocka_unit_test_setup(test_late_answer_to_a_question_that_was_given_up, setup),
                cmocka_unit_test_setup(test_slow_answer, setup),
                cmocka_unit_test_setup(test_freeze_no_answer_is_no_install, setup),
                cmocka_unit_test_setup(test_closed_gate_is_asked_again, setup),
                cmocka_unit_test_setup(test_verdict_is_for_the_manifest_that_was_asked, setup),
                cmocka_unit_test_setup(test_change_of_trust_voids_verdicts, setup),
                cmocka_unit_test_setup(test_later_ticket_corrects_the_time, setup),
                cmocka_unit_test_setup(test_gate_without_a_clock, setup),
                cmocka_unit_test_setup(test_no_gate_for_this_device, setup),
                cmocka_unit_test_setup(test_gate_of_other_devices, setup),
                cmocka_unit_test_setup(test_unreached_gate, setup),
                cmocka_unit_test_setup(test_time_is_refreshed, setup),
        };
        return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
