/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/attest.h"

#include <string.h>

enum { CHALLENGE_VERSION = 0, CHALLENGE_NONCE = 1, CHALLENGE_RELAY = 2 };
#define CHALLENGE_REQUIRED 0x07u /* a bit for each label */

enum {
        STATEMENT_VERSION = 0,
        STATEMENT_NONCE = 1,
        STATEMENT_RELAY = 2,
        STATEMENT_DEVICE = 3,
        STATEMENT_BOOT = 4,
        STATEMENT_CERTIFICATE = 5,
        STATEMENT_DEVICE_CERTIFICATE = 6,
        STATEMENT_ROTATION = 7,
};
#define STATEMENT_REQUIRED (0xffu & ~(1u << STATEMENT_DEVICE_CERTIFICATE) & ~(1u << STATEMENT_ROTATION))

int attest_challenge_encode(struct writer *w, const struct attest_challenge *challenge)
{
        cbor_put_map(w, 3);
        cbor_put_uint(w, CHALLENGE_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, CHALLENGE_NONCE);
        cbor_put_bstr(w, SPAN_OF(challenge->nonce));
        cbor_put_uint(w, CHALLENGE_RELAY);
        cbor_put_bstr(w, SPAN_OF(challenge->relay));
        return writer_finish(w);
}

int attest_challenge_decode(struct span in, struct attest_challenge *out)
{
        struct attest_challenge challenge = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, in);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label)) {
                switch (label) {
                case CHALLENGE_VERSION:
                        cbor_get_version(&r, 1);
                        break;
                case CHALLENGE_NONCE:
                        cbor_get_bstr_exact(&r, challenge.nonce, sizeof(challenge.nonce));
                        break;
                case CHALLENGE_RELAY:
                        cbor_get_bstr_exact(&r, challenge.relay, sizeof(challenge.relay));
                        break;
                default:
                        reader_fail(&r, RELAY_E_MALFORMED);
                        break;
                }
        }
        cbor_map_require(&m, CHALLENGE_REQUIRED);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = challenge;
        return result;
}

static void put_optional(struct writer *w, uint64_t label, struct span bytes)
{
        if (bytes.size == 0)
                return;
        cbor_put_uint(w, label);
        cbor_put_bstr(w, bytes);
}

static void put_statement(struct writer *w, const struct attest_statement *statement)
{
        cbor_put_map(w, 6u + (statement->device_certificate.size > 0) + (statement->rotation.size > 0));
        cbor_put_uint(w, STATEMENT_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, STATEMENT_NONCE);
        cbor_put_bstr(w, SPAN_OF(statement->challenge.nonce));
        cbor_put_uint(w, STATEMENT_RELAY);
        cbor_put_bstr(w, SPAN_OF(statement->challenge.relay));
        cbor_put_uint(w, STATEMENT_DEVICE);
        cbor_put_tstr(w, span_of_string(statement->device));
        cbor_put_uint(w, STATEMENT_BOOT);
        cbor_put_uint(w, statement->boot);
        put_optional(w, STATEMENT_CERTIFICATE, statement->certificate);
        put_optional(w, STATEMENT_DEVICE_CERTIFICATE, statement->device_certificate);
        put_optional(w, STATEMENT_ROTATION, statement->rotation);
}

int attest_sign(struct writer *w, const struct attest_statement *statement, const struct signer *signer,
                uint8_t *scratch, size_t scratch_size)
{
        struct writer count, message;
        int result;

        if (!identity_is_device(span_of_string(statement->device)) || statement->certificate.size == 0)
                return RELAY_E_RANGE;
        writer_init(&count, NULL, 0);
        put_statement(&count, statement);
        if (writer_needed(&count) + COSE_SIGN1_OVERHEAD > ATTEST_STATEMENT_MAX)
                return RELAY_E_SPACE;
        writer_init(&message, scratch, scratch_size);
        result = cose_sign1_begin(&message, &signer->key, SPAN_LITERAL(ATTEST_AAD), writer_needed(&count));
        if (result != RELAY_OK)
                return result;
        put_statement(&message, statement);
        return cose_sign1_end(w, signer, writer_span(&message), writer_needed(&count), false);
}

