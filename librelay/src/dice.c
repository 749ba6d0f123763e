/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Open Profile for DICE derives. Section names are those of its version 2.5.
 */
#include <string.h>

#include "dice_internal.h"

/* "Salt" */
static const uint8_t asym_salt[SHA512_SIZE] = {
        0x63, 0xb6, 0xa0, 0x4d, 0x2c, 0x07, 0x7f, 0xc1, 0x0f, 0x63, 0x9f, 0x21, 0xda, 0x79, 0x38, 0x44,
        0x35, 0x6c, 0xc2, 0xb0, 0xb4, 0x41, 0xb3, 0xa7, 0x71, 0x24, 0x03, 0x5c, 0x03, 0xf8, 0xe1, 0xbe,
        0x60, 0x35, 0xd3, 0x1f, 0x28, 0x28, 0x21, 0xa7, 0x45, 0x0a, 0x02, 0x22, 0x2a, 0xb1, 0xb3, 0xcf,
        0xf1, 0x67, 0x9b, 0x05, 0xab, 0x1c, 0xa5, 0xd1, 0xaf, 0xfb, 0x78, 0x9c, 0xcd, 0x2b, 0x0b, 0x3b,
};
static const uint8_t id_salt[SHA512_SIZE] = {
        0xdb, 0xdb, 0xae, 0xbc, 0x80, 0x20, 0xda, 0x9f, 0xf0, 0xdd, 0x5a, 0x24, 0xc8, 0x3a, 0xa5, 0xa5,
        0x42, 0x86, 0xdf, 0xc2, 0x63, 0x03, 0x1e, 0x32, 0x9b, 0x4d, 0xa1, 0x48, 0x43, 0x06, 0x59, 0xfe,
        0x62, 0xcd, 0xb5, 0xb7, 0xe1, 0xe0, 0x0f, 0xc6, 0x80, 0x30, 0x67, 0x11, 0xeb, 0x44, 0x4a, 0xf7,
        0x72, 0x09, 0x35, 0x94, 0x96, 0xfc, 0xff, 0x1d, 0xb9, 0x52, 0x0b, 0xa5, 0x1c, 0x7b, 0x29, 0xea,
};

/* "Asymmetric Key Pair Derivation" */
int dice_key_seed(const uint8_t secret[DICE_SECRET_SIZE], uint8_t seed[ED25519_SEED_SIZE])
{
        return crypto_hkdf_sha512(span_of(secret, DICE_SECRET_SIZE), SPAN_OF(asym_salt), SPAN_LITERAL("Key Pair"), seed,
                                  ED25519_SEED_SIZE);
}

/* "Deriving Identifiers" */
int dice_id(const struct public_key *key, uint8_t id[DICE_ID_SIZE])
{
        int result;

        if (key->type != KEY_ED25519)
                return RELAY_E_KEY;
        result = crypto_hkdf_sha512(span_of(key->bytes, 32), SPAN_OF(id_salt), SPAN_LITERAL("ID"), id, DICE_ID_SIZE);
        if (result == RELAY_OK)
                id[0] &= 0x7f;
        return result;
}

/* "Attestation CDI" */
int dice_cdi_attest_of(const uint8_t uds[DICE_SECRET_SIZE], const struct dice_inputs *inputs,
                       uint8_t cdi[DICE_SECRET_SIZE])
{
        const struct span parts[] = { SPAN_OF(inputs->code),
                                      SPAN_OF(inputs->configuration),
                                      SPAN_OF(inputs->authority),
                                      { &inputs->mode, 1 },
                                      SPAN_OF(inputs->hidden) };
        uint8_t measured[SHA512_SIZE];
        int result = crypto_sha512(parts, sizeof(parts) / sizeof(parts[0]), measured);

        if (result != RELAY_OK)
                return result;
        return crypto_hkdf_sha512(span_of(uds, DICE_SECRET_SIZE), SPAN_OF(measured), SPAN_LITERAL("CDI_Attest"), cdi,
                                  DICE_SECRET_SIZE);
}

int dice_cdi_attest(const uint8_t uds[DICE_SECRET_SIZE], const struct dice_measurement *measurement,
                    uint8_t cdi[DICE_SECRET_SIZE])
{
        struct dice_descriptors descriptors;
        struct dice_inputs inputs;
        int result;

        dice_describe(measurement, &descriptors);
        result = dice_hash_descriptors(&descriptors, &inputs);
        return result == RELAY_OK ? dice_cdi_attest_of(uds, &inputs, cdi) : result;
}

