/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/record.h"

#include <errno.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/kdf.h>

#include "relay/crypto.h"

#define TAG_SIZE    16
#define IV_SIZE     12
#define HEADER_SIZE RECORD_HEADER_SIZE
#define CIPHER_MAX  (RECORD_SIZE_MAX - HEADER_SIZE)

enum message_type { MESSAGE_NEW_SESSION_TICKET = 4, MESSAGE_KEY_UPDATE = 24 };
enum { UPDATE_NOT_REQUESTED = 0, UPDATE_REQUESTED = 1 };
enum { LEVEL_WARNING = 1, LEVEL_FATAL = 2 };

#define ALERT_USER_CANCELED 90

/* ---- keys (section 7) */

static int expand(const uint8_t secret[RECORD_SECRET_SIZE], const char *label, uint8_t *out, uint32_t size)
{
        static const uint8_t protocol[] = { 't', 'l', 's', '1', '3', ' ' };

        return wc_Tls13_HKDF_Expand_Label(out, size, secret, RECORD_SECRET_SIZE, protocol, sizeof(protocol),
                                          (const uint8_t *)label, (word32)strlen(label), NULL, 0, WC_SHA256) == 0
                       ? 0
                       : -EIO;
}

static uint32_t key_size(enum record_suite suite)
{
        return suite == RECORD_AES_128_GCM ? 16 : 32;
}

static int derive(struct record_direction *d, enum record_suite suite)
{
        d->sequence = 0;
        int r = expand(d->secret, "key", d->key, key_size(suite));
        return r < 0 ? r : expand(d->secret, "iv", d->iv, IV_SIZE);
}

/* section 7.2 */
static int next_secret(struct record_direction *d, enum record_suite suite)
{
        uint8_t next[RECORD_SECRET_SIZE];

        if (expand(d->secret, "traffic upd", next, sizeof(next)) < 0)
                return -EIO;
        memcpy(d->secret, next, sizeof(next));
        crypto_wipe(next, sizeof(next));
        return derive(d, suite);
}

int record_init(struct record *r, enum record_suite suite, bool server, const uint8_t in_secret[RECORD_SECRET_SIZE],
                const uint8_t out_secret[RECORD_SECRET_SIZE])
{
        *r = (struct record){ .suite = suite, .server = server };
        memcpy(r->in.secret, in_secret, RECORD_SECRET_SIZE);
        memcpy(r->out.secret, out_secret, RECORD_SECRET_SIZE);
        int result = derive(&r->in, suite);
        return result < 0 ? result : derive(&r->out, suite);
}

void record_wipe(struct record *r)
{
        crypto_wipe(r, sizeof(*r));
}

/* ---- protection (section 5.2, 5.3) */

static void make_nonce(const struct record_direction *d, uint8_t nonce[IV_SIZE])
{
        memcpy(nonce, d->iv, IV_SIZE);
        for (unsigned i = 0; i < 8; i++)
                nonce[IV_SIZE - 1 - i] ^= (uint8_t)(d->sequence >> (8 * i));
}

static int aes_gcm(const struct record_direction *d, bool encrypt, const uint8_t nonce[IV_SIZE],
                   const uint8_t header[HEADER_SIZE], uint8_t *text, uint32_t size)
{
        Aes aes;

        if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
                return -EIO;
        int r = wc_AesGcmSetKey(&aes, d->key, 16);
        if (r == 0 && encrypt)
                r = wc_AesGcmEncrypt(&aes, text, text, size, nonce, IV_SIZE, text + size, TAG_SIZE, header,
                                     HEADER_SIZE);
        else if (r == 0)
                r = wc_AesGcmDecrypt(&aes, text, text, size, nonce, IV_SIZE, text + size, TAG_SIZE, header,
                                     HEADER_SIZE);
        wc_AesFree(&aes);
        crypto_wipe(&aes, sizeof(aes));
        return r == 0 ? 0 : -EIO;
}

