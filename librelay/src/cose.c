/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/cose.h"

#include <string.h>

#define COSE_SIGN1_TAG 18
enum { HEADER_ALG = 1, HEADER_CRIT = 2, HEADER_KEY_ID = 4 }; /* RFC 9052 section 3.1 */
enum { ALG_ES256 = -7, ALG_EDDSA = -8 };                     /* RFC 9053 section 2 */

static int64_t alg_of(const struct public_key *key)
{
        switch (key->type) {
        case KEY_NONE:
                return 0;
        case KEY_ED25519:
                return ALG_EDDSA;
        case KEY_P256:
                return ALG_ES256;
        }
        return 0;
}

static int protected_header_decode(struct cose_sign1 *sign1)
{
        struct cbor_map m;
        struct reader r;
        int64_t label;

        reader_init(&r, sign1->protected_header);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label)) {
                switch (label) {
                case HEADER_ALG:
                        sign1->alg = cbor_get_int(&r);
                        break;
                case HEADER_CRIT:
                        reader_fail(&r, RELAY_E_UNSUPPORTED);
                        break;
                case HEADER_KEY_ID:
                        sign1->key_id = cbor_get_bstr(&r);
                        break;
                default:
                        cbor_skip(&r);
                        break;
                }
        }
        return reader_finish(&r);
}

int cose_sign1_decode(struct span in, struct cose_sign1 *out)
{
        struct cose_sign1 sign1 = { 0 };
        struct reader r;
        int result;

        reader_init(&r, in);
        if (cbor_peek(&r) == CBOR_TAG && cbor_get_tag(&r) != COSE_SIGN1_TAG)
                reader_fail(&r, RELAY_E_MALFORMED);
        if (cbor_get_array(&r) != 4)
                reader_fail(&r, RELAY_E_MALFORMED);
        sign1.protected_header = cbor_get_bstr(&r);
        if (cbor_peek(&r) != CBOR_MAP)
                reader_fail(&r, RELAY_E_MALFORMED);
        cbor_skip(&r);
        sign1.detached = cbor_try_null(&r);
        if (!sign1.detached)
                sign1.payload = cbor_get_bstr(&r);
        sign1.signature = cbor_get_bstr(&r);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                result = protected_header_decode(&sign1);
        if (result == RELAY_OK)
                *out = sign1;
        return result;
}

/* what is signed (RFC 9052 section 4.4), up to the payload's own bytes */
static void begin_sig_structure(struct writer *w, struct span protected_header, struct span external_aad,
                                size_t payload_size)
{
        cbor_put_array(w, 4);
        cbor_put_tstr(w, SPAN_LITERAL("Signature1"));
        cbor_put_bstr(w, protected_header);
        cbor_put_bstr(w, external_aad);
        cbor_put_bstr_head(w, payload_size);
}

static struct span sig_structure(struct span protected_header, struct span external_aad, struct span payload,
                                 uint8_t *scratch, size_t scratch_size)
{
        struct writer w;

        writer_init(&w, scratch, scratch_size);
        begin_sig_structure(&w, protected_header, external_aad, payload.size);
        writer_bytes(&w, payload);
        return writer_span(&w);
}

int cose_sign1_verify(const struct cose_sign1 *sign1, const struct public_key *key, struct span external_aad,
                      struct span payload, uint8_t *scratch, size_t scratch_size)
{
        struct span message;

        if (key->type == KEY_NONE)
                return RELAY_E_KEY;
        if (sign1->alg != alg_of(key))
                return RELAY_E_UNSUPPORTED;
        if (sign1->signature.size != SIGNATURE_SIZE)
                return RELAY_E_SIGNATURE;
        message = sig_structure(sign1->protected_header, external_aad, sign1->detached ? payload : sign1->payload,
                                scratch, scratch_size);
        if (message.size == 0)
                return RELAY_E_SPACE;
        return crypto_verify(key, message, sign1->signature.data);
}

bool cose_sign1_is_by(const struct cose_sign1 *sign1, const struct public_key *key, struct span external_aad,
                      uint8_t *scratch, size_t scratch_size)
{
        uint8_t id[KEY_ID_SIZE];

        return key_id(key, id) == RELAY_OK && span_equal(sign1->key_id, SPAN_OF(id)) &&
               cose_sign1_verify(sign1, key, external_aad, SPAN_EMPTY, scratch, scratch_size) == RELAY_OK;
}

#define HEADER_SIZE 16 /* of our protected header, at most */

static int put_protected_header(struct writer *w, const struct public_key *key)
{
        uint8_t id[KEY_ID_SIZE];
        int result = key_id(key, id);

        if (result != RELAY_OK)
                return result;
        cbor_put_map(w, 2);
        cbor_put_int(w, HEADER_ALG);
        cbor_put_int(w, alg_of(key));
        cbor_put_int(w, HEADER_KEY_ID);
        cbor_put_bstr(w, SPAN_OF(id));
        return writer_finish(w);
}

