/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The update agent and the gate: no install without a fresh ticket, rules, windows, revocations, changes of policy. */
#include "update_lab.h"

static int setup_with_gate(void **state)
{
        (void)setup(state);
        policy.ticket_needed = true;
        gate_word = GATE_SAYS_OPEN;
        return 0;
}

static void test_gate_is_asked_before_fetching_and_before_staging(void **state)
{
        (void)state;
        serve_for(&second, 2, HONEST, 1000); /* the time is asked and told */
        gate_word = GATE_SAYS_NOTHING;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_int_equal(questions, 1);
        assert_int_equal(asked_blocks + asked_lists, 0);
        gate_word = GATE_SAYS_OPEN;
        serve_for(&second, 2, HONEST, 60000);
        assert_true(reset);
        assert_int_equal(questions, 3); /* the first one was lost */
}

/* The gate closes between the fetch and the handing over. */
static void test_gate_closes_after_the_fetch(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        while (update.phase != UPDATE_PHASE_COMPLETE)
                assert_int_equal(serve(&second, 2, HONEST), 0);
        gate_word = GATE_SAYS_NO;
        gate_reason = REASON_GATE_CLOSED;
        serve_for(&second, 2, HONEST, 600000);
        assert_false(reset);
        assert_in_range(questions, 5, 8); /* after 15, 30, 60, 120, 240 seconds and a bit */
        assert_int_equal(count_told(UPDATE_WAITING, REASON_GATE_CLOSED), 1);
        gate_word = GATE_SAYS_OPEN;
        serve_for(&second, 2, HONEST, 400000);
        assert_true(reset);
        start();
        assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
}

static void test_verdicts_are_told_with_their_reason(void **state)
{
        static const enum reason reasons[] = {
                REASON_GATE_CLOSED,    REASON_OUTSIDE_WINDOW,  REASON_NOT_APPROVED,
                REASON_UNKNOWN_UPDATE, REASON_NO_TRUSTED_TIME, REASON_RULE_WAITS,
        };

        for (size_t i = 0; i < ROWS(reasons); i++) {
                setup_with_gate(state);
                gate_word = GATE_SAYS_NO;
                gate_reason = reasons[i];
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 200000);
                assert_false(reset);
                assert_untouched_spare();
                assert_int_equal(told_count, 1);
                assert_int_equal(count_told(UPDATE_WAITING, reasons[i]), 1);
                /* the same offer again: somebody thinks that it changed */
                gate_word = GATE_SAYS_OPEN;
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 25000);
                assert_true(reset);
        }
}

static void test_no_gate_answer_is_no_install(void **state)
{
        (void)state;
        gate_word = GATE_SAYS_NOTHING;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 3600000);
        assert_false(reset);
        assert_untouched_spare();
        assert_int_equal(told_count, 1);
        assert_int_equal(count_told(UPDATE_WAITING, REASON_NO_GATE_ANSWER), 1);
        assert_in_range(questions, 10, 30);
}

/* people's approvals are judged first: the gate is not asked about what nobody approved */
static void test_gate_is_not_asked_for_nothing(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 1, HONEST, 60000);
        assert_int_equal(questions, 0);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
}

static void test_each_try_needs_a_new_ticket(void **state)
{
        (void)state;
        for (unsigned i = 1; i <= PORT_BOOT_TRIES_MAX; i++) {
                questions = 0;
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 200000);
                assert_true(reset);
                assert_int_equal(questions, 2);
                start();
                start(); /* it never confirmed */
        }
        questions = 0;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 100000);
        assert_int_equal(questions, 0);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_TRIES_EXHAUSTED), 1);
}

static void test_tickets_are_not_asked_if_the_policy_needs_none(void **state)
{
        (void)state;
        policy.ticket_needed = false;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_true(reset);
        assert_int_equal(questions, 0);
}

/* The application is asked before the gate, and again with the ticket in hand. */
static void test_busy_application_and_gate(void **state)
{
        (void)state;
        busy = true;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 30000);
        assert_int_equal(questions, 0);
        busy = false;
        while (update.phase != UPDATE_PHASE_COMPLETE)
                assert_int_equal(serve(&second, 2, HONEST), 0);
        busy = true;
        serve_for(&second, 2, HONEST, 60000);
        assert_false(reset);
        busy = false;
        serve_for(&second, 2, HONEST, 30000);
        assert_true(reset);
}

/* ---- a newer one comes meanwhile */

