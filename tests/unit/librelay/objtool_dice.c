/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * objtool's verbs of DICE. What was measured is MEASURED: IMAGE MANIFEST CLASS VENDOR SEQUENCE MODE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objtool.h"
#include "relay/attest.h"

static void exact(struct request *q, size_t i, uint8_t *out, size_t size)
{
        struct span bytes = bytes_of(q, i);

        if (bytes.size != size) {
                fprintf(stderr, "objtool: argument %zu of %s has not %zu bytes\n", i, q->words[0], size);
                exit(2);
        }
        memcpy(out, bytes.data, size);
}

static struct public_key key_of(struct request *q, size_t i)
{
        struct public_key key;
        struct reader r;

        reader_init(&r, bytes_of(q, i));
        key_get_cose(&r, &key);
        return key;
}

struct device {
        uint8_t identity_seed[ED25519_SEED_SIZE], seed[ED25519_SEED_SIZE];
        struct public_key identity, key;
        struct dice_measurement measurement;
};

/* UDS MEASURED at argument 1 */
static struct device device_of(struct request *q)
{
        uint8_t uds[DICE_SECRET_SIZE], cdi[DICE_SECRET_SIZE];
        struct device d;

        exact(q, 1, uds, sizeof(uds));
        exact(q, 2, d.measurement.image, SHA256_SIZE);
        exact(q, 3, d.measurement.manifest, SHA256_SIZE);
        exact(q, 4, d.measurement.class_id, CLASS_ID_SIZE);
        exact(q, 5, d.measurement.vendor, SHA256_SIZE);
        d.measurement.sequence = strtoull(q->words[6], NULL, 10);
        d.measurement.mode = (enum dice_mode)atoi(q->words[7]);
        if (dice_key_seed(uds, d.identity_seed) != RELAY_OK ||
            crypto_ed25519_public(d.identity_seed, &d.identity) != RELAY_OK ||
            dice_cdi_attest(uds, &d.measurement, cdi) != RELAY_OK || dice_key_seed(cdi, d.seed) != RELAY_OK ||
            crypto_ed25519_public(d.seed, &d.key) != RELAY_OK)
                exit(2);
        return d;
}

/* dice-keys UDS MEASURED */
static void do_keys(struct request *q)
{
        struct device d = device_of(q);
        uint8_t id[DICE_ID_SIZE];

        print_result(dice_id(&d.identity, id));
        print_hex("id", SPAN_OF(id));
        print_hex("identity", span_of(d.identity.bytes, 32));
        print_hex("key", span_of(d.key.bytes, 32));
}

/* dice-rotated UDS NUMBER */
static void do_rotated(struct request *q)
{
        uint8_t uds[DICE_SECRET_SIZE], out[DICE_SECRET_SIZE];

        exact(q, 1, uds, sizeof(uds));
        print_result(dice_rotated_secret(uds, (uint32_t)strtoul(q->words[2], NULL, 10), out));
        print_hex("bytes", SPAN_OF(out));
}

/* dice-certificate UDS MEASURED */
static void do_certificate(struct request *q)
{
        struct device d = device_of(q);
        struct writer w;

        writer_init(&w, out_bytes, DICE_CERTIFICATE_MAX);
        print_written(dice_write_certificate(&w, d.identity_seed, &d.key, &d.measurement), &w);
}

/* dice-leaf UDS MEASURED DEVICE_CERTIFICATE */
static void do_leaf(struct request *q)
{
        struct device d = device_of(q);
        struct writer w;

        writer_init(&w, out_bytes, DICE_CERTIFICATE_MAX);
        print_written(dice_write_leaf(&w, d.identity_seed, bytes_of(q, 8), &d.key, &d.measurement), &w);
}

static void print_evidence(const struct dice_evidence *evidence)
{
        const struct dice_measurement *m = &evidence->measurement;

        printf(" sequence=%llu mode=%d", (unsigned long long)m->sequence, (int)m->mode);
        print_hex("key", span_of(evidence->key.bytes, 32));
        print_hex("image", SPAN_OF(m->image));
        print_hex("manifest", SPAN_OF(m->manifest));
        print_hex("class", SPAN_OF(m->class_id));
        print_hex("vendor", SPAN_OF(m->vendor));
}

/* dice-read CERTIFICATE IDENTITY_KEY */
static void do_read(struct request *q)
{
        struct public_key identity = key_of(q, 2);
        struct dice_evidence evidence;
        int result = dice_read_certificate(bytes_of(q, 1), &identity, &evidence);

        print_result(result);
        if (result == RELAY_OK)
                print_evidence(&evidence);
}

