/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every decoder of a signed object must do with input that was cut, lengthened or bent. */
#include "objects.h"
#include "relay/checkpoint.h"
#include "relay/command.h"
#include "relay/ticket.h"

#define POISON 0x5a
#define ZERO   0 /* read in place, and taken away again */

typedef bool accept(struct span in, void *out);

static uint8_t scratch[SITE_POLICY_MAX];

static bool accept_sign1(struct span in, void *out)
{
        return cose_sign1_decode(in, out) == RELAY_OK;
}

static bool accept_set(struct span in, void *out)
{
        return cose_set_decode(in, out) == RELAY_OK;
}

static bool accept_vendor(struct span in, void *out)
{
        return vendor_keys_accept_first(in, out, scratch, sizeof(scratch)) == REASON_NONE;
}

static bool accept_policy(struct span in, void *out)
{
        return site_policy_accept_first(in, out, scratch, sizeof(scratch)) == REASON_NONE;
}

static bool accept_manifest(struct span in, void *out)
{
        struct vendor_keys keys = sample_vendor();
        struct manifest_unverified manifest;

        return manifest_decode(in, &manifest) == REASON_NONE && manifest_verify(&manifest, &keys, out) == REASON_NONE;
}

static bool accept_approval(struct span in, void *out)
{
        struct site_policy policy = sample_policy(3, 2);
        size_t approver;

        return approval_check(in, &policy, out, &approver) == REASON_NONE;
}

static bool accept_factory(struct span in, void *out)
{
        return factory_list_decode(in, out) == RELAY_OK;
}

static bool accept_vendor_next(struct span in, void *out)
{
        struct site_policy policy = sample_policy(3, 2);
        struct vendor_keys current = sample_vendor();

        return vendor_keys_accept_next(in, &current, &policy, out, scratch, sizeof(scratch)) == REASON_NONE;
}

static bool accept_policy_next(struct span in, void *out)
{
        static struct site_policy current;

        current = full_policy();
        (void)successor_of(&current);
        return site_policy_accept_next(in, &current, out, scratch, sizeof(scratch)) == REASON_NONE;
}

static bool accept_revocation(struct span in, void *out)
{
        struct site_policy policy = sample_policy(3, 2);

        return revocation_accept(in, &policy, 1, out, scratch, sizeof(scratch)) == REASON_NONE;
}

static bool accept_request(struct span in, void *out)
{
        return gate_request_decode(in, out) == RELAY_OK;
}

static const struct gate_request question = { .nonce = { 1 }, .has_digest = true, .manifest_digest = { 2 } };

static bool accept_ticket(struct span in, void *out)
{
        struct site_policy policy = sample_policy(3, 2);
        struct ticket_facts facts = { "device-1", NULL, &question, 1, 0 };

        return ticket_check(in, &policy, &facts, out) == REASON_NONE;
}

static bool accept_command(struct span in, void *out)
{
        struct site_policy policy = full_policy();
        struct vendor_keys vendor = sample_vendor();
        struct public_key key;

        return command_check(in, &policy, &vendor, "device-1", NULL, out, &key) == REASON_NONE;
}

static bool accept_checkpoint(struct span in, void *out)
{
        struct public_key key = key_of(GATE);

        return checkpoint_check(in, &key, 1, out) == REASON_NONE;
}

static struct span make_vendor(uint8_t *out, size_t size)
{
        return write_vendor_set(out, size);
}

static struct span make_policy(uint8_t *out, size_t size)
{
        static const enum who two[] = { APPROVER_1, APPROVER_3 };
        struct site_policy policy = sample_policy(3, 2);

        return write_policy_set(out, size, &policy, two, 2);
}

static struct span make_manifest(uint8_t *out, size_t size)
{
        static const enum who both[] = { ORGANISATION, DEVELOPER };

        return write_manifest(out, size, both, 2);
}

static struct span make_approval(uint8_t *out, size_t size)
{
        static const uint8_t digest[SHA256_SIZE] = { 1 };
        struct approval approval = sample_approval(digest);

        return write_approval(out, size, &approval, APPROVER_2);
}

static struct span make_vendor_next(uint8_t *out, size_t size)
{
        static const enum who four[] = { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 };
        uint8_t bytes[VENDOR_KEYS_SET_MAX];
        struct vendor_keys next = sample_vendor();
        struct writer w;

        /* the sample's digest is not filled in: all zero, so that it is the predecessor's, too */
        next.epoch = 2;
        next.has_predecessor = true;
        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(vendor_keys_encode(&w, &next), RELAY_OK);
        return sign_set(out, size, SPAN_LITERAL(VENDOR_KEYS_AAD), writer_span(&w), four, 4);
}

static struct span make_policy_next(uint8_t *out, size_t size)
{
        static const enum who two[] = { APPROVER_1, APPROVER_3 };
        struct site_policy policy = full_policy(), next = successor_of(&policy);

        return write_policy_set(out, size, &next, two, 2);
}

static struct span make_revocation(uint8_t *out, size_t size)
{
        static const enum who two[] = { APPROVER_1, APPROVER_3 };
        struct revocation revocation = { "site-1", 2, 1763800000 };

        return write_revocation(out, size, &revocation, two, 2);
}

static struct span make_request(uint8_t *out, size_t size)
{
        struct writer w;

        writer_init(&w, out, size);
        assert_int_equal(gate_request_encode(&w, &question), RELAY_OK);
        return writer_span(&w);
}

