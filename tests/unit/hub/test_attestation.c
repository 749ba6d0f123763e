/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DICE-1 at the hub: what a device's answer must be before the registry is asked about it at all. */

#include "../librelay/dice_objects.h"

#include "hub/attestation.h"

static const uint8_t relay[SHA256_SIZE] = { 1, 2, 3 };

/* A registry of one device. */
struct desk {
        struct attestation_registry registry;
        struct dice_device device;
        struct attestation attestation;
        struct attest_challenge asked;
        struct span rotation;     /* what the registry was asked about */
        uint8_t rotation_seen[8]; /* its beginning */
        unsigned appraised;
        bool proven, again;
        uint32_t boot;
        uint8_t image[SHA256_SIZE];
        struct attestation_verdict verdict; /* what the registry says */
        uint8_t bytes[ATTEST_STATEMENT_MAX], certificate[DICE_CERTIFICATE_MAX];
        uint8_t fingerprint[SHA256_SIZE]; /* of the application key */
};

static bool registered_key(void *context, const char *device, struct span rotation, struct public_key *out)
{
        struct desk *desk = context;

        desk->rotation = rotation;
        if (rotation.size >= sizeof(desk->rotation_seen))
                memcpy(desk->rotation_seen, rotation.data, sizeof(desk->rotation_seen));
        if (strcmp(device, "device-1") != 0 && strcmp(device, "device-2") != 0)
                return false;
        *out = desk->device.identity;
        return true;
}

static void appraise(void *context, const struct attestation_proof *proof, struct attestation_verdict *out)
{
        struct desk *desk = context;

        assert_int_equal(out->reason, REASON_NOT_ATTESTED);
        desk->appraised++;
        desk->proven = proof->evidence;
        desk->again = proof->again;
        if (proof->evidence) {
                desk->boot = proof->statement->boot;
                memcpy(desk->image, proof->evidence->measurement.image, SHA256_SIZE);
        }
        *out = desk->verdict;
}

static void ask(struct desk *desk)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(attestation_ask(&desk->attestation, relay, &w), RELAY_OK);
        assert_int_equal(attest_challenge_decode(writer_span(&w), &desk->asked), RELAY_OK);
        assert_memory_equal(desk->asked.relay, relay, SHA256_SIZE);
}

static void desk_init(struct desk *desk)
{
        memset(desk, 0, sizeof(*desk));
        desk->registry = (struct attestation_registry){ desk, registered_key, appraise };
        desk->device = dice_device(DICE_MODE_NORMAL);
        desk->verdict = (struct attestation_verdict){ .trust = TRUST_ATTESTED };
        assert_int_equal(key_fingerprint(&desk->device.key, desk->fingerprint), RELAY_OK);
        ask(desk);
}

static struct attest_statement statement_of(struct desk *desk)
{
        return (struct attest_statement){ .challenge = desk->asked,
                                          .device = "device-1",
                                          .boot = 12,
                                          .certificate = dice_certificate(&desk->device, desk->certificate) };
}

static struct span sign(struct desk *desk, const struct attest_statement *statement)
{
        static uint8_t scratch[ATTEST_STATEMENT_MAX + 128];
        struct signer signer = dice_signer(&desk->device);
        struct writer w;

        writer_init(&w, desk->bytes, sizeof(desk->bytes));
        assert_int_equal(attest_sign(&w, statement, &signer, scratch, sizeof(scratch)), RELAY_OK);
        return writer_span(&w);
}

static enum reason answer(struct desk *desk, struct span sign1)
{
        return attestation_answer(&desk->attestation, &desk->registry, "device-1", desk->fingerprint, false, sign1);
}