/* size bytes of text in place; the tag stands behind them */
static int protect(const struct record *r, struct record_direction *d, bool encrypt, const uint8_t header[HEADER_SIZE],
                   uint8_t *text, uint32_t size)
{
        uint8_t nonce[IV_SIZE];
        int result = -EIO;

        if (d->sequence == UINT64_MAX) /* section 5.3: must not wrap */
                return -EIO;
        make_nonce(d, nonce);
        switch (r->suite) {
        case RECORD_AES_128_GCM:
                result = aes_gcm(d, encrypt, nonce, header, text, size);
                break;
        case RECORD_CHACHA20_POLY1305:
                result = encrypt ? wc_ChaCha20Poly1305_Encrypt(d->key, nonce, header, HEADER_SIZE, text, size, text,
                                                               text + size)
                                 : wc_ChaCha20Poly1305_Decrypt(d->key, nonce, header, HEADER_SIZE, text, size,
                                                               text + size, text);
                break;
        }
        if (result != 0)
                return -EIO;
        d->sequence++;
        return 0;
}

static void put_header(uint8_t header[HEADER_SIZE], size_t cipher_size)
{
        header[0] = RECORD_DATA;
        header[1] = header[2] = 3; /* legacy_record_version */
        header[3] = (uint8_t)(cipher_size >> 8);
        header[4] = (uint8_t)cipher_size;
}

int record_seal(struct record *r, enum record_type type, struct span plain, uint8_t *out)
{
        put_header(out, plain.size + 1 + TAG_SIZE);
        if (plain.size)
                memcpy(out + HEADER_SIZE, plain.data, plain.size);
        out[HEADER_SIZE + plain.size] = (uint8_t)type;
        if (protect(r, &r->out, true, out, out + HEADER_SIZE, (uint32_t)plain.size + 1) < 0)
                return -EIO;
        return (int)(plain.size + RECORD_OVERHEAD);
}

bool record_update_due(const struct record *r)
{
        return r->update_due || r->out.sequence >= RECORD_UPDATE_AFTER;
}

int record_update(struct record *r, uint8_t *out)
{
        static const uint8_t message[] = { MESSAGE_KEY_UPDATE, 0, 0, 1, UPDATE_NOT_REQUESTED };

        int size = record_seal(r, RECORD_HANDSHAKE, SPAN_OF(message), out);
        if (size < 0 || next_secret(&r->out, r->suite) < 0)
                return -EIO;
        r->update_due = false;
        return size;
}

/* ---- what the peer sends */

static int wrong(struct record *r, enum record_alert alert)
{
        r->alert = (uint8_t)alert;
        return -EPROTO;
}

static int on_alert(struct record *r, struct span alert)
{
        if (alert.size != 2)
                return wrong(r, ALERT_DECODE_ERROR);
        if (alert.data[1] == ALERT_CLOSE_NOTIFY)
                return RECORD_CLOSED;
        if (alert.data[1] == ALERT_USER_CANCELED) /* section 6.1: close_notify follows */
                return 0;
        r->alert = alert.data[1];
        return -ECONNABORTED; /* section 6.2: whatever its level says */
}

static int on_key_update(struct record *r, uint8_t request, bool at_end)
{
        if (!at_end) /* section 5.1: no message may span a change of keys */
                return wrong(r, ALERT_UNEXPECTED_MESSAGE);
        if (request != UPDATE_NOT_REQUESTED && request != UPDATE_REQUESTED)
                return wrong(r, ALERT_ILLEGAL_PARAMETER);
        if (request == UPDATE_REQUESTED)
                r->update_due = true;
        return next_secret(&r->in, r->suite) < 0 ? wrong(r, ALERT_INTERNAL_ERROR) : 0;
}

/* The header of a message after the handshake (section 4.6). Tickets are passed over: sessions are not resumed. */
static int on_message_header(struct record *r)
{
        r->message_left = (uint32_t)r->message[1] << 16 | (uint32_t)r->message[2] << 8 | r->message[3];
        if (r->message[0] == MESSAGE_KEY_UPDATE)
                return r->message_left == 1 ? 0 : wrong(r, ALERT_DECODE_ERROR);
        if (r->message[0] != MESSAGE_NEW_SESSION_TICKET || r->server)
                return wrong(r, ALERT_UNEXPECTED_MESSAGE);
        if (r->message_left == 0)
                return wrong(r, ALERT_DECODE_ERROR);
        return 0;
}

