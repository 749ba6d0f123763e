/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's answers: every field, who is answered, how often, what is forwarded and passed on, what is audited. */

#include "../librelay/objects.h"
#include "hub/tickets.h"

#define DEVICE "device-1"
#define TIME   UINT64_C(1763800000)
#define SENT   32

struct bench {
        struct tickets tickets;
        struct gate_key key;
        struct site_policy policy;
        bool has_policy, has_time, forwards, other_class;
        uint64_t now_ms;
        struct decision verdict;
        uint8_t asked_digest[SHA256_SIZE];
        struct {
                enum tickets_way way;
                char device[IDENTITY_MAX + 1];
                uint8_t bytes[TICKET_MAX];
                size_t size;
        } sent[SENT];
        size_t sent_count, forwarded, alerts, audits;
        enum audit_action action;
        char actor[80], object[80], detail[80];
};

static uint64_t now_s(void *context)
{
        return TIME + ((struct bench *)context)->now_ms / 1000;
}

static uint64_t now_ms(void *context)
{
        return ((struct bench *)context)->now_ms;
}

static bool time_trusted(void *context)
{
        return ((struct bench *)context)->has_time;
}

static bool device_of(void *context, const char *device, uint8_t class_id[CLASS_ID_SIZE])
{
        memset(class_id, ((struct bench *)context)->other_class ? 0xc2 : 0xc1, CLASS_ID_SIZE);
        return strncmp(device, "device-", 7) == 0;
}

static const struct site_policy *policy_of(void *context)
{
        struct bench *b = context;
        return b->has_policy ? &b->policy : NULL;
}

static uint64_t approval_epoch(void *context)
{
        (void)context;
        return 5;
}

static struct decision verdict_of(void *context, const char *device, const uint8_t digest[SHA256_SIZE])
{
        struct bench *b = context;

        (void)device;
        memcpy(b->asked_digest, digest, SHA256_SIZE);
        return b->verdict;
}

static void answer(void *context, enum tickets_way way, const char *device, struct span ticket)
{
        struct bench *b = context;

        assert_true(b->sent_count < SENT && ticket.size <= TICKET_MAX);
        b->sent[b->sent_count].way = way;
        strcpy(b->sent[b->sent_count].device, device);
        memcpy(b->sent[b->sent_count].bytes, ticket.data, ticket.size);
        b->sent[b->sent_count++].size = ticket.size;
}

static bool forward(void *context, const char *device, struct span request)
{
        struct bench *b = context;

        (void)device, (void)request;
        b->forwarded += b->forwards;
        return b->forwards;
}

static void alert(void *context, const char *device, enum reason reason, const char *detail)
{
        (void)device, (void)reason, (void)detail;
        ((struct bench *)context)->alerts++;
}

static void audit(void *context, const char *actor, enum audit_action action, const char *object, const char *detail)
{
        struct bench *b = context;

        b->audits++;
        b->action = action;
        strcpy(b->actor, actor);
        strcpy(b->object, object);
        strcpy(b->detail, detail);
}

static int setup(void **state)
{
        static struct bench b;
        const struct tickets_host host = { &b,        now_s,     now_ms,         time_trusted,
                                           device_of, policy_of, approval_epoch, verdict_of,
                                           answer,    forward,   alert,          audit };

        b = (struct bench){ .policy = sample_policy(3, 2), .has_policy = true, .has_time = true, .now_ms = 1000000 };
        b.key = (struct gate_key){ .there = true, .key = key_of(GATE) };
        memset(b.key.seed, GATE, sizeof(b.key.seed));
        memset(b.policy.digest, 0x90, SHA256_SIZE);
        b.verdict = DECISION_ALLOW;
        tickets_init(&b.tickets, "site-1", &b.key, &host);
        *state = &b;
        return 0;
}

static int teardown(void **state)
{
        tickets_release(&((struct bench *)*state)->tickets);
        return 0;
}

static struct gate_request request_of(uint8_t nonce, int digest)
{
        struct gate_request request = { .has_digest = digest >= 0 };

        memset(request.nonce, nonce, sizeof(request.nonce));
        if (digest >= 0)
                memset(request.manifest_digest, digest, SHA256_SIZE);
        return request;
}