static void good_answer(void **state)
{
        struct desk desk;
        struct attest_statement statement;

        (void)state;
        desk_init(&desk);
        statement = statement_of(&desk);
        assert_int_equal(answer(&desk, sign(&desk, &statement)), REASON_NONE);
        assert_int_equal(desk.appraised, 1);
        assert_true(desk.proven);
        assert_false(desk.again);
        assert_int_equal(desk.boot, 12);
        assert_memory_equal(desk.image, desk.device.measurement.image, SHA256_SIZE);
        assert_int_equal(desk.attestation.verdict.reason, REASON_NONE);
        assert_int_equal(desk.attestation.verdict.trust, TRUST_ATTESTED);

        /* the challenge served, and the same again is nothing */
        assert_int_equal(answer(&desk, sign(&desk, &statement)), REASON_NOT_ATTESTED);
        assert_int_equal(desk.attestation.verdict.reason, REASON_NOT_ATTESTED);
        assert_int_equal(desk.appraised, 1);
        ask(&desk);
        assert_int_equal(answer(&desk, sign(&desk, &statement)), REASON_WRONG_NONCE);
        assert_int_equal(desk.appraised, 1);
}

static void every_challenge_is_new(void **state)
{
        struct desk desk;
        struct attest_challenge first;

        (void)state;
        desk_init(&desk);
        first = desk.asked;
        ask(&desk);
        assert_memory_not_equal(first.nonce, desk.asked.nonce, ATTEST_NONCE_SIZE);
        /* the one before is forgotten */
        struct attest_statement statement = statement_of(&desk);
        statement.challenge = first;
        assert_int_equal(answer(&desk, sign(&desk, &statement)), REASON_WRONG_NONCE);
}

static void the_registry_decides(void **state)
{
        struct desk desk;
        struct attest_statement statement;

        (void)state;
        desk_init(&desk);
        desk.verdict = (struct attestation_verdict){ .reason = REASON_CLONED_DEVICE };
        statement = statement_of(&desk);
        assert_int_equal(answer(&desk, sign(&desk, &statement)), REASON_NONE);
        assert_int_equal(desk.attestation.verdict.reason, REASON_CLONED_DEVICE);
        desk.verdict = (struct attestation_verdict){ .trust = TRUST_UNKNOWN_IMAGE, .quarantined = true };
        ask(&desk);
        statement = statement_of(&desk);
        assert_int_equal(attestation_answer(&desk.attestation, &desk.registry, "device-1", desk.fingerprint, true,
                                            sign(&desk, &statement)),
                         REASON_NONE);
        assert_true(desk.again);
        assert_true(desk.attestation.verdict.quarantined);
        assert_int_equal(desk.attestation.verdict.trust, TRUST_UNKNOWN_IMAGE);
}

static void plain_connect(void **state)
{
        struct desk desk;

        (void)state;
        desk_init(&desk);
        desk.verdict = (struct attestation_verdict){ .reason = REASON_NOT_ATTESTED };
        attestation_plain(&desk.attestation, &desk.registry, "device-1");
        assert_int_equal(desk.appraised, 1);
        assert_false(desk.proven);
        assert_int_equal(desk.attestation.verdict.reason, REASON_NOT_ATTESTED);
        desk.verdict = (struct attestation_verdict){ .trust = TRUST_FRONT_END };
        attestation_plain(&desk.attestation, &desk.registry, "device-1");
        assert_int_equal(desk.attestation.verdict.reason, REASON_NONE);
}

/* Each with everything else as it should be; none gets as far as the registry's word. */
static void foreign_nonce(struct desk *desk, struct attest_statement *s)
{
        (void)desk, s->challenge.nonce[31] ^= 1;
}
static void other_relay(struct desk *desk, struct attest_statement *s)
{
        (void)desk, s->challenge.relay[0] ^= 1;
}
static void other_device(struct desk *desk, struct attest_statement *s)
{
        (void)desk;
        strcpy(s->device, "device-2");
}
static void other_identity(struct desk *desk, struct attest_statement *s)
{
        (void)s;
        desk->device.identity.bytes[0] ^= 1;
}
static void other_application(struct desk *desk, struct attest_statement *s)
{
        (void)s;
        desk->device.seed[0] ^= 1; /* signs with another key than its certificate's */
}
static void other_session(struct desk *desk, struct attest_statement *s)
{
        (void)s;
        desk->fingerprint[5] ^= 1; /* the front end names another certificate */
}
static void other_certificate(struct desk *desk, struct attest_statement *s)
{
        desk->certificate[s->certificate.size / 2] ^= 1;
}