int cose_sign1_begin(struct writer *message, const struct public_key *key, struct span external_aad,
                     size_t payload_size)
{
        uint8_t bytes[HEADER_SIZE];
        struct writer header;
        int result;

        writer_init(&header, bytes, sizeof(bytes));
        result = put_protected_header(&header, key);
        if (result != RELAY_OK)
                return result;
        begin_sig_structure(message, writer_span(&header), external_aad, payload_size);
        return writer_finish(message);
}

int cose_sign1_end(struct writer *w, const struct signer *signer, struct span message, size_t payload_size,
                   bool detached)
{
        uint8_t bytes[HEADER_SIZE], sig[SIGNATURE_SIZE];
        struct writer header;
        int result;

        if (message.size < payload_size || message.size == 0)
                return RELAY_E_SPACE;
        writer_init(&header, bytes, sizeof(bytes));
        result = put_protected_header(&header, &signer->key);
        if (result == RELAY_OK)
                result = signer->sign(signer->context, message, sig);
        if (result != RELAY_OK)
                return result;
        cbor_put_tag(w, COSE_SIGN1_TAG);
        cbor_put_array(w, 4);
        cbor_put_bstr(w, writer_span(&header));
        cbor_put_map(w, 0);
        if (detached)
                cbor_put_null(w);
        else
                cbor_put_bstr(w, span_slice(message, message.size - payload_size, payload_size));
        cbor_put_bstr(w, SPAN_OF(sig));
        return writer_finish(w);
}

int cose_sign1_write(struct writer *w, const struct signer *signer, struct span external_aad, struct span payload,
                     bool detached, uint8_t *scratch, size_t scratch_size)
{
        struct writer message;
        int result;

        writer_init(&message, scratch, scratch_size);
        result = cose_sign1_begin(&message, &signer->key, external_aad, payload.size);
        if (result != RELAY_OK)
                return result;
        writer_bytes(&message, payload);
        return cose_sign1_end(w, signer, writer_span(&message), payload.size, detached);
}

static int decode_set(struct span in, size_t least, struct cose_set *out)
{
        struct cose_set set = { 0 };
        struct reader r;
        int result;

        reader_init(&r, in);
        if (cbor_get_array(&r) != 2)
                reader_fail(&r, RELAY_E_MALFORMED);
        set.payload = cbor_get_bstr(&r);
        set.count = cbor_get_array(&r);
        if (set.count < least || set.count > COSE_SET_SIGNATURES_MAX)
                reader_fail(&r, RELAY_E_RANGE);
        for (size_t i = 0; i < set.count && r.result == RELAY_OK; i++)
                set.signatures[i] = cbor_skip(&r);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = set;
        return result;
}

int cose_set_decode(struct span in, struct cose_set *out)
{
        return decode_set(in, 1, out);
}

int cose_set_decode_proposal(struct span in, struct cose_set *out)
{
        return decode_set(in, 0, out);
}

int cose_set_write(struct writer *w, const struct cose_set *set)
{
        if (set->count > COSE_SET_SIGNATURES_MAX)
                return RELAY_E_RANGE;
        cbor_put_array(w, 2);
        cbor_put_bstr(w, set->payload);
        cbor_put_array(w, set->count);
        for (size_t i = 0; i < set->count; i++)
                writer_bytes(w, set->signatures[i]);
        return writer_finish(w);
}

/* The key id picks which signatures are worth a verification, so that a set costs at most one for each signature. */
static bool set_signed_by(const struct cose_set *set, struct span external_aad, const struct public_key *key,
                          uint8_t *scratch, size_t scratch_size)
{
        uint8_t id[KEY_ID_SIZE];
        struct cose_sign1 sign1;

        if (key_id(key, id) != RELAY_OK)
                return false;
        for (size_t i = 0; i < set->count; i++)
                if (cose_sign1_decode(set->signatures[i], &sign1) == RELAY_OK && sign1.detached &&
                    span_equal(sign1.key_id, SPAN_OF(id)) &&
                    cose_sign1_verify(&sign1, key, external_aad, set->payload, scratch, scratch_size) == RELAY_OK)
                        return true;
        return false;
}

size_t cose_set_count_valid(const struct cose_set *set, struct span external_aad, const struct public_key *keys,
                            size_t count, uint8_t *scratch, size_t scratch_size)
{
        size_t valid = 0;

        for (size_t i = 0; i < count; i++)
                if (key_find(keys, i, &keys[i]) < 0 &&
                    set_signed_by(set, external_aad, &keys[i], scratch, scratch_size))
                        valid++;
        return valid;
}