static int on_handshake(struct record *r, struct span bytes)
{
        int result = 0;

        if (bytes.size == 0) /* section 5.1 */
                return wrong(r, ALERT_UNEXPECTED_MESSAGE);
        while (bytes.size && result == 0) {
                if (r->message_fill < sizeof(r->message)) {
                        r->message[r->message_fill++] = bytes.data[0];
                        bytes = span_slice(bytes, 1, bytes.size);
                        if (r->message_fill == sizeof(r->message))
                                result = on_message_header(r);
                        continue;
                }
                size_t part = bytes.size < r->message_left ? bytes.size : r->message_left;
                uint8_t last = bytes.data[part - 1];
                bytes = span_slice(bytes, part, bytes.size);
                r->message_left -= (uint32_t)part;
                if (r->message_left > 0)
                        continue;
                r->message_fill = 0;
                if (r->message[0] == MESSAGE_KEY_UPDATE)
                        result = on_key_update(r, last, bytes.size == 0);
        }
        return result;
}

static int on_content(struct record *r, uint8_t type, struct span content, struct span *data)
{
        if (r->message_fill && type != RECORD_HANDSHAKE) /* section 5.1: no other record between its parts */
                return wrong(r, ALERT_UNEXPECTED_MESSAGE);
        switch (type) {
        case RECORD_DATA:
                *data = content;
                return 0;
        case RECORD_ALERT:
                return on_alert(r, content);
        case RECORD_HANDSHAKE:
                return on_handshake(r, content);
        default:
                return wrong(r, ALERT_UNEXPECTED_MESSAGE);
        }
}

int record_open(struct record *r, uint8_t *bytes, size_t size, size_t *consumed, struct span *data)
{
        struct span content = SPAN_EMPTY;

        if (size < HEADER_SIZE)
                return RECORD_MORE;
        size_t cipher_size = (size_t)bytes[3] << 8 | bytes[4];
        if (bytes[0] != RECORD_DATA) /* all of them are protected now */
                return wrong(r, ALERT_UNEXPECTED_MESSAGE);
        if (cipher_size > CIPHER_MAX)
                return wrong(r, ALERT_RECORD_OVERFLOW);
        if (cipher_size < TAG_SIZE + 1)
                return wrong(r, ALERT_DECODE_ERROR);
        if (size - HEADER_SIZE < cipher_size)
                return RECORD_MORE;
        uint8_t *text = bytes + HEADER_SIZE;
        size_t plain = cipher_size - TAG_SIZE;
        if (protect(r, &r->in, false, bytes, text, (uint32_t)plain) < 0)
                return wrong(r, ALERT_BAD_RECORD_MAC);
        while (plain && text[plain - 1] == 0) /* padding */
                plain--;
        if (plain == 0)
                return wrong(r, ALERT_UNEXPECTED_MESSAGE);
        if (plain > RECORD_PLAIN_MAX + 1)
                return wrong(r, ALERT_RECORD_OVERFLOW);
        int result = on_content(r, text[plain - 1], span_of(text, plain - 1), &content);
        if (result < 0)
                return result;
        *consumed = HEADER_SIZE + cipher_size;
        *data = content;
        return result;
}

const char *record_alert_name(uint8_t alert)
{
        static const struct {
                uint8_t number;
                const char *name;
        } names[] = {
                { ALERT_UNEXPECTED_MESSAGE, "unexpected message" },
                { ALERT_BAD_RECORD_MAC, "bad record MAC" },
                { ALERT_RECORD_OVERFLOW, "record overflow" },
                { 40, "handshake failure" },
                { 42, "bad certificate" },
                { 43, "unsupported certificate" },
                { 44, "certificate revoked" },
                { 45, "certificate expired" },
                { 46, "certificate unknown" },
                { ALERT_ILLEGAL_PARAMETER, "illegal parameter" },
                { 48, "unknown CA" },
                { 49, "access denied" },
                { ALERT_DECODE_ERROR, "decode error" },
                { 51, "decrypt error" },
                { ALERT_INTERNAL_ERROR, "internal error" },
                { 116, "certificate required" },
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (names[i].number == alert)
                        return names[i].name;
        return "unknown";
}