static struct span make_ticket(uint8_t *out, size_t size)
{
        struct ticket ticket = { .site = "site-1", .device = "device-1", .nonce = { 1 }, .has_digest = true };
        struct signer gate = who(GATE);
        struct writer w;

        ticket.manifest_digest[0] = 2;
        ticket.decision = DECISION_ALLOW;
        ticket.has_time = true;
        writer_init(&w, out, size);
        assert_int_equal(ticket_sign(&w, &ticket, &gate), RELAY_OK);
        return writer_span(&w);
}

static struct span make_command(uint8_t *out, size_t size)
{
        struct command command = { "site-1", "device-1", 1, 1763800000, "pump.on", SPAN_LITERAL("on") };
        struct signer signer = who(SITE_COMMAND);
        struct writer w;

        writer_init(&w, out, size);
        assert_int_equal(command_sign(&w, &command, &signer), RELAY_OK);
        return writer_span(&w);
}

static struct span make_checkpoint(uint8_t *out, size_t size)
{
        struct checkpoint checkpoint = { .site = "site-1", .relay = "relay.s1", .count = 5 };
        struct signer gate = who(GATE);
        struct writer w;

        writer_init(&w, out, size);
        assert_int_equal(checkpoint_sign(&w, &checkpoint, &gate), RELAY_OK);
        return writer_span(&w);
}

/* signed: every change of a byte must be refused, not only those that break the form */
static const struct row {
        const char *name;
        struct span (*make)(uint8_t *out, size_t size);
        accept *accept;
        size_t out_size;
        bool is_signed;
        uint8_t refused; /* each byte of the output after a refusal */
} rows[] = {
        { "COSE_Sign1", make_approval, accept_sign1, sizeof(struct cose_sign1), false, POISON },
        { "signed set", make_policy, accept_set, sizeof(struct cose_set), false, POISON },
        { "vendor key set", make_vendor, accept_vendor, sizeof(struct vendor_keys), true, POISON },
        { "site policy", make_policy, accept_policy, sizeof(struct site_policy), true, ZERO },
        { "manifest", make_manifest, accept_manifest, sizeof(struct manifest_verified), true, POISON },
        { "approval", make_approval, accept_approval, sizeof(struct approval), true, POISON },
        { "next vendor key set", make_vendor_next, accept_vendor_next, sizeof(struct vendor_keys), true, POISON },
        { "next site policy", make_policy_next, accept_policy_next, sizeof(struct site_policy), true, ZERO },
        { "revocation", make_revocation, accept_revocation, sizeof(struct revocation), true, POISON },
        { "gate request", make_request, accept_request, sizeof(struct gate_request), false, POISON },
        { "ticket", make_ticket, accept_ticket, sizeof(struct ticket), true, POISON },
        { "command", make_command, accept_command, sizeof(struct command), true, POISON },
        { "checkpoint", make_checkpoint, accept_checkpoint, sizeof(struct checkpoint), true, POISON },
        { "factory list", write_factory, accept_factory, sizeof(struct factory_list), false, POISON },
};

static uint8_t object[SITE_POLICY_MAX + 1], outcome[16384];

static bool is_all(uint8_t byte, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (outcome[i] != byte)
                        return false;
        return true;
}

static void assert_refused(const struct row *row, struct span in, const char *what, size_t at)
{
        memset(outcome, POISON, row->out_size);
        if (row->accept(in, outcome))
                fail_msg("%s: %s %zu was accepted", row->name, what, at);
        if (!is_all(row->refused, row->out_size))
                fail_msg("%s: %s %zu: output left in spite of the refusal", row->name, what, at);
}

static void test_cut_and_lengthened(void **state)
{
        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct span whole = rows[i].make(object, sizeof(object) - 1);
                assert_true(rows[i].accept(whole, outcome));
                for (size_t size = 0; size < whole.size; size++)
                        assert_refused(&rows[i], span_of(object, size), "cut to", size);
                object[whole.size] = 0;
                assert_refused(&rows[i], span_of(object, whole.size + 1), "lengthened to", whole.size + 1);
        }
}

static void test_one_byte_changed(void **state)
{
        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct span whole = rows[i].make(object, sizeof(object));
                for (size_t at = 0; at < whole.size && rows[i].is_signed; at++) {
                        object[at] ^= 0x01;
                        assert_refused(&rows[i], whole, "changed at", at);
                        object[at] ^= 0x01;
                }
        }
}

static void test_factory_walk(void **state)
{
        struct factory_list list;
        struct factory_device device;

        (void)state;
        assert_int_equal(factory_list_decode(write_factory(object, sizeof(object)), &list), RELAY_OK);
        assert_int_equal(list.count, 2);
        assert_true(factory_list_next(&list, &device));
        assert_string_equal(device.identity, "device-1");
        assert_false(device.relay_checks);
        assert_true(factory_list_next(&list, &device));
        assert_string_equal(device.identity, "device-2");
        assert_true(device.relay_checks);
        assert_true(key_equal(&device.key, &(struct public_key[]){ key_of(GATE) }[0]));
        assert_false(factory_list_next(&list, &device));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cut_and_lengthened),
                cmocka_unit_test(test_one_byte_changed),
                cmocka_unit_test(test_factory_walk),
        };
        return cmocka_run_group_tests_name("objects", tests, NULL, NULL);
}
