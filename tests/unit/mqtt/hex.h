/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Packets in tests are written as hexadecimal text with spaces; 'text' stands for its letters, ?? as second byte for
 * the remaining length, and ( ) for a property list with its length (both one byte).
 */

#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/span.h"

#define HEX_MAX 2048

/* "30 05 0003 'a/b'": gives the number of bytes */
static inline size_t hex_bytes(const char *text, uint8_t out[HEX_MAX])
{
        size_t size = 0, list = 0;
        bool fill = false;
        while (*text) {
                if (*text == '\'') {
                        for (text++; *text != '\''; text++)
                                out[size++] = (uint8_t)*text;
                        text++;
                } else if (isxdigit((unsigned char)*text)) {
                        char digits[3] = { text[0], text[1], 0 };
                        assert_true(isxdigit((unsigned char)text[1]));
                        out[size++] = (uint8_t)strtoul(digits, NULL, 16);
                        text += 2;
                } else if (*text == '(') {
                        list = size;
                        out[size++] = 0;
                        text++;
                } else if (*text == ')') {
                        out[list] = (uint8_t)(size - list - 1);
                        text++;
                } else if (*text == '?') {
                        assert_int_equal(size, 1);
                        fill = true;
                        out[size++] = 0;
                        text += 2;
                } else {
                        text++;
                }
                assert_true(size < HEX_MAX);
        }
        if (fill)
                out[1] = (uint8_t)(size - 2);
        return size;
}
