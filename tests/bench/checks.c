/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the checks cost that a device makes: time on this machine, how many signatures are verified, and how much of the
 * time is not the crypto library's. Prints a table. With --objects it prints the objects themselves, as C.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devicechecks.h"
#include "relay/approval.h"
#include "relay/command.h"
#include "relay/revocation.h"
#include "relay/ticket.h"

#define RUNS 500

enum who { ORGANISATION = 1, DEVELOPER, APPROVER_1, APPROVER_2, APPROVER_3, GATE, SITE_COMMAND, WHO_END };

static uint8_t seeds[WHO_END][ED25519_SEED_SIZE], scratch[SITE_POLICY_MAX], buffers[OBJECTS_END][SITE_POLICY_MAX];
static struct site_policy policy;
static struct vendor_keys vendor;
static struct manifest_verified manifest;

uint64_t device_checks_clock(void)
{
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
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

static void begin(struct writer *w, enum check_object made)
{
        writer_init(w, buffers[made], sizeof(buffers[made]));
}

static void sign_set(enum check_object made, struct span aad, struct span payload, const enum who *people, size_t count)
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
        begin(&w, made);
        need(cose_set_write(&w, &set) == RELAY_OK, "a set");
        check_objects[made] = writer_span(&w);
}

static void make_policies(void)
{
        static const enum who two[] = { APPROVER_1, APPROVER_2 };
        static struct site_policy next;
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
        begin(&w, OBJECT_POLICY);
        need(site_policy_encode(&w, &policy) == RELAY_OK && site_policy_decode(writer_span(&w), &policy) == RELAY_OK,
             "a policy");
        check_objects[OBJECT_POLICY] = writer_span(&w);
        next = policy;
        next.epoch = 2;
        next.has_predecessor = true;
        memcpy(next.predecessor, policy.digest, SHA256_SIZE);
        writer_init(&w, payload, sizeof(payload));
        need(site_policy_encode(&w, &next) == RELAY_OK, "its successor");
        sign_set(OBJECT_NEXT_POLICY, SPAN_LITERAL(SITE_POLICY_AAD), writer_span(&w), two, 2);
}

static void make_vendors(void)
{
        static const enum who four[] = { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 };
        uint8_t payload[VENDOR_KEYS_SET_MAX];
        struct vendor_keys next;
        struct writer w;

        vendor = (struct vendor_keys){ .epoch = 1, .organisation_count = 1, .developer_count = 1 };
        vendor.organisation[0] = who(ORGANISATION).key;
        vendor.developer[0] = who(DEVELOPER).key;
        begin(&w, OBJECT_VENDOR);
        need(vendor_keys_encode(&w, &vendor) == RELAY_OK && vendor_keys_decode(writer_span(&w), &vendor) == RELAY_OK,
             "vendor keys");
        check_objects[OBJECT_VENDOR] = writer_span(&w);
        next = vendor;
        next.epoch = 2;
        next.has_predecessor = true;
        memcpy(next.predecessor, vendor.digest, SHA256_SIZE);
        writer_init(&w, payload, sizeof(payload));
        need(vendor_keys_encode(&w, &next) == RELAY_OK, "their successor");
        sign_set(OBJECT_NEXT_VENDOR, SPAN_LITERAL(VENDOR_KEYS_AAD), writer_span(&w), four, 4);
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

        begin(&w, OBJECT_MANIFEST);
        need(manifest_encode(&w, &fields) == RELAY_OK, "a manifest");
        writer_init(&first, one, sizeof(one));
        need(manifest_add_signature(&first, writer_span(&w), &organisation) == RELAY_OK, "its signature");
        begin(&w, OBJECT_MANIFEST);
        need(manifest_add_signature(&w, writer_span(&first), &developer) == RELAY_OK, "its signature");
        check_objects[OBJECT_MANIFEST] = writer_span(&w);
        need(manifest_decode(writer_span(&w), &in) == REASON_NONE &&
                     manifest_verify(&in, &vendor, &manifest) == REASON_NONE,
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
                begin(&w, OBJECT_APPROVAL_1 + (enum check_object)i);
                need(approval_sign(&w, &approval, &approver) == RELAY_OK, "an approval");
                check_objects[OBJECT_APPROVAL_1 + i] = writer_span(&w);
        }
        memcpy(ticket.manifest_digest, manifest.digest, SHA256_SIZE);
        memcpy(ticket.policy_digest, policy.digest, SHA256_SIZE);
        ticket.decision = DECISION_ALLOW;
        begin(&w, OBJECT_TICKET);
        need(ticket_sign(&w, &ticket, &gate) == RELAY_OK, "a ticket");
        check_objects[OBJECT_TICKET] = writer_span(&w);
        begin(&w, OBJECT_COMMAND);
        need(command_sign(&w, &command, &commander) == RELAY_OK, "a command");
        check_objects[OBJECT_COMMAND] = writer_span(&w);
        writer_init(&w, payload, sizeof(payload));
        need(revocation_encode(&w, &revocation) == RELAY_OK, "a revocation");
        sign_set(OBJECT_REVOCATION, SPAN_LITERAL(REVOCATION_AAD), writer_span(&w), two, 2);
}

static void measure(const struct device_check *check)
{
        uint64_t start = device_checks_clock(), all;

        device_checks_verified = device_checks_verifying = 0;
        for (size_t i = 0; i < RUNS; i++)
                need(check->run(), check->name);
        all = device_checks_clock() - start;
        printf("%-32s %6zu bytes  %3llu signatures  %8.1f us  %6.1f us of it not verifying\n", check->name,
               device_check_bytes(check), (unsigned long long)device_checks_verified / RUNS, (double)all / RUNS / 1000,
               (double)(all - device_checks_verifying) / RUNS / 1000);
}

static void print_objects(void)
{
        puts("/* made by tests/bench/checks --objects */");
        for (size_t i = 0; i < OBJECTS_END; i++) {
                printf("static const uint8_t object_%zu[] = {", i);
                for (size_t j = 0; j < check_objects[i].size; j++)
                        printf("%s0x%02x,", j % 16 ? " " : "\n        ", check_objects[i].data[j]);
                puts("\n};");
        }
        puts("static const struct span objects[] = {");
        for (size_t i = 0; i < OBJECTS_END; i++)
                printf("        { object_%zu, sizeof(object_%zu) },\n", i, i);
        puts("};");
}

int main(int argc, char **argv)
{
        make_policies();
        make_vendors();
        make_manifest();
        make_words();
        need(device_checks_begin(), "a check");
        if (argc == 2 && strcmp(argv[1], "--objects") == 0) {
                print_objects();
                return 0;
        }
        for (size_t i = 0; i < DEVICE_CHECKS; i++)
                measure(&device_checks[i]);
        return 0;
}
