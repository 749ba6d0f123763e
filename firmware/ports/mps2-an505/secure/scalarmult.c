/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Multiples of Ed25519's points in little code, in place of wolfCrypt's (--wrap), which needs 35 KB with its tables,
 * or, in its small variant, ten times as long. One formula for sums and doubles alike (RFC 8032 section 5.1.4, which is
 * complete), the same steps whatever the scalars, so that time tells nothing about them.
 */

#include <stdint.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/ge_operations.h>

#define SCALAR_BITS 255

/* 2 * d of the curve's equation, and the base point: y, and x as the sign that belongs to it */
static const uint8_t twice_d[32] = { 0x59, 0xf1, 0xb2, 0x26, 0x94, 0x9b, 0xd6, 0xeb, 0x56, 0xb1, 0x83,
                                     0x82, 0x9a, 0x14, 0xe0, 0x00, 0x30, 0xd1, 0xf3, 0xee, 0xf2, 0x80,
                                     0x8e, 0x19, 0xe7, 0xfc, 0xdf, 0x56, 0xdc, 0xd9, 0x06, 0x24 };
static const uint8_t base_x[32] = { 0x1a, 0xd5, 0x25, 0x8f, 0x60, 0x2d, 0x56, 0xc9, 0xb2, 0xa7, 0x25,
                                    0x95, 0x60, 0xc7, 0x2c, 0x69, 0x5c, 0xdc, 0xd6, 0xfd, 0x31, 0xe2,
                                    0xa4, 0xc0, 0xfe, 0x53, 0x6e, 0xcd, 0xd3, 0x36, 0x69, 0x21 };
static const uint8_t base_y[32] = { 0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 };

void __wrap_ge_scalarmult_base(ge_p3 *out, const unsigned char *scalar);
int __wrap_ge_double_scalarmult_vartime(ge_p2 *out, const unsigned char *a, const ge_p3 *point, const unsigned char *b);

/* out may be p or q */
static void add(ge_p3 *out, const ge_p3 *p, const ge_p3 *q, const fe k)
{
        fe a, b, c, d, t;

        fe_sub(a, p->Y, p->X);
        fe_sub(t, q->Y, q->X);
        fe_mul(a, a, t);
        fe_add(b, p->Y, p->X);
        fe_add(t, q->Y, q->X);
        fe_mul(b, b, t);
        fe_mul(c, p->T, k);
        fe_mul(c, c, q->T);
        fe_mul(d, p->Z, q->Z);
        fe_add(d, d, d);
        fe_sub(t, b, a); /* E */
        fe_add(b, b, a); /* H */
        fe_sub(a, d, c); /* F */
        fe_add(d, d, c); /* G */
        fe_mul(out->X, t, a);
        fe_mul(out->Y, d, b);
        fe_mul(out->T, t, b);
        fe_mul(out->Z, a, d);
}

static void select(ge_p3 *out, const ge_p3 *other, int use_other)
{
        fe_cmov(out->X, other->X, use_other);
        fe_cmov(out->Y, other->Y, use_other);
        fe_cmov(out->Z, other->Z, use_other);
        fe_cmov(out->T, other->T, use_other);
}

static void set(ge_p3 *out, const uint8_t x[32], const uint8_t y[32])
{
        fe_frombytes(out->X, x);
        fe_frombytes(out->Y, y);
        fe_1(out->Z);
        fe_mul(out->T, out->X, out->Y);
}

static void set_zero(ge_p3 *out)
{
        fe_0(out->X);
        fe_1(out->Y);
        fe_1(out->Z);
        fe_0(out->T);
}

/* table[i + 2 * j]: what bits i of a and j of b add; without b it has two entries */
static void multiply(ge_p3 *out, const ge_p3 *table, const uint8_t *a, const uint8_t *b, const fe k)
{
        set_zero(out);
        for (int bit = SCALAR_BITS - 1; bit >= 0; bit--) {
                int index = a[bit / 8] >> (bit % 8) & 1;
                ge_p3 addend = table[0];

                if (b)
                        index |= (b[bit / 8] >> (bit % 8) & 1) << 1;
                for (int i = 1; i < (b ? 4 : 2); i++)
                        select(&addend, &table[i], i == index);
                add(out, out, out, k);
                add(out, out, &addend, k);
        }
}

void __wrap_ge_scalarmult_base(ge_p3 *out, const unsigned char *scalar)
{
        ge_p3 table[2];
        fe k;

        fe_frombytes(k, twice_d);
        set_zero(&table[0]);
        set(&table[1], base_x, base_y);
        multiply(out, table, scalar, NULL, k);
}

/* a * point + b * base */
int __wrap_ge_double_scalarmult_vartime(ge_p2 *out, const unsigned char *a, const ge_p3 *point, const unsigned char *b)
{
        ge_p3 table[4], sum;
        fe k;

        fe_frombytes(k, twice_d);
        set_zero(&table[0]);
        table[1] = *point;
        set(&table[2], base_x, base_y);
        add(&table[3], &table[1], &table[2], k);
        multiply(&sum, table, a, b, k);
        fe_copy(out->X, sum.X);
        fe_copy(out->Y, sum.Y);
        fe_copy(out->Z, sum.Z);
        return 0;
}
