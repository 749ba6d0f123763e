/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Decoding a packet written in hexadecimal.
 */

#include "hex.h"

#include "relay/mqtt.h"

#define MAX 100000

/* Decodes an exact-size heap copy, so that the sanitizer sees a read past the end. */
static inline int decode(const char *text, int version, struct mqtt_packet *out, uint8_t *reason)
{
        static uint8_t *copy;
        uint8_t bytes[HEX_MAX];
        size_t size = hex_bytes(text, bytes), consumed = 0;
        free(copy);
        copy = malloc(size ? size : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        int result = mqtt_decode(span_of(copy, size), version, MAX, out, &consumed, reason);
        if (result == RELAY_OK || (result < 0 && consumed > 0)) /* the text means one whole packet */
                assert_int_equal(consumed, size);
        return result;
}
