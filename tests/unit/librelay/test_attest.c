/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dice_objects.h"

static uint8_t scratch[ATTEST_STATEMENT_MAX + 128];

static const struct attest_challenge asked = { .nonce = { 1, 2, 3 }, .relay = { 4, 5, 6 } };

/* a statement of the sample device; what a test wants other it changes before it is signed */
struct sample {
        struct dice_device device;
        struct attest_statement statement;
        uint8_t certificate[DICE_CERTIFICATE_MAX], device_certificate[DICE_CERTIFICATE_MAX], rotation[ROTATION_MAX];
        uint8_t bytes[ATTEST_STATEMENT_MAX];
};

static void sample_init(struct sample *s)
{
        s->device = dice_device(DICE_MODE_NORMAL);
        s->statement = (struct attest_statement){ .challenge = asked, .device = "device-1", .boot = 12 };
        s->statement.certificate = dice_certificate(&s->device, s->certificate);
}

static struct span sample_sign(struct sample *s)
{
        struct signer signer = dice_signer(&s->device);
        struct writer w;

        writer_init(&w, s->bytes, sizeof(s->bytes));
        assert_int_equal(attest_sign(&w, &s->statement, &signer, scratch, sizeof(scratch)), RELAY_OK);
        return writer_span(&w);
}

static enum reason check(const struct sample *s, struct span sign1)
{
        struct attest_statement statement;
        struct dice_evidence evidence;

        return attest_check(sign1, &asked, "device-1", &s->device.identity, &statement, &evidence, scratch,
                            sizeof(scratch));
}

static void test_challenge(void **state)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX + 1] = { 0 };
        struct attest_challenge back;
        struct writer w;

        (void)state;
        writer_init(&w, bytes, ATTEST_CHALLENGE_MAX);
        assert_int_equal(attest_challenge_encode(&w, &asked), RELAY_OK);
        struct span in = writer_span(&w);
        assert_int_equal(attest_challenge_decode(in, &back), RELAY_OK);
        assert_memory_equal(&back, &asked, sizeof(back));
        for (size_t cut = 0; cut < in.size; cut++)
                assert_true(attest_challenge_decode(span_slice(in, 0, cut), &back) < 0);
        assert_int_equal(attest_challenge_decode(span_of(bytes, in.size + 1), &back), RELAY_E_MALFORMED);
        bytes[2] = 2;
        assert_int_equal(attest_challenge_decode(in, &back), RELAY_E_UNSUPPORTED);
        bytes[2] = 1;
        bytes[5] = 31; /* a nonce of another size */
        assert_true(attest_challenge_decode(in, &back) < 0);
}

static void test_statement_both_ways(void **state)
{
        struct sample s;
        struct attest_statement statement;
        struct dice_evidence evidence;

        (void)state;
        sample_init(&s);
        for (size_t parts = 0; parts < 4; parts++) {
                if (parts & 1)
                        s.statement.device_certificate = unhex(SAMPLE_DEVICE_CERTIFICATE, s.device_certificate,
                                                               sizeof(s.device_certificate));
                if (parts & 2)
                        s.statement.rotation = span_of(memset(s.rotation, 0xaa, 300), 300);
                struct span in = sample_sign(&s);
                assert_int_equal(attest_check(in, &asked, "device-1", &s.device.identity, &statement, &evidence,
                                              scratch, sizeof(scratch)),
                                 REASON_NONE);
                assert_string_equal(statement.device, "device-1");
                assert_int_equal(statement.boot, 12);
                assert_span_equal(statement.certificate, s.statement.certificate);
                assert_span_equal(statement.device_certificate, s.statement.device_certificate);
                assert_span_equal(statement.rotation, s.statement.rotation);
                assert_true(key_equal(&evidence.key, &s.device.key));
                assert_memory_equal(evidence.measurement.image, s.device.measurement.image, SHA256_SIZE);
        }
}

