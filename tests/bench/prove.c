/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "prove.h"

#include <errno.h>
#include <stdio.h>

#include "tls/keyfile.h"

int prove_load(struct prove *p, const char *prefix, const char *device)
{
        char path[512];

        *p = (struct prove){ 0 };
        snprintf(p->device, sizeof(p->device), "%s", device);
        snprintf(path, sizeof(path), "%s.cdi", prefix);
        FILE *file = fopen(path, "rb");
        if (!file)
                return errno == ENOENT ? 0 : -errno;
        p->certificate = span_of(p->bytes, fread(p->bytes, 1, sizeof(p->bytes), file));
        fclose(file);
        snprintf(path, sizeof(path), "%s.key", prefix);
        return keyfile_load(path, NULL, p->seed);
}

static int sign(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, sig);
}

struct span prove_answer(struct prove *p, struct span challenge)
{
        struct attest_statement statement = { .boot = 1, .certificate = p->certificate };
        struct signer signer = { .sign = sign, .context = p->seed };
        uint8_t scratch[ATTEST_STATEMENT_MAX + 128];
        struct writer w;

        snprintf(statement.device, sizeof(statement.device), "%s", p->device);
        writer_init(&w, p->statement, sizeof(p->statement));
        if (attest_challenge_decode(challenge, &statement.challenge) != RELAY_OK ||
            crypto_ed25519_public(p->seed, &signer.key) != RELAY_OK ||
            attest_sign(&w, &statement, &signer, scratch, sizeof(scratch)) != RELAY_OK)
                return SPAN_EMPTY;
        return writer_span(&w);
}
