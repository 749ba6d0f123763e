/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* One site and one vendor with fixed keys, for tests of signed objects. */
#include "relay/approval.h"
#include "relay/factory.h"
#include "relay/revocation.h"
#include "unit.h"

enum who {
        ORGANISATION = 1,
        DEVELOPER,
        COMMAND,
        APPROVER_1,
        APPROVER_2,
        APPROVER_3,
        APPROVER_4,
        GATE,
        STRANGER,
        ORGANISATION_2,
        DEVELOPER_2,
        SITE_COMMAND,
        GATE_2,
        WHO_END
};

/* the signer's private key is just his number, repeated */
struct signer who(enum who who);
struct public_key key_of(enum who who);

struct vendor_keys sample_vendor(void);
/* approvers 1 to n, k of them needed */
struct site_policy sample_policy(size_t n, size_t k);
/* the same with everything in it that a policy may say; class 0xc1... has a rule, device-3 a gate of its own */
struct site_policy full_policy(void);
/* epoch 2 after this one, whose digest is filled in on the way */
struct site_policy successor_of(struct site_policy *policy);
struct manifest_fields sample_manifest(void);
struct approval sample_approval(const uint8_t manifest_digest[SHA256_SIZE]);

/* each writes into a buffer of the caller and fails the test if it cannot */
struct span sign_set(uint8_t *out, size_t size, struct span aad, struct span payload, const enum who *signers,
                     size_t count);
struct span write_vendor_set(uint8_t *out, size_t size);
struct span write_policy_set(uint8_t *out, size_t size, const struct site_policy *policy, const enum who *signers,
                             size_t count);
struct span write_manifest(uint8_t *out, size_t size, const enum who *signers, size_t count);
struct span write_manifest_of(uint8_t *out, size_t size, const struct manifest_fields *fields, const enum who *signers,
                              size_t count);
struct span write_approval(uint8_t *out, size_t size, const struct approval *approval, enum who signer);
struct span write_revocation(uint8_t *out, size_t size, const struct revocation *revocation, const enum who *signers,
                             size_t count);
struct span write_factory(uint8_t *out, size_t size);
