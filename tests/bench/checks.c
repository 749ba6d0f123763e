/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the checks cost that a device makes: time on this machine, how many signatures are verified, and how much of the
 * time is not the crypto library's. Two approvers of three; a policy with gates, grants and rules. Prints a table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/approval.h"
#include "relay/command.h"
#include "relay/revocation.h"
#include "relay/ticket.h"

#define RUNS 500

enum who { ORGANISATION = 1, DEVELOPER, APPROVER_1, APPROVER_2, APPROVER_3, GATE, SITE_COMMAND, WHO_END };

static uint8_t seeds[WHO_END][ED25519_SEED_SIZE], scratch[SITE_POLICY_MAX], buffers[8][SITE_POLICY_MAX];
static uint64_t verified, verify_ns;
static struct site_policy policy, next_policy;
static struct vendor_keys vendor, next_vendor;
static struct manifest_verified manifest;
static struct gate_request request;
static struct span envelope, approvals[2], ticket_bytes, command_bytes, revocation_set, policy_set, vendor_set;

/* librelay's calls come here (--wrap) */
int __real_crypto_verify(const struct public_key *key, struct span message, const uint8_t sig[SIGNATURE_SIZE]);
int __wrap_crypto_verify(const struct public_key *key, struct span message, const uint8_t sig[SIGNATURE_SIZE]);

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int __wrap_crypto_verify(const struct public_key *key, struct span message, const uint8_t sig[SIGNATURE_SIZE])
{
        uint64_t start = now_ns();
        int result = __real_crypto_verify(key, message, sig);

        verified++;
        verify_ns += now_ns() - start;
        return result;
}

static void need(bool fine, const char *what)
{
        if (fine)
                return;
        fprintf(stderr, "checks: %s failed\n", what);
        exit(1);
}

static int sign_with_seed(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, sig);
}

static struct signer who(enum who w)
{
        struct signer signer = { .sign = sign_with_seed, .context = seeds[w] };

        memset(seeds[w], (int)w, ED25519_SEED_SIZE);
        need(crypto_ed25519_public(seeds[w], &signer.key) == RELAY_OK, "a key");
        return signer;
}

static struct span sign_set(size_t buffer, struct span aad, struct span payload, const enum who *people, size_t count)
{
        uint8_t signatures[4][COSE_SIGN1_OVERHEAD];
        struct cose_set set = { .payload = payload, .count = count };
        struct writer w;

        for (size_t i = 0; i < count; i++) {
                struct signer signer = who(people[i]);
                writer_init(&w, signatures[i], sizeof(signatures[i]));
                need(cose_sign1_write(&w, &signer, aad, payload, true, scratch, sizeof(scratch)) == RELAY_OK, "sign");
                set.signatures[i] = writer_span(&w);
        }
        writer_init(&w, buffers[buffer], SITE_POLICY_MAX);
        need(cose_set_write(&w, &set) == RELAY_OK, "a set");
        return writer_span(&w);
}

static void make_policies(void)
{
        static const enum who two[] = { APPROVER_1, APPROVER_2 };
        uint8_t payload[SITE_POLICY_MAX];
        struct writer w;

        policy = (struct site_policy){ .site = "site-1", .epoch = 1, .approver_count = 3, .threshold = 2 };
        for (size_t i = 0; i < 3; i++)
                policy.approvers[i] = who(APPROVER_1 + (enum who)i).key;
        policy.gates[policy.gate_count++].key = who(GATE).key;
        policy.endpoints[policy.endpoint_count++] = (struct site_endpoint){ .host = "relay.example", .port = 8883 };
        policy.grants[policy.grant_count++] = (struct site_grant){ .key = who(SITE_COMMAND).key, .names = { 0, 1 } };
        strcpy(policy.names[policy.name_count++], "pump.*");
        policy.rules[policy.rule_count++] = (struct site_rule){ .urgencies = { "security" }, .urgency_count = 1 };
        policy.ticket_needed = true;
        writer_init(&w, payload, sizeof(payload));
        need(site_policy_encode(&w, &policy) == RELAY_OK && site_policy_decode(writer_span(&w), &policy) == RELAY_OK,
             "a policy");
        next_policy = policy;
        next_policy.epoch = 2;
        next_policy.has_predecessor = true;
        memcpy(next_policy.predecessor, policy.digest, SHA256_SIZE);
        writer_init(&w, payload, sizeof(payload));
        need(site_policy_encode(&w, &next_policy) == RELAY_OK, "its successor");
        policy_set = sign_set(0, SPAN_LITERAL(SITE_POLICY_AAD), writer_span(&w), two, 2);
}

static void make_vendors(void)
{
        static const enum who four[] = { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 };
        uint8_t payload[VENDOR_KEYS_SET_MAX];
        struct writer w;

        vendor = (struct vendor_keys){ .epoch = 1, .organisation_count = 1, .developer_count = 1 };
        vendor.organisation[0] = who(ORGANISATION).key;
        vendor.developer[0] = who(DEVELOPER).key;
        next_vendor = vendor;
        next_vendor.epoch = 2;
        next_vendor.has_predecessor = true; /* of digest 0, as vendor has */
        writer_init(&w, payload, sizeof(payload));
        need(vendor_keys_encode(&w, &next_vendor) == RELAY_OK, "vendor keys");
        vendor_set = sign_set(1, SPAN_LITERAL(VENDOR_KEYS_AAD), writer_span(&w), four, 4);
}

