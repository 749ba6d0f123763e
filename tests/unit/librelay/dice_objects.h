/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* One device with a fixed secret (0x11, 32 times) and what runs on it, for tests of DICE and DICE-1. */
#include "objects.h"
#include "relay/attest.h"

/* its device certificate, O=Example CN=device-1; made by tests/system/relaydice.py */
#define SAMPLE_DEVICE_CERTIFICATE                                                                          \
        "308201ba3082016ca003020102020101300506032b6570302c3110300e060355040a0c074578616d706c653118301606" \
        "035504030c0f666163746f72792e6578616d706c653020170d3236303130313030303030305a180f3231323531323038" \
        "3030303030305a30253110300e060355040a0c074578616d706c653111300f06035504030c086465766963652d31302a" \
        "300506032b6570032100db0b4bafba7363c04f14d82fbdfb8e8eae52c30ea69fb67187f6df3a1ff1e5bca381b73081b4" \
        "30120603551d130101ff040830060101ff020100300e0603551d0f0101ff040403020204301d0603551d0e041604147d" \
        "cfd9efb61bcd17500636cd4232d7443f8ebbe3301f0603551d23041830168014776fe3beed4249a7b0d6d44db3c318ab" \
        "afc7eb3130130603551d25040c300a06082b0601050507030230390603551d1e0101ff042f302da02b3029a427302531" \
        "10300e060355040a0c074578616d706c653111300f06035504030c086465766963652d31300506032b65700341008af7" \
        "06b9fc805c8214f4855965a3092943a0c9386bf83581779691121fe7cb6ee2d37bbb5d07630f801d9baf840b6788c881" \
        "0afd3a10cc4d9ace328bb36a960f"

struct dice_device {
        uint8_t identity_seed[ED25519_SEED_SIZE], seed[ED25519_SEED_SIZE];
        struct public_key identity, key; /* of the identity, of the application */
        struct dice_measurement measurement;
};
struct dice_device dice_device(enum dice_mode mode);
/* its CDI certificate */
struct span dice_certificate(const struct dice_device *device, uint8_t out[DICE_CERTIFICATE_MAX]);
/* signs with its application key; device has to outlive it */
struct signer dice_signer(struct dice_device *device);