/* The gate's yes to one manifest is not used for another. */
static void test_verdict_of_the_older_one_is_not_used_for_the_newer(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        while (update.phase != UPDATE_PHASE_COMPLETE)
                assert_int_equal(serve(&second, 2, HONEST), 0);
        gate_word = GATE_SAYS_NOTHING;
        serve_for(&second, 2, HONEST, 30000); /* asked about the older one, for staging */
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, HONEST, 300000);
        assert_false(reset);
        assert_memory_equal(update.target.digest, second.manifest, SHA256_SIZE);
        assert_int_equal(count_told(UPDATE_WAITING, REASON_NO_GATE_ANSWER), 2);
        gate_word = GATE_SAYS_OPEN;
        serve_for(&third, 2, HONEST, 600000);
        assert_true(reset);
        start();
        assert_memory_equal(device.executed, third.digest, SHA256_SIZE);
}

static void test_offer_taken_back_while_the_gate_is_asked(void **state)
{
        (void)state;
        gate_word = GATE_SAYS_NO;
        gate_reason = REASON_GATE_CLOSED;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        update_offer(&update, SPAN_EMPTY, now);
        assert_int_equal(update.status.state, UPDATE_IDLE);
        gate_word = GATE_SAYS_OPEN;
        questions = 0;
        serve_for(&second, 2, HONEST, 600000);
        assert_int_equal(questions, 0);
        assert_false(reset);
}

/* ---- rules */

static void allow_by_rule(const char *urgency)
{
        policy.rules[0] = (struct site_rule){ .urgency_count = 1, .scope = { .kind = SCOPE_CLASS }, .wait_s = 86400 };
        strcpy(policy.rules[0].urgencies[0], urgency);
        memset(policy.rules[0].scope.class_id, 0xc1, CLASS_ID_SIZE);
        policy.rule_count = 1;
}

/* The gate says when; the boot stage of this test holds no rule, and does not believe the application. */
static void test_rule_needs_a_ticket_even_if_the_policy_needs_none(void **state)
{
        (void)state;
        policy.ticket_needed = false;
        allow_by_rule("security");
        gate_word = GATE_SAYS_NO;
        gate_reason = REASON_RULE_WAITS;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 0, HONEST, 60000);
        assert_int_equal(count_told(UPDATE_WAITING, REASON_RULE_WAITS), 1);
        assert_untouched_spare();
        gate_word = GATE_SAYS_OPEN;
        serve_for(&second, 0, HONEST, 200000);
        assert_true(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED) >= 1); /* the boot stage's word */
        assert_false(reset);
        assert_true(questions >= 3);
}

static void test_rule_for_others(void **state)
{
        (void)state;
        allow_by_rule("routine");
        update_offer(&update, second.envelope, now);
        serve_for(&second, 0, HONEST, 60000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        allow_by_rule("security");
        policy.rules[0].scope.class_id[0] ^= 1;
        update_session(&update, now);
        serve_for(&second, 0, HONEST, 60000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 2);
        assert_int_equal(questions, 0);
}

/* ---- windows, with the gate's time */

static void approve_between(struct made_image *image, uint64_t not_before, uint64_t not_after)
{
        for (size_t i = 0; i < 2; i++) {
                struct approval approval = sample_approval(image->manifest);
                approval.has_not_before = approval.has_not_after = true;
                approval.not_before = not_before;
                approval.not_after = not_after;
                image->approvals[i] = write_approval(image->approval_bytes[i], APPROVAL_MAX, &approval,
                                                     APPROVER_1 + (enum who)i);
        }
}

static void test_windows_count_with_trusted_time(void **state)
{
        (void)state;
        gate_word = GATE_SAYS_NOTHING;
        approve_between(&second, GATE_LAB_TIME + 300, GATE_LAB_TIME + 3600);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 10000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NO_TRUSTED_TIME), 1);
        gate_word = GATE_SAYS_OPEN;
        serve_for(&second, 2, HONEST, 60000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OUTSIDE_WINDOW), 1);
        assert_untouched_spare();
        uint64_t unix_s;
        assert_true(gate_time(&gate, now, &unix_s));
        assert_true(unix_s < GATE_LAB_TIME + 300);
        while (unix_s < GATE_LAB_TIME + 299 && gate_time(&gate, now, &unix_s)) {
                serve_for(&second, 2, HONEST, 500);
                assert_int_equal(asked_blocks, 0);
        }
        serve_for(&second, 2, HONEST, 60000);
        assert_int_equal(asked_blocks, 3);
}

static void test_window_that_closed(void **state)
{
        (void)state;
        approve_between(&second, GATE_LAB_TIME - 7200, GATE_LAB_TIME - 1);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 100000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OUTSIDE_WINDOW), 1);
        assert_int_equal(questions, 0);
        assert_untouched_spare();
}