/* digest: repeated, negative: the time only */
static enum tickets_result ask(struct bench *b, enum tickets_way way, const char *device, uint8_t nonce, int digest)
{
        struct gate_request request = request_of(nonce, digest);
        uint8_t bytes[GATE_REQUEST_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(gate_request_encode(&w, &request), RELAY_OK);
        return tickets_request(&b->tickets, way, device, writer_span(&w));
}

static struct span last_ticket(const struct bench *b)
{
        assert_true(b->sent_count > 0);
        return span_of(b->sent[b->sent_count - 1].bytes, b->sent[b->sent_count - 1].size);
}

static void wait(struct bench *b)
{
        b->now_ms += TICKETS_INTERVAL_MS;
}

/* What the device that asked believes. */
static enum reason check(const struct bench *b, const struct gate_request *request, struct ticket *out)
{
        uint8_t class_id[CLASS_ID_SIZE];
        struct ticket_facts facts = { .device = DEVICE, .class_id = class_id, .request = request, .approval_epoch = 5 };

        memset(class_id, 0xc1, sizeof(class_id));
        return ticket_check(last_ticket(b), &b->policy, &facts, out);
}

static void every_field_is_the_question_s(void **state)
{
        struct bench *b = *state;
        struct gate_request request = request_of(7, 0x3d);
        struct ticket ticket;

        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 7, 0x3d), TICKETS_ANSWERED);
        assert_int_equal(b->sent_count, 1);
        assert_int_equal(b->sent[0].way, TICKETS_LOCAL);
        assert_string_equal(b->sent[0].device, DEVICE);
        assert_int_equal(check(b, &request, &ticket), REASON_NONE);
        assert_string_equal(ticket.site, "site-1");
        assert_string_equal(ticket.device, DEVICE);
        assert_memory_equal(ticket.nonce, request.nonce, sizeof(ticket.nonce));
        assert_memory_equal(ticket.manifest_digest, request.manifest_digest, SHA256_SIZE);
        assert_memory_equal(b->asked_digest, request.manifest_digest, SHA256_SIZE);
        assert_memory_equal(ticket.policy_digest, b->policy.digest, SHA256_SIZE);
        assert_int_equal(ticket.approval_epoch, 5);
        assert_int_equal(ticket.decision.verdict, VERDICT_ALLOW);
        assert_true(ticket.has_time);
        assert_int_equal(ticket.time, TIME + 1000);
}

static void a_closed_gate_says_why(void **state)
{
        struct bench *b = *state;
        struct gate_request request = request_of(8, 0x3d);
        struct ticket ticket;

        b->verdict = DECISION_DENY(REASON_OUTSIDE_WINDOW);
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 8, 0x3d), TICKETS_ANSWERED);
        assert_int_equal(check(b, &request, &ticket), REASON_NONE);
        assert_int_equal(ticket.decision.verdict, VERDICT_DENY);
        assert_int_equal(ticket.decision.reason, REASON_OUTSIDE_WINDOW);
}

static void a_time_request_gets_the_time_and_opens_nothing(void **state)
{
        struct bench *b = *state;
        struct gate_request request = request_of(9, -1);
        struct ticket ticket;

        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 9, -1), TICKETS_ANSWERED);
        assert_int_equal(check(b, &request, &ticket), REASON_NONE);
        assert_false(ticket.has_digest);
        assert_int_equal(ticket.decision.verdict, VERDICT_DENY);
        assert_true(ticket.has_time);
        assert_int_equal(b->audits, 0);
}

static void without_a_trusted_clock_no_time_is_given(void **state)
{
        struct bench *b = *state;
        struct gate_request request = request_of(9, -1);
        struct ticket ticket;

        b->has_time = false;
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 9, -1), TICKETS_ANSWERED);
        assert_int_equal(check(b, &request, &ticket), REASON_NONE);
        assert_false(ticket.has_time);
}