static void test_largest_statement_fits(void **state)
{
        static uint8_t largest[DICE_CERTIFICATE_MAX];
        struct sample s;
        struct signer signer;
        struct writer w;

        (void)state;
        sample_init(&s);
        memset(s.statement.device, 'a', IDENTITY_MAX);
        s.statement.boot = UINT32_MAX;
        s.statement.certificate = s.statement.device_certificate = SPAN_OF(largest);
        s.statement.rotation = span_of(largest, ROTATION_MAX);
        sample_sign(&s);
        s.statement.rotation = SPAN_OF(largest);
        signer = dice_signer(&s.device);
        writer_init(&w, s.bytes, sizeof(s.bytes));
        assert_int_equal(attest_sign(&w, &s.statement, &signer, scratch, sizeof(scratch)), RELAY_E_SPACE);
        s.statement.rotation = SPAN_EMPTY;
        assert_int_equal(attest_sign(&w, &s.statement, &signer, scratch, 500), RELAY_E_SPACE);
        writer_init(&w, s.bytes, 500);
        assert_int_equal(attest_sign(&w, &s.statement, &signer, scratch, sizeof(scratch)), RELAY_E_SPACE);
}

static void test_what_nobody_signs(void **state)
{
        struct sample s;
        struct signer signer;
        struct writer w;

        (void)state;
        sample_init(&s);
        signer = dice_signer(&s.device);
        writer_init(&w, s.bytes, sizeof(s.bytes));
        strcpy(s.statement.device, "Device-1");
        assert_int_equal(attest_sign(&w, &s.statement, &signer, scratch, sizeof(scratch)), RELAY_E_RANGE);
        strcpy(s.statement.device, "device-1");
        s.statement.certificate = SPAN_EMPTY;
        assert_int_equal(attest_sign(&w, &s.statement, &signer, scratch, sizeof(scratch)), RELAY_E_RANGE);
        assert_int_equal(writer_needed(&w), 0);
}

static void change_nonce(struct sample *s)
{
        s->statement.challenge.nonce[31] ^= 1;
}

/* what a relay in the middle would pass on: the device signs for the relay it dialled */
static void change_relay(struct sample *s)
{
        s->statement.challenge.relay[0] ^= 1;
}

static void change_device(struct sample *s)
{
        strcpy(s->statement.device, "device-2");
}

/* an application that tells an older measurement: its own key signs, the old certificate names another one */
static void show_certificate_of_another_image(struct sample *s)
{
        struct dice_device other = s->device;

        memset(other.measurement.image, 0x77, SHA256_SIZE);
        crypto_ed25519_public((const uint8_t[32]){ 5 }, &other.key);
        s->statement.certificate = dice_certificate(&other, s->certificate);
}

/* somebody without the identity key issues what he likes */
static void issue_certificate(struct sample *s)
{
        struct dice_device own = s->device;

        memset(own.identity_seed, 0x99, sizeof(own.identity_seed));
        s->statement.certificate = dice_certificate(&own, s->certificate);
}

/* the leaf says the same, and is another kind of certificate */
static void show_leaf(struct sample *s)
{
        struct writer w;

        writer_init(&w, s->certificate, sizeof(s->certificate));
        assert_int_equal(
                dice_write_leaf(&w, s->device.identity_seed,
                                unhex(SAMPLE_DEVICE_CERTIFICATE, s->device_certificate, sizeof(s->device_certificate)),
                                &s->device.key, &s->device.measurement),
                RELAY_OK);
        s->statement.certificate = writer_span(&w);
}

static void test_refusals(void **state)
{
        static const struct {
                void (*change)(struct sample *s);
                enum reason reason;
        } rows[] = {
                { change_nonce, REASON_WRONG_NONCE },
                { change_relay, REASON_WRONG_NONCE },
                { change_device, REASON_WRONG_DEVICE },
                { show_certificate_of_another_image, REASON_BAD_SIGNATURE },
                { issue_certificate, REASON_BAD_SIGNATURE },
                { show_leaf, REASON_MALFORMED },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct sample s;

                sample_init(&s);
                rows[i].change(&s);
                assert_int_equal(check(&s, sample_sign(&s)), rows[i].reason);
        }
}