/*
 * Without tickets nobody but the device knows of a window. Who swaps the offer while the image is fetched takes the
 * approvals away with it, and must not stretch their window by that.
 */
static void test_window_that_closed_while_another_was_offered(void **state)
{
        (void)state;
        policy.ticket_needed = false;
        approve_between(&second, GATE_LAB_TIME, GATE_LAB_TIME + 60);
        serve_for(&second, 2, HONEST, 1000);
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 5000);
        assert_int_equal(update.phase, UPDATE_PHASE_LIST);
        update_offer(&update, third.envelope, now);
        serve_for(&second, 0, SILENT, 120000);
        serve_for(&second, 0, HONEST, 60000);
        assert_false(reset);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_OUTSIDE_WINDOW), 1);
        /* the right offer again, but the window is over */
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 60000);
        assert_false(reset);
        /* without windows there is nothing to know: the boot stage has the approvals */
        start();
        made_image(&third, 3, 12);
        update_offer(&update, third.envelope, now);
        serve_for(&third, 2, SILENT, 5000);
        made_image(&second, 4, 13);
        update_offer(&update, second.envelope, now);
        serve_for(&third, 0, HONEST, 60000);
        assert_true(reset);
}

/* ---- what changes meanwhile */

static void revoke(uint64_t epoch)
{
        struct port_boot_status status;

        assert_int_equal(port_status(NULL, &status), 0);
        status.approval_epoch = epoch;
        gate_trust(&gate, epoch, 0, now);
        update_trust(&update, &status, now);
}

static void test_revocation_while_waiting_for_the_gate(void **state)
{
        (void)state;
        gate_word = GATE_SAYS_NO;
        gate_reason = REASON_GATE_CLOSED;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        revoke(2);
        gate_word = GATE_SAYS_OPEN;
        questions = 0;
        serve_for(&second, 2, HONEST, 60000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_REVOKED_EPOCH), 1);
        assert_int_equal(questions, 0);
        assert_untouched_spare();
}

static void test_revocation_between_fetch_and_staging(void **state)
{
        (void)state;
        update_offer(&update, second.envelope, now);
        while (update.phase != UPDATE_PHASE_COMPLETE)
                assert_int_equal(serve(&second, 2, HONEST), 0);
        revoke(2);
        serve_for(&second, 2, HONEST, 60000);
        assert_false(reset);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_REVOKED_EPOCH), 1);
        /* approved again, under the new epoch */
        for (size_t i = 0; i < 2; i++) {
                struct approval approval = sample_approval(second.manifest);
                approval.epoch = 2;
                update_approval(&update, write_approval(second.approval_bytes[i], APPROVAL_MAX, &approval,
                                                        APPROVER_1 + (enum who)i));
        }
        serve_for(&second, 0, HONEST, 60000);
        assert_true(reset);
        assert_int_equal(asked_blocks, 3);
}

/* an approver is gone, another one has his place: approvals are looked at anew, not by their place */
static void test_rotated_approvers(void **state)
{
        struct port_boot_status status;

        (void)state;
        gate_word = GATE_SAYS_NO;
        gate_reason = REASON_GATE_CLOSED;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 5000);
        assert_int_equal(update.approval_count, 2);
        policy.approvers[0] = key_of(APPROVER_4);
        assert_int_equal(port_status(NULL, &status), 0);
        gate_trust(&gate, 0, 0, now);
        update_trust(&update, &status, now);
        gate_word = GATE_SAYS_OPEN;
        questions = 0;
        serve_for(&second, 2, HONEST, 60000);
        assert_int_equal(update.approval_count, 1);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_NOT_APPROVED), 1);
        assert_int_equal(questions, 0);
}

/* the vendor's keys were rotated: what the old developer signed is no offer any more */
static void test_rotated_vendor_keys(void **state)
{
        struct port_boot_status status;

        (void)state;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, SILENT, 3000);
        assert_int_equal(update.phase, UPDATE_PHASE_LIST);
        vendor.developer[0] = key_of(STRANGER);
        assert_int_equal(port_status(NULL, &status), 0);
        update_trust(&update, &status, now);
        serve_for(&second, 2, HONEST, 60000);
        assert_false(reset);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_DEVELOPER_SIGNATURE), 1);
        assert_false(update.has_candidate);
        assert_int_equal(update.phase, UPDATE_PHASE_NONE);
        assert_untouched_spare();
}