static void one_verdict_in_ten_seconds(void **state)
{
        struct bench *b = *state;

        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 1, 0x3d), TICKETS_ANSWERED);
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 2, 0x3d), TICKETS_QUOTA);
        b->now_ms += TICKETS_INTERVAL_MS - 1;
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 3, 0x3e), TICKETS_QUOTA);
        b->now_ms++;
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 4, 0x3d), TICKETS_ANSWERED);
        /* other devices, the time, and the other way have their own */
        assert_int_equal(ask(b, TICKETS_LOCAL, "device-2", 5, 0x3d), TICKETS_ANSWERED);
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 6, -1), TICKETS_ANSWERED);
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 7, -1), TICKETS_QUOTA);
        assert_int_equal(ask(b, TICKETS_UPLINK, DEVICE, 8, 0x3d), TICKETS_ANSWERED);
        assert_int_equal(ask(b, TICKETS_UPLINK, DEVICE, 9, 0x3d), TICKETS_QUOTA);
        assert_int_equal(b->sent_count, 5);
        assert_int_equal(b->sent[4].way, TICKETS_UPLINK);
}

/* A hostile broker asks for every device: those at the relay are answered all the same. */
static void requests_by_the_uplink_have_a_budget_of_their_own(void **state)
{
        struct bench *b = *state;
        unsigned answered = 0;

        for (unsigned i = 0; i < 4 * TICKETS_UPLINK_BURST; i++) {
                char device[IDENTITY_MAX + 1];
                snprintf(device, sizeof(device), "device-%u", i);
                b->sent_count = 0;
                answered += ask(b, TICKETS_UPLINK, device, 1, 0x3d) == TICKETS_ANSWERED;
        }
        assert_int_equal(answered, TICKETS_UPLINK_BURST);
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 1, 0x3d), TICKETS_ANSWERED);
}

static void who_asked_is_forgotten_when_there_are_too_many(void **state)
{
        struct bench *b = *state;
        char device[IDENTITY_MAX + 1];

        for (unsigned i = 0; i < TICKETS_DEVICES_MAX; i++) {
                snprintf(device, sizeof(device), "device-%u", i);
                b->sent_count = 0;
                assert_int_equal(ask(b, TICKETS_LOCAL, device, 1, -1), TICKETS_ANSWERED);
        }
        assert_int_equal(ask(b, TICKETS_LOCAL, "device-x", 1, -1), TICKETS_QUOTA);
        wait(b);
        assert_int_equal(ask(b, TICKETS_LOCAL, "device-x", 1, -1), TICKETS_ANSWERED);
        assert_int_equal(b->tickets.devices.count, 1);
}

static void bad_requests_are_not_answered(void **state)
{
        struct bench *b = *state;
        uint8_t bytes[GATE_REQUEST_MAX + 1] = { 0 };

        assert_int_equal(tickets_request(&b->tickets, TICKETS_LOCAL, DEVICE, SPAN_EMPTY), TICKETS_REFUSED);
        assert_int_equal(tickets_request(&b->tickets, TICKETS_LOCAL, DEVICE, SPAN_OF(bytes)), TICKETS_REFUSED);
        assert_int_equal(b->alerts, 1); /* once an hour */
        assert_int_equal(ask(b, TICKETS_LOCAL, "stranger", 1, 0x3d), TICKETS_REFUSED);
        assert_int_equal(b->sent_count, 0);
        assert_int_equal(b->tickets.devices.count, 0);
}

/* ---- whose gate */
static void a_hub_that_is_no_gate_forwards(void **state)
{
        struct bench *b = *state;

        b->forwards = true;
        b->key.there = false;
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 1, 0x3d), TICKETS_FORWARDED);
        wait(b);
        b->key.there = true;
        b->key.key = key_of(STRANGER); /* the policy names another one */
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 2, 0x3d), TICKETS_FORWARDED);
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 3, 0x3d), TICKETS_QUOTA);
        wait(b);
        b->key.key = key_of(GATE);
        b->has_policy = false;
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 4, 0x3d), TICKETS_FORWARDED);
        wait(b);
        b->has_policy = true;
        b->policy.gates[0].scope.kind = SCOPE_CLASS; /* for other devices only */
        memset(b->policy.gates[0].scope.class_id, 0xc1, CLASS_ID_SIZE);
        b->other_class = true;
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 5, 0x3d), TICKETS_FORWARDED);
        assert_int_equal(b->forwarded, 4);
        /* what came by the uplink is another gate's there, too */
        assert_int_equal(ask(b, TICKETS_UPLINK, DEVICE, 6, 0x3d), TICKETS_NOT_OURS);
        b->forwards = false;
        wait(b);
        assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 7, 0x3d), TICKETS_NOT_OURS);
        assert_int_equal(b->forwarded, 4);
        assert_int_equal(b->sent_count, 0);
}

