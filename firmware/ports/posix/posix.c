/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files, clock, entropy and log of a Linux process that plays a device. */

#include "ports/posix/posix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "relay/key.h"

#define KEY_FILE_MAX   4096
#define CHAIN_FILE_MAX 16384

int posix_read_file(const char *path, size_t max, uint8_t **data, size_t *size)
{
        FILE *file = fopen(path, "rbe");
        if (!file)
                return -errno;
        uint8_t *bytes = malloc(max + 1);
        size_t n = bytes ? fread(bytes, 1, max + 1, file) : 0;
        int r = !bytes ? -ENOMEM : ferror(file) ? -EIO : n > max ? -EFBIG : 0;
        fclose(file);
        if (r < 0) {
                free(bytes);
                return r;
        }
        *data = bytes;
        *size = n;
        return 0;
}

static int base64_value(char c)
{
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
        return at ? (int)(at - alphabet) : -1;
}

/* decodes up to size bytes, skipping line ends; returns how many */
static size_t base64_decode(const char *text, uint8_t *out, size_t size)
{
        uint32_t bits = 0;
        unsigned count = 0;
        size_t n = 0;

        for (; *text != '\0' && *text != '-' && *text != '=' && n < size; text++) {
                int value = base64_value(*text);
                if (value < 0)
                        continue;
                bits = bits << 6 | (uint32_t)value;
                count += 6;
                if (count >= 8) {
                        count -= 8;
                        out[n++] = (uint8_t)(bits >> count);
                }
        }
        return n;
}

int posix_read_key(const char *path, uint8_t seed[ED25519_SEED_SIZE])
{
        static const uint8_t head[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                        0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
        static const char begin[] = "-----BEGIN PRIVATE KEY-----";
        uint8_t der[sizeof(head) + ED25519_SEED_SIZE], *data;
        size_t size;

        int r = posix_read_file(path, KEY_FILE_MAX, &data, &size);
        if (r < 0)
                return r;
        data[size] = '\0'; /* the buffer has one byte more than the largest file */
        const char *start = strstr((const char *)data, begin);
        size_t n = start ? base64_decode(start + strlen(begin), der, sizeof(der)) : 0;
        r = n == sizeof(der) && memcmp(der, head, sizeof(head)) == 0 ? 0 : -EINVAL;
        if (r == 0)
                memcpy(seed, der + sizeof(head), ED25519_SEED_SIZE);
        crypto_wipe(der, sizeof(der));
        crypto_wipe(data, size);
        free(data);
        return r;
}

int posix_read_certificates(const char *path, struct span *certificates, size_t max, size_t *count, uint8_t **data)
{
        static const char begin[] = "-----BEGIN CERTIFICATE-----";
        uint8_t *text;
        size_t size, at = 0, found = 0;

        int r = posix_read_file(path, CHAIN_FILE_MAX, &text, &size);
        if (r < 0)
                return r;
        text[size] = '\0';
        /* DER is shorter than its PEM, and goes where that was read already */
        for (char *from = strstr((char *)text, begin), *next; from; from = next) {
                if (found == max) {
                        free(text);
                        return -E2BIG;
                }
                from += strlen(begin);
                next = strstr(from, begin);
                size_t n = base64_decode(from, text + at, size - at);
                certificates[found++] = span_of(text + at, n);
                at += n;
        }
        if (found == 0) {
                free(text);
                return -EINVAL;
        }
        *count = found;
        *data = text;
        return 0;
}

int posix_write_file(const char *path, struct span bytes)
{
        FILE *file = fopen(path, "wbxe");
        if (!file)
                return -errno;
        size_t n = fwrite(bytes.data, 1, bytes.size, file);
        return fclose(file) == 0 && n == bytes.size ? 0 : -EIO;
}

int posix_write_public_key(const char *path, const struct public_key *key)
{
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        uint8_t spki[KEY_SPKI_MAX + 2] = { 0 };
        char text[256];
        size_t size = key_to_spki(key, spki), at = 0;

        at += (size_t)snprintf(text, sizeof(text), "-----BEGIN PUBLIC KEY-----\n");
        for (size_t i = 0; i < size; i += 3) {
                uint32_t bits = (uint32_t)spki[i] << 16 | (uint32_t)spki[i + 1] << 8 | spki[i + 2];
                for (unsigned digit = 0; digit < 4; digit++)
                        text[at++] = i + digit > size ? '=' : alphabet[bits >> (18 - 6 * digit) & 0x3f];
        }
        at += (size_t)snprintf(text + at, sizeof(text) - at, "\n-----END PUBLIC KEY-----\n");
        return posix_write_file(path, span_of(text, at));
}

static uint64_t now_ms(void *context)
{
        struct timespec ts;

        (void)context;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct port_clock posix_clock(void)
{
        return (struct port_clock){ .now_ms = now_ms };
}

static int fill(void *context, void *out, size_t size)
{
        (void)context;
        return getrandom(out, size, 0) == (ssize_t)size ? 0 : PORT_E_IO;
}

struct port_entropy posix_entropy(void)
{
        return (struct port_entropy){ .fill = fill };
}

static void line(void *context, enum port_log_level level, const char *text)
{
        static const int priorities[] = { 3, 4, 6, 7 };

        fprintf(stderr, "<%d>%s: %s\n", priorities[level], (const char *)context, text);
}

struct port_log posix_log(const char *name)
{
        return (struct port_log){ .line = line, .context = (void *)name };
}

char *posix_format_digest(const uint8_t digest[SHA256_SIZE], char out[POSIX_DIGEST_SIZE])
{
        char *at = out;

        for (size_t i = 0; i < SHA256_SIZE; i += 2)
                at += sprintf(at, "%s%02x%02x", i > 0 ? " " : "", digest[i], digest[i + 1]);
        return out;
}