int dice_rotated_secret(const uint8_t uds[DICE_SECRET_SIZE], uint32_t number, uint8_t out[DICE_SECRET_SIZE])
{
        static const char prefix[] = "rotation ";
        char digits[10], info[sizeof(prefix) - 1 + sizeof(digits)];
        size_t count = 0, size = sizeof(prefix) - 1;

        if (number == 0) {
                memcpy(out, uds, DICE_SECRET_SIZE);
                return RELAY_OK;
        }
        for (; number > 0; number /= 10)
                digits[count++] = (char)('0' + number % 10);
        memcpy(info, prefix, size);
        while (count > 0)
                info[size++] = digits[--count];
        return crypto_hkdf_sha512(span_of(uds, DICE_SECRET_SIZE), SPAN_EMPTY, span_of(info, size), out,
                                  DICE_SECRET_SIZE);
}

/* ---- descriptors: the meaning of the inputs here */

enum { CONFIGURATION_VERSION = 0, CONFIGURATION_CLASS = 1, CONFIGURATION_SEQUENCE = 2 };

void dice_describe(const struct dice_measurement *measurement, struct dice_descriptors *out)
{
        struct writer w;

        memcpy(out->code, measurement->image, SHA256_SIZE);
        memcpy(out->code + SHA256_SIZE, measurement->manifest, SHA256_SIZE);
        writer_init(&w, out->configuration, sizeof(out->configuration));
        cbor_put_map(&w, 3);
        cbor_put_uint(&w, CONFIGURATION_VERSION);
        cbor_put_uint(&w, 1);
        cbor_put_uint(&w, CONFIGURATION_CLASS);
        cbor_put_bstr(&w, SPAN_OF(measurement->class_id));
        cbor_put_uint(&w, CONFIGURATION_SEQUENCE);
        cbor_put_uint(&w, measurement->sequence);
        out->configuration_size = writer_needed(&w);
        memcpy(out->authority, measurement->vendor, SHA256_SIZE);
        out->mode = (uint8_t)measurement->mode;
}

static int get_configuration(struct span in, struct dice_measurement *out)
{
        struct cbor_map m;
        struct reader r;
        int64_t label;

        reader_init(&r, in);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label)) {
                switch (label) {
                case CONFIGURATION_VERSION:
                        cbor_get_version(&r, 1);
                        break;
                case CONFIGURATION_CLASS:
                        cbor_get_bstr_exact(&r, out->class_id, sizeof(out->class_id));
                        break;
                case CONFIGURATION_SEQUENCE:
                        out->sequence = cbor_get_uint(&r);
                        break;
                default:
                        reader_fail(&r, RELAY_E_UNSUPPORTED);
                        break;
                }
        }
        cbor_map_require(&m, 0x07);
        return reader_finish(&r);
}

int dice_undescribe(const struct dice_descriptors *in, struct dice_measurement *out)
{
        struct dice_measurement measurement = { .mode = (enum dice_mode)in->mode };
        int result = get_configuration(span_of(in->configuration, in->configuration_size), &measurement);

        if (result != RELAY_OK)
                return result;
        if (in->mode > DICE_MODE_RECOVERY)
                return RELAY_E_MALFORMED;
        memcpy(measurement.image, in->code, SHA256_SIZE);
        memcpy(measurement.manifest, in->code + SHA256_SIZE, SHA256_SIZE);
        memcpy(measurement.vendor, in->authority, SHA256_SIZE);
        *out = measurement;
        return RELAY_OK;
}

int dice_hash_descriptors(const struct dice_descriptors *in, struct dice_inputs *out)
{
        const struct span code = SPAN_OF(in->code), authority = SPAN_OF(in->authority),
                          configuration = span_of(in->configuration, in->configuration_size);
        int result;

        *out = (struct dice_inputs){ .mode = in->mode };
        result = crypto_sha512(&code, 1, out->code);
        if (result == RELAY_OK)
                result = crypto_sha512(&configuration, 1, out->configuration);
        if (result == RELAY_OK)
                result = crypto_sha512(&authority, 1, out->authority);
        return result;
}
