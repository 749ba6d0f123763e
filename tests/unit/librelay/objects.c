/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "objects.h"

static uint8_t seeds[WHO_END][ED25519_SEED_SIZE];

static int sign_with_seed(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, sig);
}

struct signer who(enum who who)
{
        struct signer signer = { .sign = sign_with_seed, .context = seeds[who] };

        memset(seeds[who], (int)who, ED25519_SEED_SIZE);
        assert_int_equal(crypto_ed25519_public(seeds[who], &signer.key), RELAY_OK);
        return signer;
}

struct public_key key_of(enum who w)
{
        return who(w).key;
}

struct vendor_keys sample_vendor(void)
{
        struct vendor_keys keys = { .epoch = 1, .organisation_count = 1, .developer_count = 1, .command_count = 1 };

        memset(keys.vendor_id, 0xac, sizeof(keys.vendor_id));
        keys.organisation[0] = key_of(ORGANISATION);
        keys.developer[0] = key_of(DEVELOPER);
        keys.command[0] = key_of(COMMAND);
        return keys;
}

struct site_policy sample_policy(size_t n, size_t k)
{
        struct site_policy policy = { .site = "site-1", .epoch = 1, .approver_count = n, .threshold = k };

        for (size_t i = 0; i < n; i++)
                policy.approvers[i] = key_of(APPROVER_1 + (enum who)i);
        policy.gates[policy.gate_count++].key = key_of(GATE);
        policy.endpoint_count = 2;
        policy.endpoints[0] = (struct site_endpoint){
                .kind = ENDPOINT_RELAY, .host = "192.0.2.1", .port = 8883, .has_backup_pin = true, .device_count = 2
        };
        memset(policy.endpoints[0].pin, 1, SHA256_SIZE);
        memset(policy.endpoints[0].backup_pin, 2, SHA256_SIZE);
        strcpy(policy.devices[policy.device_count++], "device-1");
        strcpy(policy.devices[policy.device_count++], "device-2");
        policy.endpoints[1] = (struct site_endpoint){ .kind = ENDPOINT_CLOUD, .host = "cloud.example", .port = 443 };
        memset(policy.endpoints[1].pin, 3, SHA256_SIZE);
        return policy;
}

static struct site_scope of_device(struct site_policy *policy, const char *name)
{
        struct site_scope scope = { .kind = SCOPE_DEVICES, .device_first = policy->device_count, .device_count = 1 };

        strcpy(policy->devices[policy->device_count++], name);
        return scope;
}

static struct site_scope of_class(void)
{
        struct site_scope scope = { .kind = SCOPE_CLASS };

        memset(scope.class_id, 0xc1, CLASS_ID_SIZE);
        return scope;
}

struct site_policy full_policy(void)
{
        struct site_policy policy = sample_policy(3, 2);
        struct site_gate *second = &policy.gates[policy.gate_count++];
        struct site_grant *grant = &policy.grants[policy.grant_count++];
        struct site_rule *rule = &policy.rules[policy.rule_count++];

        policy.ticket_needed = true;
        policy.approval_epoch = 3;
        policy.issued = 1763800000;
        *second = (struct site_gate){ .key = key_of(GATE_2), .has_address = true };
        second->address = policy.endpoints[0];
        second->address.device_count = 0;
        second->scope = of_device(&policy, "device-3");
        *grant = (struct site_grant){ .key = key_of(SITE_COMMAND), .names = { 0, 2 } };
        grant->scope = of_device(&policy, "device-1");
        strcpy(policy.names[0], "pump.*");
        strcpy(policy.names[1], "valve.open");
        strcpy(policy.names[2], "diagnostics.*");
        policy.name_count = 3;
        policy.vendor_commands = (struct site_names){ 2, 1 };
        *rule = (struct site_rule){ .urgencies = { "security", "urgent" }, .urgency_count = 2, .wait_s = 3 * 86400 };
        rule->scope = of_class();
        rule->windows[0] = (struct site_window){ 6 * 1440 + 120, 120 }; /* Sunday 02:00 to 04:00 */
        rule->windows[1] = (struct site_window){ WEEK_MINUTES - 30, 60 };
        rule->window_count = 2;
        strcpy(policy.time_zone, "Europe/Helsinki");
        return policy;
}

struct site_policy successor_of(struct site_policy *policy)
{
        uint8_t bytes[SITE_POLICY_MAX];
        struct site_policy next;
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(site_policy_encode(&w, policy), RELAY_OK);
        assert_int_equal(crypto_sha256(writer_span(&w), policy->digest), RELAY_OK);
        next = *policy;
        next.epoch++;
        next.has_predecessor = true;
        memcpy(next.predecessor, policy->digest, SHA256_SIZE);
        return next;
}

