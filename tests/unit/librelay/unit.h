/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What every test of librelay includes: cmocka in its order, hexadecimal, rows of tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/span.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* bytes of a hexadecimal literal in a test's own buffer */
static inline struct span unhex(const char *hex, uint8_t *out, size_t out_size)
{
        size_t size = strlen(hex) / 2;

        assert_true(size <= out_size);
        assert_true(span_from_hex(span_of_string(hex), out, size));
        return span_of(out, size);
}

static inline void assert_span_equal(struct span a, struct span b)
{
        assert_int_equal(a.size, b.size);
        if (a.size)
                assert_memory_equal(a.data, b.data, a.size);
}
