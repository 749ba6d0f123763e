/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * COSE_Sign1 (RFC 9052 section 4.2), tagged 18, EdDSA (-8) and ES256 (-7).
 * Protected header exactly {1: alg, 4: key id}; unprotected header empty when we write.
 * When reading, other labels of both headers may hold anything well-formed and are ignored; crit (2) is refused.
 */

#include "relay/key.h"

#define COSE_SIGN1_OVERHEAD 96 /* bytes a COSE_Sign1 of ours takes beside its payload, at most */
#define COSE_SCRATCH_EXTRA  64 /* scratch needed beside payload and aad, for protected headers of our form */

/* Somebody who can sign: a local key, an ssh-agent, the test's own. sign() gets the whole message. */
struct signer {
        struct public_key key;
        int (*sign)(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE]);
        void *context;
};

/* what a COSE_Sign1 says, before anything is verified; spans point into the input */
struct cose_sign1 {
        struct span protected_header; /* content of the bstr */
        int64_t alg;
        struct span key_id; /* a hint; may be empty */
        bool detached;
        struct span payload; /* empty if detached */
        struct span signature;
};

/* Decodes in whole (trailing bytes are malformed); accepts tag 18 or none. */
int cose_sign1_decode(struct span in, struct cose_sign1 *out);

/*
 * Verifies against exactly this key. external_aad: the object's type and version ("relayd/approval/1"), empty for SUIT.
 * payload: what is signed if detached (ignored otherwise).
 * scratch: room for the Sig_structure: payload + aad + COSE_SCRATCH_EXTRA bytes, else RELAY_E_SPACE.
 * RELAY_OK, RELAY_E_SIGNATURE, RELAY_E_KEY, RELAY_E_UNSUPPORTED (algorithm does not fit the key).
 */
int cose_sign1_verify(const struct cose_sign1 *sign1, const struct public_key *key, struct span external_aad,
                      struct span payload, uint8_t *scratch, size_t scratch_size);
/* Does the header name this key, and does the attached payload's signature verify with it? scratch as above. */
bool cose_sign1_is_by(const struct cose_sign1 *sign1, const struct public_key *key, struct span external_aad,
                      uint8_t *scratch, size_t scratch_size);

/*
 * Appends a tagged COSE_Sign1 to w. detached: payload is signed but nil stands in its place.
 * Errors: the writer's, RELAY_E_SPACE for scratch, what signer->sign returns.
 */
int cose_sign1_write(struct writer *w, const struct signer *signer, struct span external_aad, struct span payload,
                     bool detached, uint8_t *scratch, size_t scratch_size);
/*
 * The same in two steps, for a payload that is written where it is signed and so needs no buffer of its own:
 * cose_sign1_begin(), exactly payload_size bytes written into message, cose_sign1_end() with all of message.
 * message: payload + aad + COSE_SCRATCH_EXTRA bytes of room. Errors as above.
 */
int cose_sign1_begin(struct writer *message, const struct public_key *key, struct span external_aad,
                     size_t payload_size);
int cose_sign1_end(struct writer *w, const struct signer *signer, struct span message, size_t payload_size,
                   bool detached);

/*
 * Several signatures over one payload ("signed set"), as vendor key sets and site policies travel:
 *     [payload: bstr, [+ COSE_Sign1 with detached payload]]
 */
#define COSE_SET_SIGNATURES_MAX 32 /* k of 16 old approvers and k of 16 new ones */
struct cose_set {
        struct span payload;
        struct span signatures[COSE_SET_SIGNATURES_MAX]; /* each one encoded COSE_Sign1 */
        size_t count;
};
/* RELAY_OK; RELAY_E_MALFORMED, TRUNCATED, or RANGE (no signature, or too many). The spans point into in. */
int cose_set_decode(struct span in, struct cose_set *out);
/* The same for a proposal that goes from signer to signer: there need not be a signature yet. */
int cose_set_decode_proposal(struct span in, struct cose_set *out);
/* A set without signatures is written as a proposal. RELAY_OK, RELAY_E_RANGE (too many), or the writer's error */
int cose_set_write(struct writer *w, const struct cose_set *set);
/*
 * How many different keys of the list have a valid signature in the set (0 to count). One key counts once, however
 * often it signed; signatures of keys outside the list, or that do not verify, do not count and do not harm.
 * A signature in a set must name its key id, so that counting costs at most one verification per signature.
 */
size_t cose_set_count_valid(const struct cose_set *set, struct span external_aad, const struct public_key *keys,
                            size_t count, uint8_t *scratch, size_t scratch_size);
