/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Challenge, statement, rotation: what decodes is written as the same bytes; a check never takes what does not decode.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz_dice_key.h"
#include "relay/attest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t scratch[ATTEST_STATEMENT_MAX + 128], again[ATTEST_STATEMENT_MAX];

static int sign(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        (void)context;
        (void)message;
        memset(sig, 0, SIGNATURE_SIZE);
        return RELAY_OK;
}

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void require_payload(struct span sign1, struct span payload)
{
        struct cose_sign1 opened;

        require(cose_sign1_decode(sign1, &opened) == RELAY_OK && span_equal(opened.payload, payload));
}

static void try_challenge(struct span in)
{
        struct attest_challenge challenge;
        struct writer w;

        if (attest_challenge_decode(in, &challenge) != RELAY_OK)
                return;
        writer_init(&w, again, sizeof(again));
        require(attest_challenge_encode(&w, &challenge) == RELAY_OK && span_equal(writer_span(&w), in));
}

static void try_statement(struct span in, struct span payload)
{
        static const struct signer nobody = { .key = { .type = KEY_ED25519 }, .sign = sign };
        struct attest_statement statement, checked;
        struct attest_challenge asked = { .nonce = { 1 } };
        struct dice_evidence evidence;
        struct writer w;
        int result = attest_decode(in, &statement);

        if (result == RELAY_OK)
                asked = statement.challenge;
        if (attest_check(in, &asked, "device-1", &sample_identity, &checked, &evidence, scratch, sizeof(scratch)) ==
            REASON_NONE)
                require(result == RELAY_OK && strcmp(statement.device, "device-1") == 0);
        writer_init(&w, again, sizeof(again));
        if (result == RELAY_OK && attest_sign(&w, &statement, &nobody, scratch, sizeof(scratch)) == RELAY_OK)
                require_payload(writer_span(&w), payload);
}

static void try_rotation(struct span in, struct span payload)
{
        struct rotation rotation, checked;
        struct signer old_key = { .sign = sign };
        struct writer w;
        int result = rotation_decode(payload, &rotation);

        if (rotation_check(in, "device-1", &sample_identity, &checked) == REASON_NONE)
                require(result == RELAY_OK && key_equal(&checked.old_key, &sample_identity));
        if (result != RELAY_OK)
                return;
        old_key.key = rotation.old_key;
        writer_init(&w, again, sizeof(again));
        require(rotation_sign(&w, &rotation, &old_key) == RELAY_OK);
        require_payload(writer_span(&w), payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct span in = span_of(data, size), payload = in;
        struct cose_sign1 opened;

        if (cose_sign1_decode(in, &opened) == RELAY_OK && !opened.detached)
                payload = opened.payload;
        try_challenge(in);
        try_statement(in, payload);
        try_rotation(in, payload);
        return 0;
}