/* The gate is ahead: it holds another policy. Nothing is installed until the device caught up. */
static void test_policy_differs(void **state)
{
        uint8_t question_bytes[GATE_REQUEST_MAX], ticket_bytes[TICKET_MAX];
        struct port_boot_status status;
        struct span question;

        (void)state;
        gate_word = GATE_SAYS_NOTHING;
        update_offer(&update, second.envelope, now);
        serve_for(&second, 2, HONEST, 20000);
        while (!gate_is_due(&gate, now))
                now += 500;
        assert_int_equal(gate_ask(&gate, question_bytes, &question, now), 0);
        struct ticket ticket = gate_lab_ticket(&policy, question);
        ticket.policy_digest[0] ^= 1;
        assert_int_equal(gate_ticket(&gate, gate_lab_sign(ticket_bytes, &ticket, GATE), now), REASON_POLICY_DIFFERS);
        serve_for(&second, 2, HONEST, 5000);
        assert_int_equal(count_told(UPDATE_REFUSED, REASON_POLICY_DIFFERS), 1);
        /* it caught up */
        policy.digest[0] ^= 1;
        gate_word = GATE_SAYS_OPEN;
        assert_int_equal(port_status(NULL, &status), 0);
        gate_trust(&gate, 0, 0, now);
        update_trust(&update, &status, now);
        serve_for(&second, 2, HONEST, 60000);
        assert_true(reset);
}

/* the power goes at each flash operation: afterwards the gate is asked anew, and nothing is staged without it */
static void test_power_cut_everywhere(void **state)
{
        for (uint64_t cut = 1;; cut++) {
                setup_with_gate(state);
                made_power(&device, cut);
                assert_int_equal(start_agent(), 0);
                update_session(&update, now);
                update_offer(&update, second.envelope, now);
                int r = 0;
                for (unsigned i = 0; i < 100 && r == 0 && !reset; i++, now += 500)
                        r = serve(&second, 2, HONEST);
                if (reset)
                        break;
                assert_int_equal(r, PORT_E_IO);
                made_power(&device, 0);
                start();
                if (memcmp(device.executed, second.digest, SHA256_SIZE) == 0)
                        continue; /* staged in the last moment, with its ticket */
                gate_word = GATE_SAYS_NO;
                gate_reason = REASON_GATE_CLOSED;
                update_offer(&update, second.envelope, now);
                serve_for(&second, 2, HONEST, 20000);
                assert_false(reset);
                gate_word = GATE_SAYS_OPEN;
                serve_for(&second, 2, HONEST, 100000);
                assert_true(reset);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_gate_is_asked_before_fetching_and_before_staging, setup_with_gate),
                cmocka_unit_test_setup(test_gate_closes_after_the_fetch, setup_with_gate),
                cmocka_unit_test_setup(test_verdicts_are_told_with_their_reason, setup_with_gate),
                cmocka_unit_test_setup(test_no_gate_answer_is_no_install, setup_with_gate),
                cmocka_unit_test_setup(test_gate_is_not_asked_for_nothing, setup_with_gate),
                cmocka_unit_test_setup(test_each_try_needs_a_new_ticket, setup_with_gate),
                cmocka_unit_test_setup(test_tickets_are_not_asked_if_the_policy_needs_none, setup_with_gate),
                cmocka_unit_test_setup(test_busy_application_and_gate, setup_with_gate),
                cmocka_unit_test_setup(test_verdict_of_the_older_one_is_not_used_for_the_newer, setup_with_gate),
                cmocka_unit_test_setup(test_offer_taken_back_while_the_gate_is_asked, setup_with_gate),
                cmocka_unit_test_setup(test_rule_needs_a_ticket_even_if_the_policy_needs_none, setup_with_gate),
                cmocka_unit_test_setup(test_rule_for_others, setup_with_gate),
                cmocka_unit_test_setup(test_windows_count_with_trusted_time, setup_with_gate),
                cmocka_unit_test_setup(test_window_that_closed, setup_with_gate),
                cmocka_unit_test_setup(test_window_that_closed_while_another_was_offered, setup_with_gate),
                cmocka_unit_test_setup(test_revocation_while_waiting_for_the_gate, setup_with_gate),
                cmocka_unit_test_setup(test_revocation_between_fetch_and_staging, setup_with_gate),
                cmocka_unit_test_setup(test_rotated_approvers, setup_with_gate),
                cmocka_unit_test_setup(test_rotated_vendor_keys, setup_with_gate),
                cmocka_unit_test_setup(test_policy_differs, setup_with_gate),
                cmocka_unit_test_setup(test_power_cut_everywhere, setup_with_gate),
        };
        return cmocka_run_group_tests_name("update_gate", tests, NULL, NULL);
}
