/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/key.h"

#include <string.h>

/* DER up to the key bytes: AlgorithmIdentifier of RFC 8410 section 3 and of RFC 5480 section 2.1.1 with secp256r1 */
static const uint8_t spki_ed25519[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
static const uint8_t spki_p256[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                                     0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };

/* COSE_Key labels and values (RFC 9052 section 7.1, RFC 9053 section 7) */
enum { COSE_KTY = 1, COSE_CRV = -1, COSE_X = -2, COSE_Y = -3 };
enum { COSE_KTY_OKP = 1, COSE_KTY_EC2 = 2, COSE_CRV_P256 = 1, COSE_CRV_ED25519 = 6 };

bool key_equal(const struct public_key *a, const struct public_key *b)
{
        return a->type != KEY_NONE && a->type == b->type && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int key_find(const struct public_key *list, size_t count, const struct public_key *key)
{
        for (size_t i = 0; i < count; i++)
                if (key_equal(&list[i], key))
                        return (int)i;
        return -1;
}

bool key_list_repeats(const struct public_key *list, size_t count)
{
        for (size_t i = 1; i < count; i++)
                if (key_find(list, i, &list[i]) >= 0)
                        return true;
        return false;
}

size_t key_to_spki(const struct public_key *key, uint8_t out[KEY_SPKI_MAX])
{
        switch (key->type) {
        case KEY_NONE:
                return 0;
        case KEY_ED25519:
                memcpy(out, spki_ed25519, sizeof(spki_ed25519));
                memcpy(out + sizeof(spki_ed25519), key->bytes, 32);
                return sizeof(spki_ed25519) + 32;
        case KEY_P256:
                memcpy(out, spki_p256, sizeof(spki_p256));
                memcpy(out + sizeof(spki_p256), key->bytes, 64);
                return sizeof(spki_p256) + 64;
        }
        return 0;
}

static bool spki_is(struct span der, struct span head, size_t key_size)
{
        return der.size == head.size + key_size && span_equal(span_slice(der, 0, head.size), head);
}

int key_from_spki(struct span der, struct public_key *key)
{
        struct public_key out = { .type = KEY_NONE };

        if (spki_is(der, SPAN_OF(spki_ed25519), 32)) {
                out.type = KEY_ED25519;
                memcpy(out.bytes, der.data + sizeof(spki_ed25519), 32);
        } else if (spki_is(der, SPAN_OF(spki_p256), 64)) {
                out.type = KEY_P256;
                memcpy(out.bytes, der.data + sizeof(spki_p256), 64);
        } else {
                /* a SEQUENCE that fills the input may be a key of some other kind */
                bool sequence = der.size >= 2 && der.data[0] == 0x30 &&
                                (der.data[1] >= 0x80 || (size_t)der.data[1] + 2 == der.size);
                return sequence ? RELAY_E_UNSUPPORTED : RELAY_E_MALFORMED;
        }
        *key = out;
        return RELAY_OK;
}

int key_fingerprint(const struct public_key *key, uint8_t out[SHA256_SIZE])
{
        uint8_t der[KEY_SPKI_MAX];
        size_t size = key_to_spki(key, der);

        return size ? crypto_sha256(span_of(der, size), out) : RELAY_E_KEY;
}

int key_id(const struct public_key *key, uint8_t out[KEY_ID_SIZE])
{
        uint8_t fingerprint[SHA256_SIZE];
        int result = key_fingerprint(key, fingerprint);

        if (result == RELAY_OK)
                memcpy(out, fingerprint, KEY_ID_SIZE);
        return result;
}

void key_put_cose(struct writer *w, const struct public_key *key)
{
        bool p256 = key->type == KEY_P256;

        if (key->type == KEY_NONE)
                writer_fail(w, RELAY_E_KEY);
        cbor_put_map(w, p256 ? 4 : 3);
        cbor_put_int(w, COSE_KTY);
        cbor_put_uint(w, p256 ? COSE_KTY_EC2 : COSE_KTY_OKP);
        cbor_put_int(w, COSE_CRV);
        cbor_put_uint(w, p256 ? COSE_CRV_P256 : COSE_CRV_ED25519);
        cbor_put_int(w, COSE_X);
        cbor_put_bstr(w, span_of(key->bytes, 32));
        if (p256) {
                cbor_put_int(w, COSE_Y);
                cbor_put_bstr(w, span_of(key->bytes + 32, 32));
        }
}

void key_get_cose(struct reader *r, struct public_key *key)
{
        struct public_key out = { .type = KEY_NONE };
        uint64_t kty = 0, curve = 0;
        bool x = false, y = false;
        struct cbor_map m;
        int64_t label;

        cbor_map_enter(&m, r);
        while (cbor_map_next(&m, &label)) {
                switch (label) {
                case COSE_KTY:
                        kty = cbor_get_uint(r);
                        break;
                case COSE_CRV:
                        curve = cbor_get_uint(r);
                        break;
                case COSE_X:
                        cbor_get_bstr_exact(r, out.bytes, 32);
                        x = true;
                        break;
                case COSE_Y:
                        cbor_get_bstr_exact(r, out.bytes + 32, 32);
                        y = true;
                        break;
                default:
                        reader_fail(r, RELAY_E_MALFORMED);
                        break;
                }
        }
        if (kty == COSE_KTY_OKP && curve == COSE_CRV_ED25519 && x && !y)
                out.type = KEY_ED25519;
        else if (kty == COSE_KTY_EC2 && curve == COSE_CRV_P256 && x && y)
                out.type = KEY_P256;
        else
                reader_fail(r, RELAY_E_KEY);
        *key = r->result == RELAY_OK ? out : (struct public_key){ .type = KEY_NONE };
}