static void make_manifest(void)
{
        struct manifest_fields fields = { .sequence = 7,
                                          .image_size = 262144,
                                          .version = SPAN_LITERAL("1.1.0"),
                                          .urgency = SPAN_LITERAL("security"),
                                          .description = SPAN_LITERAL("Waters less at night.") };
        struct signer organisation = who(ORGANISATION), developer = who(DEVELOPER);
        struct manifest_unverified in;
        uint8_t one[MANIFEST_MAX];
        struct writer first, w;

        writer_init(&w, buffers[2], MANIFEST_MAX);
        need(manifest_encode(&w, &fields) == RELAY_OK, "a manifest");
        writer_init(&first, one, sizeof(one));
        need(manifest_add_signature(&first, writer_span(&w), &organisation) == RELAY_OK, "its signature");
        writer_init(&w, buffers[2], MANIFEST_MAX);
        need(manifest_add_signature(&w, writer_span(&first), &developer) == RELAY_OK, "its signature");
        envelope = writer_span(&w);
        need(manifest_decode(envelope, &in) == REASON_NONE && manifest_verify(&in, &vendor, &manifest) == REASON_NONE,
             "a manifest");
}

static void make_words(void)
{
        static const enum who two[] = { APPROVER_1, APPROVER_2 };
        struct approval approval = { .site = "site-1" };
        struct ticket ticket = { .site = "site-1", .device = "device-1", .has_digest = true, .has_time = true };
        struct command command = { "site-1", "device-1", 1, 0, "pump.on", SPAN_EMPTY };
        struct revocation revocation = { "site-1", 1, 0 };
        struct signer gate = who(GATE), commander = who(SITE_COMMAND);
        uint8_t payload[REVOCATION_MAX];
        struct writer w;

        memcpy(approval.manifest_digest, manifest.digest, SHA256_SIZE);
        for (size_t i = 0; i < 2; i++) {
                struct signer approver = who(two[i]);
                writer_init(&w, buffers[3 + i], APPROVAL_MAX);
                need(approval_sign(&w, &approval, &approver) == RELAY_OK, "an approval");
                approvals[i] = writer_span(&w);
        }
        request.has_digest = true;
        memcpy(request.manifest_digest, manifest.digest, SHA256_SIZE);
        memcpy(ticket.manifest_digest, manifest.digest, SHA256_SIZE);
        memcpy(ticket.policy_digest, policy.digest, SHA256_SIZE);
        ticket.decision = DECISION_ALLOW;
        writer_init(&w, buffers[5], TICKET_MAX);
        need(ticket_sign(&w, &ticket, &gate) == RELAY_OK, "a ticket");
        ticket_bytes = writer_span(&w);
        writer_init(&w, buffers[6], COMMAND_MAX);
        need(command_sign(&w, &command, &commander) == RELAY_OK, "a command");
        command_bytes = writer_span(&w);
        writer_init(&w, payload, sizeof(payload));
        need(revocation_encode(&w, &revocation) == RELAY_OK, "a revocation");
        revocation_set = sign_set(7, SPAN_LITERAL(REVOCATION_AAD), writer_span(&w), two, 2);
}

static bool check_manifest(void)
{
        struct manifest_unverified in;
        struct manifest_verified out;

        return manifest_decode(envelope, &in) == REASON_NONE && manifest_verify(&in, &vendor, &out) == REASON_NONE;
}

static bool check_approvals(void)
{
        struct approval_facts facts = { .device = "device-1" };

        return approval_decide(approvals, 2, manifest.digest, &policy, &facts).verdict == VERDICT_ALLOW;
}

static bool check_ticket(void)
{
        struct ticket_facts facts = { "device-1", NULL, &request, 0, 0 };
        struct ticket out;

        return ticket_check(ticket_bytes, &policy, &facts, &out) == REASON_NONE;
}

static bool check_command(void)
{
        struct public_key key;
        struct command out;

        return command_check(command_bytes, &policy, &vendor, "device-1", NULL, &out, &key) == REASON_NONE;
}

static bool check_revocation(void)
{
        struct revocation out;

        return revocation_accept(revocation_set, &policy, 0, &out, scratch, sizeof(scratch)) == REASON_NONE;
}

static bool check_policy(void)
{
        return site_policy_accept_next(policy_set, &policy, &next_policy, scratch, sizeof(scratch)) == REASON_NONE;
}

static bool check_vendor(void)
{
        return vendor_keys_accept_next(vendor_set, &vendor, &policy, &next_vendor, scratch, sizeof(scratch)) ==
               REASON_NONE;
}

static void measure(const char *name, bool (*check)(void), size_t bytes)
{
        verified = verify_ns = 0;
        uint64_t start = now_ns();

        for (size_t i = 0; i < RUNS; i++)
                need(check(), name);
        uint64_t all = now_ns() - start;
        printf("%-32s %6zu bytes  %3llu signatures  %8.1f us  %6.1f us of it not verifying\n", name, bytes,
               (unsigned long long)verified / RUNS, (double)all / RUNS / 1000, (double)(all - verify_ns) / RUNS / 1000);
}

int main(void)
{
        make_policies();
        make_vendors();
        make_manifest();
        make_words();
        measure("manifest", check_manifest, envelope.size);
        measure("approvals, 2 of 3", check_approvals, approvals[0].size + approvals[1].size);
        measure("ticket", check_ticket, ticket_bytes.size);
        measure("command", check_command, command_bytes.size);
        measure("revocation, 2 of 3", check_revocation, revocation_set.size);
        measure("next site policy, 2 of 3", check_policy, policy_set.size);
        measure("next vendor key set, 2 of 3", check_vendor, vendor_set.size);
        return 0;
}