/* challenge NONCE RELAY */
static void do_challenge(struct request *q)
{
        struct attest_challenge challenge;
        struct writer w;

        exact(q, 1, challenge.nonce, sizeof(challenge.nonce));
        exact(q, 2, challenge.relay, sizeof(challenge.relay));
        writer_init(&w, out_bytes, ATTEST_CHALLENGE_MAX);
        print_written(attest_challenge_encode(&w, &challenge), &w);
}

static int sign(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, sig);
}

/* attest UDS MEASURED CHALLENGE DEVICE BOOT DEVICE_CERTIFICATE ROTATION */
static void do_attest(struct request *q)
{
        struct device d = device_of(q);
        struct signer signer = { .key = d.key, .sign = sign, .context = d.seed };
        struct attest_statement statement = { 0 };
        uint8_t certificate[DICE_CERTIFICATE_MAX];
        struct writer w;

        writer_init(&w, certificate, sizeof(certificate));
        dice_write_certificate(&w, d.identity_seed, &d.key, &d.measurement);
        statement.certificate = writer_span(&w);
        span_to_string(span_of_string(q->words[9]), statement.device, sizeof(statement.device));
        statement.boot = (uint32_t)strtoul(q->words[10], NULL, 10);
        statement.device_certificate = bytes_of(q, 11);
        statement.rotation = bytes_of(q, 12);
        writer_init(&w, out_bytes, ATTEST_STATEMENT_MAX);
        if (attest_challenge_decode(bytes_of(q, 8), &statement.challenge) != RELAY_OK)
                printf("refused challenge");
        else
                print_written(attest_sign(&w, &statement, &signer, scratch, ATTEST_STATEMENT_MAX + 128), &w);
}

/* attest-check STATEMENT CHALLENGE DEVICE IDENTITY_KEY */
static void do_attest_check(struct request *q)
{
        struct public_key identity = key_of(q, 4);
        struct attest_challenge asked = { 0 };
        struct attest_statement statement;
        struct dice_evidence evidence;
        enum reason reason;

        attest_challenge_decode(bytes_of(q, 2), &asked);
        reason = attest_check(bytes_of(q, 1), &asked, q->words[3], &identity, &statement, &evidence, scratch,
                              ATTEST_STATEMENT_MAX + 128);
        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        printf(" device=%s boot=%lu", statement.device, (unsigned long)statement.boot);
        print_hex("device-certificate", statement.device_certificate);
        print_hex("rotation", statement.rotation);
        print_evidence(&evidence);
}

/* rotation OLD_SEED NEW_KEY DEVICE NUMBER */
static void do_rotation(struct request *q)
{
        struct signer signer = signer_of(q, 1);
        struct rotation rotation = { .old_key = signer.key, .new_key = key_of(q, 2) };
        struct writer w;

        span_to_string(span_of_string(q->words[3]), rotation.device, sizeof(rotation.device));
        rotation.number = (uint32_t)strtoul(q->words[4], NULL, 10);
        writer_init(&w, out_bytes, ROTATION_MAX);
        print_written(rotation_sign(&w, &rotation, &signer), &w);
}

/* rotation-check ROTATION DEVICE OLD_KEY */
static void do_rotation_check(struct request *q)
{
        struct public_key old_key = key_of(q, 3);
        struct rotation rotation;
        enum reason reason = rotation_check(bytes_of(q, 1), q->words[2], &old_key, &rotation);

        print_reason(reason);
        if (reason != REASON_NONE)
                return;
        printf(" number=%lu", (unsigned long)rotation.number);
        print_hex("new", span_of(rotation.new_key.bytes, 32));
}

const struct verb dice_verbs[] = {
        { "dice-keys", do_keys, 7 },
        { "dice-rotated", do_rotated, 2 },
        { "dice-certificate", do_certificate, 7 },
        { "dice-leaf", do_leaf, 8 },
        { "dice-read", do_read, 2 },
        { "challenge", do_challenge, 2 },
        { "attest", do_attest, 12 },
        { "attest-check", do_attest_check, 4 },
        { "rotation", do_rotation, 4 },
        { "rotation-check", do_rotation_check, 3 },
};
const size_t dice_verb_count = sizeof(dice_verbs) / sizeof(dice_verbs[0]);