/* the boot stage's key pair signs, under another purpose: nothing signed for one is worth anything for the other */
static void test_other_purposes(void **state)
{
        static const char *const aads[] = { "relayd/dice/2", "relayd/rotation/1", "", "relayd/ticket/1" };
        struct sample s;
        struct signer signer;
        struct cose_sign1 opened;

        (void)state;
        sample_init(&s);
        signer = dice_signer(&s.device);
        for (size_t i = 0; i < ROWS(aads); i++) {
                uint8_t payload[ATTEST_STATEMENT_MAX], other[ATTEST_STATEMENT_MAX];
                struct writer w;

                assert_int_equal(cose_sign1_decode(sample_sign(&s), &opened), RELAY_OK);
                memcpy(payload, opened.payload.data, opened.payload.size);
                writer_init(&w, other, sizeof(other));
                assert_int_equal(cose_sign1_write(&w, &signer, span_of_string(aads[i]),
                                                  span_of(payload, opened.payload.size), false, scratch,
                                                  sizeof(scratch)),
                                 RELAY_OK);
                assert_int_equal(check(&s, writer_span(&w)), REASON_BAD_SIGNATURE);
                writer_init(&w, other, sizeof(other));
                assert_int_equal(cose_sign1_write(&w, &signer, SPAN_LITERAL(ATTEST_AAD),
                                                  span_of(payload, opened.payload.size), true, scratch,
                                                  sizeof(scratch)),
                                 RELAY_OK);
                assert_int_equal(check(&s, writer_span(&w)), REASON_MALFORMED);
        }
}

static void test_every_byte_counts(void **state)
{
        struct sample s;
        struct span in;

        (void)state;
        sample_init(&s);
        in = sample_sign(&s);
        for (size_t i = 0; i < in.size; i++) {
                assert_int_not_equal(check(&s, span_slice(in, 0, i)), REASON_NONE);
                if (i % 3 != 0) /* one signature verified for each would take long */
                        continue;
                s.bytes[i] ^= 0x10;
                assert_int_not_equal(check(&s, in), REASON_NONE);
                s.bytes[i] ^= 0x10;
        }
        assert_int_equal(check(&s, in), REASON_NONE);
}

static void test_empty_and_unknown_parts(void **state)
{
        static const struct {
                const char *hex;
                int result;
        } rows[] = {
#define HEAD "d28443a10127a058"
#define N32    \
        "5820" \
        "0000000000000000000000000000000000000000000000000000000000000000"
#define SIG "40"
                { "d28443a10127a05853a6000101" N32 "02" N32 "0361610400054130" SIG, RELAY_OK },
                { "d28443a10127a05852a6000101" N32 "02" N32 "03616104000540" SIG, RELAY_E_RANGE }, /* 5 is empty */
                { "d28443a10127a05855a7000101" N32 "02" N32 "03616104000541300640" SIG, RELAY_E_RANGE }, /* 6, too */
                { "d28443a10127a05855a7000101" N32 "02" N32 "03616104000541300740" SIG, RELAY_E_RANGE },
                { "d28443a10127a05855a7000101" N32 "02" N32 "03616104000541300840" SIG, RELAY_E_MALFORMED },
                { "d28443a10127a05853a6000101" N32 "02" N32 "0361410400054130" SIG, RELAY_E_RANGE }, /* "A" */
                { "d28443a10127a05853a6000201" N32 "02" N32 "0361610400054130" SIG, RELAY_E_UNSUPPORTED },
                { "d28443a10127a05850a5000101" N32 "02" N32 "036161054130" SIG, RELAY_E_MALFORMED }, /* no boot */
                { "d28443a10127a0f640", RELAY_E_MALFORMED },
                { "d28443a10127a040" SIG, RELAY_E_TRUNCATED },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct attest_statement statement;
                uint8_t bytes[256];
                struct span in = unhex(rows[i].hex, bytes, sizeof(bytes));

                /* the payload's length as it is */
                if (bytes[7] == 0x58)
                        bytes[8] = (uint8_t)(in.size - 9 - 1);
                if (attest_decode(in, &statement) != rows[i].result)
                        fail_msg("row %zu: %d", i, attest_decode(in, &statement));
        }
}

/* ---- rotation */

static struct rotation sample_rotation(void)
{
        return (struct rotation){
                .device = "device-1", .number = 3, .old_key = key_of(STRANGER), .new_key = key_of(GATE_2)
        };
}

static struct span sign_rotation(uint8_t out[ROTATION_MAX], const struct rotation *rotation, enum who signer)
{
        struct signer old_key = who(signer);
        struct writer w;

        writer_init(&w, out, ROTATION_MAX);
        assert_int_equal(rotation_sign(&w, rotation, &old_key), RELAY_OK);
        return writer_span(&w);
}