static struct span other_gate_s(uint8_t nonce, const char *device, uint8_t out[TICKET_MAX])
{
        struct ticket ticket = { .site = "site-1", .has_digest = true, .decision = DECISION_ALLOW };
        struct signer signer = who(STRANGER);
        struct writer w;

        strcpy(ticket.device, device);
        memset(ticket.nonce, nonce, sizeof(ticket.nonce));
        writer_init(&w, out, TICKET_MAX);
        assert_int_equal(ticket_sign(&w, &ticket, &signer), RELAY_OK);
        return writer_span(&w);
}

static void another_gate_s_ticket_is_passed_to_who_asked(void **state)
{
        struct bench *b = *state;
        uint8_t bytes[TICKET_MAX];

        assert_false(tickets_pass(&b->tickets, DEVICE, other_gate_s(1, DEVICE, bytes)));
        b->forwards = true;
        b->key.there = false;
        ask(b, TICKETS_LOCAL, DEVICE, 1, 0x3d);
        assert_false(tickets_pass(&b->tickets, DEVICE, other_gate_s(2, DEVICE, bytes)));
        assert_false(tickets_pass(&b->tickets, DEVICE, other_gate_s(1, "device-2", bytes)));
        assert_false(tickets_pass(&b->tickets, "device-2", other_gate_s(1, "device-2", bytes)));
        assert_false(tickets_pass(&b->tickets, DEVICE, SPAN_EMPTY));
        assert_false(tickets_pass(&b->tickets, DEVICE, SPAN_LITERAL("no ticket")));
        assert_int_equal(b->sent_count, 0);
        assert_true(tickets_pass(&b->tickets, DEVICE, other_gate_s(1, DEVICE, bytes)));
        assert_span_equal(last_ticket(b), other_gate_s(1, DEVICE, bytes));
        assert_int_equal(b->sent[0].way, TICKETS_LOCAL);
        /* one of each gate, not a flood */
        for (int i = 1; i < SITE_GATES_MAX; i++)
                assert_true(tickets_pass(&b->tickets, DEVICE, other_gate_s(1, DEVICE, bytes)));
        assert_false(tickets_pass(&b->tickets, DEVICE, other_gate_s(1, DEVICE, bytes)));
        /* nobody waits for it any more */
        wait(b);
        ask(b, TICKETS_LOCAL, DEVICE, 3, 0x3d);
        b->now_ms += TICKET_AGE_MAX_S * 1000;
        assert_false(tickets_pass(&b->tickets, DEVICE, other_gate_s(3, DEVICE, bytes)));
}

/* ---- audit */
static void open_answers_are_audited_each_closed_ones_when_they_change(void **state)
{
        struct bench *b = *state;

        ask(b, TICKETS_LOCAL, DEVICE, 1, 0x3d);
        assert_int_equal(b->audits, 1);
        assert_int_equal(b->action, AUDIT_TICKET_OPEN);
        assert_string_equal(b->actor, "device:" DEVICE);
        assert_memory_equal(b->object, "3d3d", 4);
        wait(b);
        ask(b, TICKETS_LOCAL, DEVICE, 2, 0x3d);
        assert_int_equal(b->audits, 2);
        b->verdict = DECISION_DENY(REASON_GATE_CLOSED);
        for (int i = 0; i < 3; i++) {
                wait(b);
                ask(b, TICKETS_LOCAL, DEVICE, 3, 0x3d);
        }
        assert_int_equal(b->audits, 3);
        assert_int_equal(b->action, AUDIT_TICKET_CLOSED);
        assert_string_equal(b->detail, "gate-closed");
        wait(b);
        b->verdict = DECISION_DENY(REASON_OUTSIDE_WINDOW);
        ask(b, TICKETS_UPLINK, DEVICE, 4, 0x3d);
        assert_int_equal(b->audits, 4);
        assert_string_equal(b->detail, "outside-window, asked by the uplink");
        wait(b);
        b->verdict = DECISION_ALLOW;
        ask(b, TICKETS_LOCAL, DEVICE, 5, 0x3d);
        b->verdict = DECISION_DENY(REASON_OUTSIDE_WINDOW);
        wait(b);
        ask(b, TICKETS_LOCAL, DEVICE, 6, 0x3d);
        assert_int_equal(b->audits, 6);
}

