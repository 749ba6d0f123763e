/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ed25519 keys as OpenSSH writes them. */

#include "tls/sshkey.h"

#include <errno.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/coding.h>

#define KEY_TYPE     SPAN_LITERAL("ssh-ed25519")
#define ED25519_SIZE 32
#define LINE_MAX     512 /* bytes of Base64; ours takes 68 */

static struct span read_string(struct reader *r)
{
        return reader_bytes(r, reader_u32(r));
}

static void write_string(struct writer *w, struct span bytes)
{
        writer_u32(w, (uint32_t)bytes.size);
        writer_bytes(w, bytes);
}

int ssh_blob_read(struct span blob, struct public_key *key)
{
        struct reader r;

        reader_init(&r, blob);
        struct span type = read_string(&r);
        if (r.result == RELAY_OK && !span_equal(type, KEY_TYPE))
                return RELAY_E_UNSUPPORTED;
        struct span bytes = read_string(&r);
        if (reader_finish(&r) != RELAY_OK)
                return r.result != RELAY_OK ? r.result : RELAY_E_MALFORMED;
        if (bytes.size != ED25519_SIZE)
                return RELAY_E_MALFORMED;
        *key = (struct public_key){ .type = KEY_ED25519 };
        memcpy(key->bytes, bytes.data, ED25519_SIZE);
        return RELAY_OK;
}

void ssh_blob_write(const struct public_key *key, uint8_t blob[SSH_BLOB_SIZE])
{
        struct writer w;

        writer_init(&w, blob, SSH_BLOB_SIZE);
        write_string(&w, KEY_TYPE);
        write_string(&w, span_of(key->bytes, ED25519_SIZE));
}

char *ssh_fingerprint(const struct public_key *key, char out[SSH_FINGERPRINT_SIZE])
{
        uint8_t blob[SSH_BLOB_SIZE], digest[SHA256_SIZE] = { 0 };
        byte text[64] = "";
        word32 size = sizeof(text) - 1;

        ssh_blob_write(key, blob);
        memcpy(out, "SHA256:", 8);
        if (crypto_sha256(SPAN_OF(blob), digest) != RELAY_OK ||
            Base64_Encode_NoNl(digest, sizeof(digest), text, &size) != 0)
                return out;
        memcpy(out + 7, text, 43); /* without the padding */
        out[SSH_FINGERPRINT_SIZE - 1] = '\0';
        return out;
}

/* "TYPE BASE64": a type that OpenSSH could have written; *body is the Base64 */
static bool take_line(struct span text, struct span *type, struct span *body)
{
        size_t size = 0, blank;

        while (size < text.size && text.data[size] != '\n' && text.data[size] != '\r')
                size++;
        for (blank = 0; blank < size && text.data[blank] != ' '; blank++)
                if (text.data[blank] <= ' ' || text.data[blank] >= 0x7f)
                        return false;
        *type = span_of(text.data, blank);
        *body = span_slice(span_of(text.data, size), blank + 1, size);
        for (size_t i = 0; i < body->size; i++)
                if (body->data[i] == ' ' || body->data[i] == '\t')
                        body->size = i;
        return (blank > 4 && memcmp(text.data, "ssh-", 4) == 0) || (blank > 6 && memcmp(text.data, "ecdsa-", 6) == 0) ||
               (blank > 3 && memcmp(text.data, "sk-", 3) == 0);
}

int ssh_line_read(struct span text, struct public_key *key)
{
        uint8_t blob[LINE_MAX];
        word32 size = sizeof(blob);
        struct span type, body;

        if (!take_line(text, &type, &body))
                return -ENOENT;
        if (!span_equal(type, KEY_TYPE) || body.size == 0 || body.size > LINE_MAX ||
            Base64_Decode(body.data, (word32)body.size, blob, &size) != 0)
                return -EBADMSG;
        return ssh_blob_read(span_of(blob, size), key) == RELAY_OK ? 0 : -EBADMSG;
}
