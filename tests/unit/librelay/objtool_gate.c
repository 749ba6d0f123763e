/* SPDX-License-Identifier: GPL-2.0-or-later */
/* objtool's verbs of the gate: successors, revocations, tickets, commands, checkpoints, update files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objtool.h"
#include "relay/bundle.h"
#include "relay/checkpoint.h"
#include "relay/command.h"
#include "relay/revocation.h"
#include "relay/ticket.h"

static const char *device_of(struct request *q, size_t i)
{
        return strcmp(q->words[i], "-") == 0 ? NULL : q->words[i];
}

static const uint8_t *class_of(struct request *q, size_t i)
{
        struct span bytes = bytes_of(q, i);

        return bytes.size == CLASS_ID_SIZE ? bytes.data : NULL;
}

static struct site_policy *policy_of(struct request *q, size_t i)
{
        static struct site_policy policy;

        if (site_policy_read(bytes_of(q, i), &policy, scratch, sizeof(scratch)) != REASON_NONE) {
                fprintf(stderr, "objtool: argument %zu of %s is no site policy\n", i, q->words[0]);
                exit(2);
        }
        return &policy;
}

static void print_policy(enum reason reason, const struct site_policy *policy)
{
        struct writer w;

        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        writer_init(&w, out_bytes, sizeof(out_bytes));
        site_policy_encode(&w, policy);
        printf(" epoch=%llu", (unsigned long long)policy->epoch);
        print_hex("again", writer_span(&w));
}

/* policy-read SET */
static void do_policy_read(struct request *q)
{
        static struct site_policy policy;
        enum reason reason = site_policy_read(bytes_of(q, 1), &policy, scratch, sizeof(scratch));

        print_policy(reason, &policy);
}

/* policy-next SET CURRENT_SET */
static void do_policy_next(struct request *q)
{
        static struct site_policy next;
        enum reason reason = site_policy_accept_next(bytes_of(q, 1), policy_of(q, 2), &next, scratch, sizeof(scratch));

        print_policy(reason, &next);
}

/* policy-fits SET VENDOR_SET */
static void do_policy_fits(struct request *q)
{
        struct vendor_keys vendor;
        enum reason reason = vendor_keys_read(bytes_of(q, 2), &vendor);

        print_reason(reason == REASON_NONE ? site_policy_fits(policy_of(q, 1), &vendor) : reason);
}

/* vendor-next SET CURRENT_SET POLICY_SET */
static void do_vendor_next(struct request *q)
{
        struct vendor_keys current, next;
        struct writer w;
        enum reason reason = vendor_keys_read(bytes_of(q, 2), &current);

        if (reason == REASON_NONE)
                reason = vendor_keys_accept_next(bytes_of(q, 1), &current, policy_of(q, 3), &next, scratch,
                                                 sizeof(scratch));
        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        writer_init(&w, out_bytes, sizeof(out_bytes));
        vendor_keys_encode(&w, &next);
        print_hex("again", writer_span(&w));
}

/* revocation SET POLICY_SET FLOOR */
static void do_revocation(struct request *q)
{
        struct site_policy *policy = policy_of(q, 2);
        struct revocation revocation;
        struct writer w;
        enum reason reason = revocation_accept(bytes_of(q, 1), policy, strtoull(q->words[3], NULL, 10), &revocation,
                                               scratch, sizeof(scratch));

        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        writer_init(&w, out_bytes, sizeof(out_bytes));
        revocation_encode(&w, &revocation);
        print_hex("again", writer_span(&w));
}

/* gate POLICY_SET DEVICE CLASS */
static void do_gate(struct request *q)
{
        const struct site_gate *gate = site_policy_gate(policy_of(q, 1), device_of(q, 2), class_of(q, 3));
        uint8_t id[KEY_ID_SIZE];

        print_result(gate ? key_id(&gate->key, id) : RELAY_E_STATE);
        if (gate) {
                print_hex("id", SPAN_OF(id));
                print_text("host", span_of_string(gate->has_address ? gate->address.host : ""));
        }
}

/* rule POLICY_SET URGENCY DEVICE CLASS */
static void do_rule(struct request *q)
{
        printf("ok place=%d",
               site_policy_rule(policy_of(q, 1), 0, span_of_string(q->words[2]), device_of(q, 3), class_of(q, 4)));
}

/* gate-request BYTES */
static void do_gate_request(struct request *q)
{
        struct gate_request request;
        struct writer w;
        int result = gate_request_decode(bytes_of(q, 1), &request);

        writer_init(&w, out_bytes, sizeof(out_bytes));
        if (result == RELAY_OK)
                result = gate_request_encode(&w, &request);
        print_written(result, &w);
}

/* ticket SIGN1 POLICY_SET DEVICE CLASS REQUEST EPOCH TIME_FLOOR */
static void do_ticket(struct request *q)
{
        struct gate_request request = { 0 };
        struct ticket_facts facts = { device_of(q, 3), class_of(q, 4), &request, strtoull(q->words[6], NULL, 10),
                                      strtoull(q->words[7], NULL, 10) };
        struct ticket ticket;
        enum reason reason = gate_request_decode(bytes_of(q, 5), &request) == RELAY_OK ? REASON_NONE : REASON_MALFORMED;

        if (reason == REASON_NONE)
                reason = ticket_check(bytes_of(q, 1), policy_of(q, 2), &facts, &ticket);
        print_reason(reason);
        if (reason == REASON_NONE)
                printf(" open=%d reason=%s time=%llu", ticket.decision.verdict == VERDICT_ALLOW,
                       reason_name(ticket.decision.reason), (unsigned long long)(ticket.has_time ? ticket.time : 0));
}