struct manifest_fields sample_manifest(void)
{
        struct manifest_fields fields = {
                .sequence = 7,
                .image_size = 5000,
                .version = SPAN_LITERAL("1.1.0"),
                .urgency = SPAN_LITERAL("security"),
                .description = SPAN_LITERAL("Waters less at night."),
        };

        memset(fields.vendor_id, 0xac, sizeof(fields.vendor_id));
        memset(fields.class_id, 0xc1, sizeof(fields.class_id));
        memset(fields.image_digest, 0x1d, sizeof(fields.image_digest));
        memset(fields.block_list_digest, 0xb1, sizeof(fields.block_list_digest));
        return fields;
}

struct approval sample_approval(const uint8_t manifest_digest[SHA256_SIZE])
{
        struct approval approval = { .site = "site-1", .scope = SCOPE_SITE, .epoch = 1 };

        memcpy(approval.manifest_digest, manifest_digest, SHA256_SIZE);
        return approval;
}

struct span sign_set(uint8_t *out, size_t size, struct span aad, struct span payload, const enum who *signers,
                     size_t count)
{
        uint8_t signatures[COSE_SET_SIGNATURES_MAX][COSE_SIGN1_OVERHEAD], scratch[SITE_POLICY_MAX];
        struct cose_set set = { .payload = payload, .count = count };
        struct writer w;

        for (size_t i = 0; i < count; i++) {
                struct signer signer = who(signers[i]);
                writer_init(&w, signatures[i], sizeof(signatures[i]));
                assert_int_equal(cose_sign1_write(&w, &signer, aad, payload, true, scratch, sizeof(scratch)), RELAY_OK);
                set.signatures[i] = writer_span(&w);
        }
        writer_init(&w, out, size);
        assert_int_equal(cose_set_write(&w, &set), RELAY_OK);
        return writer_span(&w);
}

struct span write_vendor_set(uint8_t *out, size_t size)
{
        static const enum who both[] = { ORGANISATION, DEVELOPER };
        uint8_t bytes[VENDOR_KEYS_SET_MAX];
        struct vendor_keys keys = sample_vendor();
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(vendor_keys_encode(&w, &keys), RELAY_OK);
        return sign_set(out, size, SPAN_LITERAL(VENDOR_KEYS_AAD), writer_span(&w), both, 2);
}

struct span write_policy_set(uint8_t *out, size_t size, const struct site_policy *policy, const enum who *signers,
                             size_t count)
{
        uint8_t bytes[SITE_POLICY_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(site_policy_encode(&w, policy), RELAY_OK);
        return sign_set(out, size, SPAN_LITERAL(SITE_POLICY_AAD), writer_span(&w), signers, count);
}

struct span write_manifest(uint8_t *out, size_t size, const enum who *signers, size_t count)
{
        struct manifest_fields fields = sample_manifest();

        return write_manifest_of(out, size, &fields, signers, count);
}

struct span write_manifest_of(uint8_t *out, size_t size, const struct manifest_fields *fields, const enum who *signers,
                              size_t count)
{
        uint8_t buffers[2][MANIFEST_MAX];
        struct writer w;

        writer_init(&w, buffers[0], MANIFEST_MAX);
        assert_int_equal(manifest_encode(&w, fields), RELAY_OK);
        for (size_t i = 0; i < count; i++) {
                struct signer signer = who(signers[i]);
                struct span before = writer_span(&w);
                writer_init(&w, buffers[(i + 1) % 2], MANIFEST_MAX);
                assert_int_equal(manifest_add_signature(&w, before, &signer), RELAY_OK);
        }
        assert_true(w.at <= size);
        memcpy(out, writer_span(&w).data, w.at);
        return span_of(out, w.at);
}

struct span write_approval(uint8_t *out, size_t size, const struct approval *approval, enum who signer)
{
        struct signer s = who(signer);
        struct writer w;

        writer_init(&w, out, size);
        assert_int_equal(approval_sign(&w, approval, &s), RELAY_OK);
        return writer_span(&w);
}

struct span write_revocation(uint8_t *out, size_t size, const struct revocation *revocation, const enum who *signers,
                             size_t count)
{
        uint8_t bytes[REVOCATION_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(revocation_encode(&w, revocation), RELAY_OK);
        return sign_set(out, size, SPAN_LITERAL(REVOCATION_AAD), writer_span(&w), signers, count);
}

struct span write_factory(uint8_t *out, size_t size)
{
        struct factory_device device = { .identity = "device-1", .key = key_of(STRANGER) };
        uint8_t vendor_id[VENDOR_ID_SIZE] = { 1 };
        struct writer w;

        writer_init(&w, out, size);
        factory_put_list(&w, vendor_id, 2, 0);
        factory_put_device(&w, &device);
        device.relay_checks = true;
        device.identity[7] = '2';
        device.key = key_of(GATE);
        factory_put_device(&w, &device);
        assert_int_equal(writer_finish(&w), RELAY_OK);
        return writer_span(&w);
}