/* an optional part is there or left out, never empty */
static struct span get_part(struct reader *r)
{
        struct span bytes = cbor_get_bstr(r);

        if (bytes.size == 0)
                reader_fail(r, RELAY_E_RANGE);
        return bytes;
}

static void get_field(struct reader *r, int64_t label, struct attest_statement *out)
{
        switch (label) {
        case STATEMENT_VERSION:
                cbor_get_version(r, 1);
                break;
        case STATEMENT_NONCE:
                cbor_get_bstr_exact(r, out->challenge.nonce, sizeof(out->challenge.nonce));
                break;
        case STATEMENT_RELAY:
                cbor_get_bstr_exact(r, out->challenge.relay, sizeof(out->challenge.relay));
                break;
        case STATEMENT_DEVICE:
                cbor_get_text(r, identity_is_device, out->device, sizeof(out->device));
                break;
        case STATEMENT_BOOT:
                out->boot = (uint32_t)cbor_get_uint_max(r, UINT32_MAX);
                break;
        case STATEMENT_CERTIFICATE:
                out->certificate = get_part(r);
                break;
        case STATEMENT_DEVICE_CERTIFICATE:
                out->device_certificate = get_part(r);
                break;
        case STATEMENT_ROTATION:
                out->rotation = get_part(r);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

static int decode(struct span sign1, struct cose_sign1 *opened, struct attest_statement *out)
{
        struct attest_statement statement = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        if (sign1.size > ATTEST_STATEMENT_MAX)
                return RELAY_E_RANGE;
        result = cose_sign1_decode(sign1, opened);
        if (result != RELAY_OK)
                return result;
        if (opened->detached)
                return RELAY_E_MALFORMED;
        reader_init(&r, opened->payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label))
                get_field(&r, label, &statement);
        cbor_map_require(&m, STATEMENT_REQUIRED);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = statement;
        return result;
}

int attest_decode(struct span sign1, struct attest_statement *out)
{
        struct cose_sign1 opened;

        return decode(sign1, &opened, out);
}

static enum reason check_certificate(struct span der, const struct public_key *identity, struct dice_evidence *out)
{
        int result = dice_read_certificate(der, identity, out);

        if (result == RELAY_OK)
                return REASON_NONE;
        return result == RELAY_E_SIGNATURE || result == RELAY_E_KEY ? REASON_BAD_SIGNATURE : REASON_MALFORMED;
}

enum reason attest_check(struct span sign1, const struct attest_challenge *asked, const char *device,
                         const struct public_key *identity, struct attest_statement *statement,
                         struct dice_evidence *evidence, uint8_t *scratch, size_t scratch_size)
{
        struct attest_statement said;
        struct dice_evidence proved;
        struct cose_sign1 opened;
        enum reason reason;

        if (decode(sign1, &opened, &said) != RELAY_OK)
                return REASON_MALFORMED;
        if (!span_equal(SPAN_OF(said.challenge.nonce), SPAN_OF(asked->nonce)) ||
            !span_equal(SPAN_OF(said.challenge.relay), SPAN_OF(asked->relay)))
                return REASON_WRONG_NONCE;
        if (!span_equal_string(span_of_string(said.device), device))
                return REASON_WRONG_DEVICE;
        reason = check_certificate(said.certificate, identity, &proved);
        if (reason != REASON_NONE)
                return reason;
        if (!cose_sign1_is_by(&opened, &proved.key, SPAN_LITERAL(ATTEST_AAD), scratch, scratch_size))
                return REASON_BAD_SIGNATURE;
        *statement = said;
        *evidence = proved;
        return REASON_NONE;
}