static void the_audit_log_is_not_flooded_by_closed_answers(void **state)
{
        struct bench *b = *state;

        b->verdict = DECISION_DENY(REASON_UNKNOWN_UPDATE);
        for (unsigned i = 0; i < TICKETS_TOLD_MAX + 50; i++) {
                b->now_ms += TICKETS_INTERVAL_MS;
                b->sent_count = 0;
                assert_int_equal(ask(b, TICKETS_LOCAL, DEVICE, 1, (int)(i % 251)), TICKETS_ANSWERED);
        }
        assert_int_equal(b->audits, TICKETS_TOLD_MAX);
        assert_int_equal(b->alerts, 1);
        b->now_ms += 3600 * 1000;
        ask(b, TICKETS_LOCAL, DEVICE, 1, 0x3d);
        assert_int_equal(b->audits, TICKETS_TOLD_MAX + 1);
}

/* Who has the broker asks in a device's name as often as the gate answers. */
static void the_audit_log_is_not_flooded_by_the_uplink(void **state)
{
        struct bench *b = *state;

        for (unsigned i = 0; i < TICKETS_TOLD_MAX + 50; i++) {
                b->now_ms += TICKETS_INTERVAL_MS;
                b->sent_count = 0;
                assert_int_equal(ask(b, TICKETS_UPLINK, DEVICE, 1, 0x3d), TICKETS_ANSWERED);
        }
        assert_int_equal(b->audits, TICKETS_TOLD_MAX);
        assert_int_equal(b->alerts, 1);
        /* what devices ask here is told all the same */
        b->verdict = DECISION_DENY(REASON_GATE_CLOSED);
        ask(b, TICKETS_LOCAL, DEVICE, 1, 0x3d);
        assert_int_equal(b->audits, TICKETS_TOLD_MAX + 1);
}

static void rubbish_is_alerted_once_an_hour(void **state)
{
        struct bench *b = *state;

        for (int i = 0; i < 100; i++) {
                b->now_ms += 30 * 1000;
                assert_int_equal(tickets_request(&b->tickets, TICKETS_UPLINK, DEVICE, SPAN_LITERAL("rubbish")),
                                 TICKETS_REFUSED);
        }
        assert_int_equal(b->alerts, 1);
        tickets_request(&b->tickets, TICKETS_LOCAL, DEVICE, SPAN_LITERAL("rubbish"));
        tickets_request(&b->tickets, TICKETS_UPLINK, "device-2", SPAN_LITERAL("rubbish"));
        assert_int_equal(b->alerts, 3);
        b->now_ms += 3600 * 1000;
        tickets_request(&b->tickets, TICKETS_UPLINK, DEVICE, SPAN_LITERAL("rubbish"));
        assert_int_equal(b->alerts, 4);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(every_field_is_the_question_s),
                test(a_closed_gate_says_why),
                test(a_time_request_gets_the_time_and_opens_nothing),
                test(without_a_trusted_clock_no_time_is_given),
                test(one_verdict_in_ten_seconds),
                test(requests_by_the_uplink_have_a_budget_of_their_own),
                test(who_asked_is_forgotten_when_there_are_too_many),
                test(bad_requests_are_not_answered),
                test(a_hub_that_is_no_gate_forwards),
                test(another_gate_s_ticket_is_passed_to_who_asked),
                test(open_answers_are_audited_each_closed_ones_when_they_change),
                test(the_audit_log_is_not_flooded_by_closed_answers),
                test(the_audit_log_is_not_flooded_by_the_uplink),
                test(rubbish_is_alerted_once_an_hour),
        };
        return cmocka_run_group_tests_name("tickets", tests, NULL, NULL);
}
