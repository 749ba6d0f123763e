/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/pem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "relay/crypto.h"
#include "util/cleanup.h"

#define BEGIN_MARK "-----BEGIN "
#define END_MARK   "-----END "
#define DASHES     "-----"

static const uint8_t *find(struct span text, const char *needle)
{
        return text.size ? memmem(text.data, text.size, needle, strlen(needle)) : NULL;
}

static struct span from(struct span text, const uint8_t *at)
{
        return span_of(at, (size_t)(text.data + text.size - at));
}

static int decode_base64(struct span body, uint8_t **der, size_t *size)
{
        word32 room = (word32)(body.size + 4);
        uint8_t *out = malloc(room);

        if (!out)
                return -ENOMEM;
        if (body.size == 0 || Base64_Decode(body.data, (word32)body.size, out, &room) != 0 || room == 0) {
                free(out);
                return -EBADMSG;
        }
        *der = out;
        *size = room;
        return 0;
}

int pem_next(struct span *text, char label[32], uint8_t **der, size_t *size)
{
        const uint8_t *begin = find(*text, BEGIN_MARK);
        char end_line[64], found[32];

        if (!begin)
                return 1;
        struct span rest = from(*text, begin + strlen(BEGIN_MARK));
        const uint8_t *label_end = find(rest, DASHES);
        if (!label_end || !span_to_string(span_of(rest.data, (size_t)(label_end - rest.data)), found, sizeof(found)))
                return -EBADMSG;
        rest = from(rest, label_end + strlen(DASHES));

        snprintf(end_line, sizeof(end_line), END_MARK "%s" DASHES, found);
        const uint8_t *end = find(rest, end_line);
        if (!end)
                return -EBADMSG;
        int r = decode_base64(span_of(rest.data, (size_t)(end - rest.data)), der, size);
        if (r < 0)
                return r;
        strcpy(label, found);
        *text = from(rest, end + strlen(end_line));
        return 0;
}

int pem_find(struct span text, const char *label, uint8_t **der, size_t *size)
{
        char found[32];

        for (;;) {
                uint8_t *block = NULL;
                size_t block_size = 0;
                int r = pem_next(&text, found, &block, &block_size);
                if (r != 0)
                        return r == 1 ? -ENOENT : r;
                if (strcmp(found, label) == 0) {
                        *der = block;
                        *size = block_size;
                        return 0;
                }
                crypto_wipe(block, block_size);
                free(block);
        }
}

char *pem_encode(const char *label, struct span der)
{
        word32 size = 0;

        if (Base64_Encode(der.data, (word32)der.size, NULL, &size) != LENGTH_ONLY_E)
                return NULL;
        _cleanup_free_ char *body = malloc((size_t)size + 1);
        if (!body || Base64_Encode(der.data, (word32)der.size, (byte *)body, &size) != 0)
                return NULL;
        body[size] = 0;

        char *text = NULL;
        int n = asprintf(&text, BEGIN_MARK "%s" DASHES "\n%s" END_MARK "%s" DASHES "\n", label, body, label);
        crypto_wipe(body, size);
        return n < 0 ? NULL : text;
}