/* sign-ticket PAYLOAD SEED */
static void do_sign_ticket(struct request *q)
{
        struct signer signer = signer_of(q, 2);
        struct ticket ticket;
        struct writer w;
        int result = ticket_decode(bytes_of(q, 1), &ticket);

        writer_init(&w, out_bytes, sizeof(out_bytes));
        if (result == RELAY_OK)
                result = ticket_sign(&w, &ticket, &signer);
        print_written(result, &w);
}

/* command SIGN1 POLICY_SET VENDOR_SET DEVICE CLASS */
static void do_command(struct request *q)
{
        uint8_t id[KEY_ID_SIZE];
        struct vendor_keys vendor;
        struct command command;
        struct public_key key;
        enum reason reason = vendor_keys_read(bytes_of(q, 3), &vendor);

        if (reason == REASON_NONE)
                reason = command_check(bytes_of(q, 1), policy_of(q, 2), &vendor, device_of(q, 4), class_of(q, 5),
                                       &command, &key);
        print_reason(reason);
        if (reason != REASON_NONE || key_id(&key, id) != RELAY_OK)
                return;
        printf(" counter=%llu expiry=%llu name=%s", (unsigned long long)command.counter,
               (unsigned long long)command.expiry, command.name);
        print_hex("arguments", command.arguments);
        print_hex("key", SPAN_OF(id));
}

/* sign-command PAYLOAD SEED */
static void do_sign_command(struct request *q)
{
        struct signer signer = signer_of(q, 2);
        struct command command;
        struct writer w;
        int result = command_decode(bytes_of(q, 1), &command);

        writer_init(&w, out_bytes, sizeof(out_bytes));
        if (result == RELAY_OK)
                result = command_sign(&w, &command, &signer);
        print_written(result, &w);
}

/* checkpoint SIGN1 COSE_KEY */
static void do_checkpoint(struct request *q)
{
        struct checkpoint checkpoint;
        struct public_key key;
        struct reader r;
        enum reason reason;

        reader_init(&r, bytes_of(q, 2));
        key_get_cose(&r, &key);
        reason = checkpoint_check(bytes_of(q, 1), &key, 1, &checkpoint);
        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        printf(" relay=%s count=%llu time=%llu", checkpoint.relay, (unsigned long long)checkpoint.count,
               (unsigned long long)checkpoint.time);
        print_hex("head", SPAN_OF(checkpoint.head));
        print_hex("previous", checkpoint.has_previous ? SPAN_OF(checkpoint.previous) : SPAN_EMPTY);
}

/* sign-checkpoint PAYLOAD SEED */
static void do_sign_checkpoint(struct request *q)
{
        struct signer signer = signer_of(q, 2);
        struct checkpoint checkpoint;
        struct writer w;
        int result = checkpoint_decode(bytes_of(q, 1), &checkpoint);

        writer_init(&w, out_bytes, sizeof(out_bytes));
        if (result == RELAY_OK)
                result = checkpoint_sign(&w, &checkpoint, &signer);
        print_written(result, &w);
}

/* update-file START FILE_SIZE */
static void do_update_file(struct request *q)
{
        struct update_file file;
        int result = update_file_decode(bytes_of(q, 1), strtoull(q->words[2], NULL, 10), &file);

        print_result(result);
        if (result != RELAY_OK)
                return;
        printf(" offset=%zu size=%lu", file.image_offset, (unsigned long)file.image_size);
        print_hex("envelope", file.envelope);
        print_hex("notes", file.notes);
}

/* update-file-head ENVELOPE NOTES IMAGE_SIZE */
static void do_update_file_head(struct request *q)
{
        struct writer w;

        writer_init(&w, out_bytes, sizeof(out_bytes));
        print_written(
                update_file_encode_head(&w, bytes_of(q, 1), bytes_of(q, 2), (uint32_t)strtoul(q->words[3], NULL, 10)),
                &w);
}

const struct verb gate_verbs[] = {
        { "policy-read", do_policy_read, 1 },
        { "policy-next", do_policy_next, 2 },
        { "policy-fits", do_policy_fits, 2 },
        { "vendor-next", do_vendor_next, 3 },
        { "revocation", do_revocation, 3 },
        { "gate", do_gate, 3 },
        { "rule", do_rule, 4 },
        { "gate-request", do_gate_request, 1 },
        { "ticket", do_ticket, 7 },
        { "sign-ticket", do_sign_ticket, 2 },
        { "command", do_command, 5 },
        { "sign-command", do_sign_command, 2 },
        { "checkpoint", do_checkpoint, 2 },
        { "sign-checkpoint", do_sign_checkpoint, 2 },
        { "update-file", do_update_file, 2 },
        { "update-file-head", do_update_file_head, 3 },
};
const size_t gate_verb_count = sizeof(gate_verbs) / sizeof(gate_verbs[0]);
