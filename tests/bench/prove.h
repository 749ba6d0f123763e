/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A device that proves itself (DICE-1), for the handshake benchmark: application key and CDI certificate from files. */
#include "relay/attest.h"

struct prove {
        char device[IDENTITY_MAX + 1];
        uint8_t seed[ED25519_SEED_SIZE], bytes[DICE_CERTIFICATE_MAX];
        struct span certificate; /* empty: it is no such device */
        uint8_t statement[ATTEST_STATEMENT_MAX];
};
/* prefix.cdi (DER) and prefix.key; without the first one *p is empty. 0 or -errno */
int prove_load(struct prove *p, const char *prefix, const char *device);
/* What to answer to this challenge; lives until the next call. Empty: it is none. */
struct span prove_answer(struct prove *p, struct span challenge);
