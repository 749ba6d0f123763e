/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/span.h"

#include <string.h>

struct span span_of_string(const char *text)
{
        return text ? (struct span){ (const uint8_t *)text, strlen(text) } : SPAN_EMPTY;
}

struct span span_of(const void *data, size_t size)
{
        return (struct span){ data, size };
}

struct span span_slice(struct span s, size_t from, size_t size)
{
        if (from >= s.size)
                return SPAN_EMPTY;
        if (size > s.size - from)
                size = s.size - from;
        return (struct span){ s.data + from, size };
}

bool span_equal(struct span a, struct span b)
{
        return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool span_equal_string(struct span a, const char *text)
{
        return span_equal(a, span_of_string(text));
}

int span_compare(struct span a, struct span b)
{
        size_t common = a.size < b.size ? a.size : b.size;
        int order = common ? memcmp(a.data, b.data, common) : 0;

        if (order != 0)
                return order;
        return (a.size > b.size) - (a.size < b.size);
}

bool span_equal_constant_time(struct span a, struct span b)
{
        volatile uint8_t difference = 0;

        if (a.size != b.size)
                return false;
        for (size_t i = 0; i < a.size; i++)
                difference = (uint8_t)(difference | (a.data[i] ^ b.data[i]));
        return difference == 0;
}

bool span_to_string(struct span s, char *out, size_t out_size)
{
        bool ok = s.size < out_size;

        for (size_t i = 0; ok && i < s.size; i++)
                ok = s.data[i] != 0;
        if (!ok) {
                if (out_size)
                        out[0] = 0;
                return false;
        }
        if (s.size)
                memcpy(out, s.data, s.size);
        out[s.size] = 0;
        return true;
}

char *span_to_hex(struct span s, char *out, size_t out_size)
{
        static const char digits[] = "0123456789abcdef";
        size_t at = 0;

        for (size_t i = 0; i < s.size && at + 2 < out_size; i++) {
                out[at++] = digits[s.data[i] >> 4];
                out[at++] = digits[s.data[i] & 15];
        }
        if (out_size)
                out[at] = 0;
        return out;
}

static int hex_value(uint8_t digit)
{
        if (digit >= '0' && digit <= '9')
                return digit - '0';
        if (digit >= 'a' && digit <= 'f')
                return digit - 'a' + 10;
        if (digit >= 'A' && digit <= 'F')
                return digit - 'A' + 10;
        return -1;
}

bool span_from_hex(struct span hex, uint8_t *out, size_t out_size)
{
        if (hex.size / 2 != out_size || hex.size % 2 != 0)
                return false;
        for (size_t i = 0; i < hex.size; i++)
                if (hex_value(hex.data[i]) < 0)
                        return false;
        for (size_t i = 0; i < out_size; i++)
                out[i] = (uint8_t)(hex_value(hex.data[2 * i]) << 4 | hex_value(hex.data[2 * i + 1]));
        return true;
}

/* bytes of the character at the front of s, 0 if it is none (RFC 3629 section 4) */
static size_t utf8_character(const uint8_t *s, size_t left)
{
        uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte */
        size_t size;

        if (s[0] < 0x80)
                return s[0] != 0;
        if (s[0] < 0xc2 || s[0] > 0xf4)
                return 0;
        size = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
        if (s[0] == 0xe0)
                low = 0xa0; /* shorter form exists */
        else if (s[0] == 0xed)
                high = 0x9f; /* surrogates */
        else if (s[0] == 0xf0)
                low = 0x90;
        else if (s[0] == 0xf4)
                high = 0x8f; /* above U+10FFFF */
        if (size > left || s[1] < low || s[1] > high)
                return 0;
        for (size_t i = 2; i < size; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        return size;
}

/* most strings are ASCII: eight bytes at once, none of them 0 */
static bool is_ascii_8(const uint8_t *p)
{
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        return ((word | (word - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080)) == 0;
}

bool span_is_utf8(struct span s)
{
        for (size_t at = 0; at < s.size;) {
                if (s.size - at >= 8 && is_ascii_8(s.data + at)) {
                        at += 8;
                        continue;
                }
                bool ascii = s.data[at] - 1u < 0x7f;
                size_t size = ascii ? 1 : utf8_character(s.data + at, s.size - at);
                if (size == 0)
                        return false;
                at += size;
        }
        return true;
}