static void test_rotation_both_ways(void **state)
{
        struct rotation rotation = sample_rotation(), back;
        struct public_key old_key = key_of(STRANGER);
        uint8_t bytes[ROTATION_MAX];

        (void)state;
        struct span in = sign_rotation(bytes, &rotation, STRANGER);
        assert_int_equal(rotation_check(in, "device-1", &old_key, &back), REASON_NONE);
        assert_string_equal(back.device, rotation.device);
        assert_int_equal(back.number, rotation.number);
        assert_true(key_equal(&back.old_key, &rotation.old_key) && key_equal(&back.new_key, &rotation.new_key));
        for (size_t i = 0; i < in.size; i++) {
                assert_int_not_equal(rotation_check(span_slice(in, 0, i), "device-1", &old_key, &back), REASON_NONE);
                bytes[i] ^= 1;
                assert_int_not_equal(rotation_check(in, "device-1", &old_key, &back), REASON_NONE);
                bytes[i] ^= 1;
        }
        memset(rotation.device, 'a', IDENTITY_MAX);
        rotation.number = UINT32_MAX;
        sign_rotation(bytes, &rotation, STRANGER);
}

static void test_rotation_refusals(void **state)
{
        struct rotation rotation = sample_rotation(), back;
        struct public_key old_key = key_of(STRANGER), new_key = key_of(GATE_2), other = key_of(GATE);
        struct signer signer = who(STRANGER), stranger = who(GATE);
        uint8_t bytes[ROTATION_MAX];
        struct span in = sign_rotation(bytes, &rotation, STRANGER);
        struct writer w;

        (void)state;
        assert_int_equal(rotation_check(in, "device-2", &old_key, &back), REASON_WRONG_DEVICE);
        assert_int_equal(rotation_check(in, "device-1", &new_key, &back), REASON_BAD_SIGNATURE);
        assert_int_equal(rotation_check(in, "device-1", &other, &back), REASON_BAD_SIGNATURE);

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(rotation_sign(&w, &rotation, &stranger), RELAY_E_KEY);
        rotation.number = 0;
        assert_int_equal(rotation_sign(&w, &rotation, &signer), RELAY_E_RANGE);
        rotation.number = 1;
        rotation.new_key = rotation.old_key;
        assert_int_equal(rotation_sign(&w, &rotation, &signer), RELAY_E_RANGE);
        rotation = sample_rotation();
        rotation.device[0] = 0;
        assert_int_equal(rotation_sign(&w, &rotation, &signer), RELAY_E_RANGE);
}

/* the old key is named and another one signs: the name is worth nothing */
static void test_rotation_by_another_key(void **state)
{
        struct rotation rotation = sample_rotation(), back;
        struct public_key old_key = key_of(STRANGER);
        uint8_t bytes[ROTATION_MAX], payload[ROTATION_MAX], other[ROTATION_MAX];
        struct signer thief = who(GATE);
        struct cose_sign1 opened;
        struct writer w;

        (void)state;
        assert_int_equal(cose_sign1_decode(sign_rotation(bytes, &rotation, STRANGER), &opened), RELAY_OK);
        memcpy(payload, opened.payload.data, opened.payload.size);
        writer_init(&w, other, sizeof(other));
        assert_int_equal(cose_sign1_write(&w, &thief, SPAN_LITERAL(ROTATION_AAD), span_of(payload, opened.payload.size),
                                          false, scratch, sizeof(scratch)),
                         RELAY_OK);
        assert_int_equal(rotation_check(writer_span(&w), "device-1", &old_key, &back), REASON_BAD_SIGNATURE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_challenge),
                cmocka_unit_test(test_statement_both_ways),
                cmocka_unit_test(test_largest_statement_fits),
                cmocka_unit_test(test_what_nobody_signs),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_other_purposes),
                cmocka_unit_test(test_every_byte_counts),
                cmocka_unit_test(test_empty_and_unknown_parts),
                cmocka_unit_test(test_rotation_both_ways),
                cmocka_unit_test(test_rotation_refusals),
                cmocka_unit_test(test_rotation_by_another_key),
        };
        return cmocka_run_group_tests_name("attest", tests, NULL, NULL);
}
