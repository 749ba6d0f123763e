/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dice_objects.h"

struct dice_device dice_device(enum dice_mode mode)
{
        struct dice_device device = { .measurement = { .sequence = 7, .mode = mode } };
        uint8_t uds[DICE_SECRET_SIZE], cdi[DICE_SECRET_SIZE];

        memset(uds, 0x11, sizeof(uds));
        memset(device.measurement.image, 0x1a, sizeof(device.measurement.image));
        memset(device.measurement.manifest, 0x3a, sizeof(device.measurement.manifest));
        memset(device.measurement.class_id, 0xc1, sizeof(device.measurement.class_id));
        memset(device.measurement.vendor, 0xe5, sizeof(device.measurement.vendor));
        assert_int_equal(dice_key_seed(uds, device.identity_seed), RELAY_OK);
        assert_int_equal(crypto_ed25519_public(device.identity_seed, &device.identity), RELAY_OK);
        assert_int_equal(dice_cdi_attest(uds, &device.measurement, cdi), RELAY_OK);
        assert_int_equal(dice_key_seed(cdi, device.seed), RELAY_OK);
        assert_int_equal(crypto_ed25519_public(device.seed, &device.key), RELAY_OK);
        return device;
}

struct span dice_certificate(const struct dice_device *device, uint8_t out[DICE_CERTIFICATE_MAX])
{
        struct writer w;

        writer_init(&w, out, DICE_CERTIFICATE_MAX);
        assert_int_equal(dice_write_certificate(&w, device->identity_seed, &device->key, &device->measurement),
                         RELAY_OK);
        return writer_span(&w);
}

static int sign(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, sig);
}

struct signer dice_signer(struct dice_device *device)
{
        return (struct signer){ .key = device->key, .sign = sign, .context = device->seed };
}
