/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A whole hub on a store in memory for the tests of identity: device-1 is attested by its list, device-2 proves nothing
 * by it. Proofs are made by hand, as hub/attestation.h hands them on once they were verified.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hub/manager_internal.h"

struct identity_bench {
        struct conf conf;
        sd_event *event;
        struct store *store;
        struct manager *m;
};

/* image A is shipped on device-1 */
extern const uint8_t image_a[SHA256_SIZE], image_b[SHA256_SIZE];
/* old: the identity key of both devices is of this seed */
extern const uint8_t old_seed[ED25519_SEED_SIZE], new_seed[ED25519_SEED_SIZE], newer_seed[ED25519_SEED_SIZE];

int bench_setup(void **state);
int bench_teardown(void **state);
void bench_commit(struct identity_bench *b);
void bench_restart(struct identity_bench *b);
/* Time goes on, so that the next alert is not the same one again. */
void bench_later(struct identity_bench *b, uint32_t seconds);
struct public_key bench_key(const uint8_t seed[ED25519_SEED_SIZE]);
void bench_import(struct identity_bench *b, const char *identity, enum factory_attestation level, bool with_image);
struct device *bench_device(struct identity_bench *b, const char *identity);
size_t bench_alerts(struct identity_bench *b, enum reason reason); /* raised so far */

struct showing {
        const char *device; /* NULL: device-1 */
        uint32_t boot;
        const uint8_t *image; /* NULL: image A */
        enum dice_mode mode;
        struct span rotation;
        bool plain;
};
struct attestation_verdict bench_show(struct identity_bench *b, struct showing s);
#define NORMAL(number) ((struct showing){ .boot = (number), .mode = DICE_MODE_NORMAL })