static void bad_answers(void **state)
{
        static const struct {
                void (*bend)(struct desk *desk, struct attest_statement *statement);
                enum reason reason;
        } rows[] = {
                { foreign_nonce, REASON_WRONG_NONCE },       { other_relay, REASON_WRONG_NONCE },
                { other_device, REASON_WRONG_DEVICE },       { other_identity, REASON_BAD_SIGNATURE },
                { other_application, REASON_BAD_SIGNATURE }, { other_session, REASON_FOREIGN_CERTIFICATE },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct desk desk;
                struct attest_statement statement;
                desk_init(&desk);
                statement = statement_of(&desk);
                rows[i].bend(&desk, &statement);
                assert_int_equal(answer(&desk, sign(&desk, &statement)), rows[i].reason);
                assert_int_equal(desk.attestation.verdict.reason, rows[i].reason);
                assert_int_equal(desk.appraised, 0);
                assert_false(desk.attestation.asked);
        }
        struct desk desk;
        desk_init(&desk);
        struct attest_statement statement = statement_of(&desk);
        other_certificate(&desk, &statement);
        assert_int_not_equal(answer(&desk, sign(&desk, &statement)), REASON_NONE);
        assert_int_equal(desk.appraised, 0);
}

static void bad_bytes(void **state)
{
        static const uint8_t endless[ATTEST_STATEMENT_MAX + 1];
        struct desk desk;
        struct attest_statement statement;
        struct span good;

        (void)state;
        desk_init(&desk);
        assert_int_equal(answer(&desk, SPAN_OF(endless)), REASON_MALFORMED);
        ask(&desk);
        assert_int_equal(answer(&desk, SPAN_EMPTY), REASON_MALFORMED);
        statement = statement_of(&desk);
        good = sign(&desk, &statement);
        for (size_t size = 0; size < good.size; size++) {
                ask(&desk);
                assert_int_equal(answer(&desk, span_slice(good, 0, size)), REASON_MALFORMED);
        }
        assert_int_equal(desk.appraised, 0);
}

static void unknown_device(void **state)
{
        struct desk desk;
        struct attest_statement statement;

        (void)state;
        desk_init(&desk);
        statement = statement_of(&desk);
        strcpy(statement.device, "device-9");
        assert_int_equal(attestation_answer(&desk.attestation, &desk.registry, "device-9", desk.fingerprint, false,
                                            sign(&desk, &statement)),
                         REASON_UNKNOWN_DEVICE);
        assert_int_equal(desk.appraised, 0);
}

/* Whether a rotation is good is the registry's to say, before the certificate is checked by the key it names. */
static void rotation_is_shown(void **state)
{
        static const uint8_t rotation[20] = "its rotation";
        struct desk desk;
        struct attest_statement statement;

        (void)state;
        desk_init(&desk);
        statement = statement_of(&desk);
        statement.rotation = SPAN_OF(rotation);
        assert_int_equal(answer(&desk, sign(&desk, &statement)), REASON_NONE);
        assert_int_equal(desk.rotation.size, sizeof(rotation));
        assert_memory_equal(desk.rotation_seen, rotation, sizeof(desk.rotation_seen));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_answer),    cmocka_unit_test(every_challenge_is_new),
                cmocka_unit_test(plain_connect),  cmocka_unit_test(the_registry_decides),
                cmocka_unit_test(bad_answers),    cmocka_unit_test(bad_bytes),
                cmocka_unit_test(unknown_device), cmocka_unit_test(rotation_is_shown),
        };
        return cmocka_run_group_tests_name("attestation", tests, NULL, NULL);
}
