/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Factory list: which devices a vendor made, as a site imports them. Not signed: whoever imports it vouches for it.
 *
 *     factory-list = { 0: 1, 1: vendor id (bstr 16),
 *                      2: [+ { 0: identity (tstr), 1: COSE_Key, 2: class id (bstr 16), ? 3: false,
 *                              ? 4: attestation (uint) }],
 *                      ? 3: [+ image digest (bstr 32)] }
 *
 * Of a device: 3: it does not check updates itself; absent if it does. 4: it proves itself by DICE-1: 1 from a port
 * without isolation (shown as "claimed"), 2 from an isolated boot stage ("attested"); absent: it does not. The key is
 * its identity key then, else that of its TLS certificate. Of the list: 3: images that were shipped on these devices.
 */

#include "relay/key.h"
#include "relay/manifest.h"
#include "relay/topic.h"

enum factory_attestation {
        FACTORY_NO_ATTESTATION = 0,
        FACTORY_CLAIMED = 1,  /* proves itself, and its application could tell the boot stage's secret */
        FACTORY_ATTESTED = 2, /* isolated */
};

struct factory_device {
        char identity[IDENTITY_MAX + 1];
        struct public_key key; /* of the device's identity */
        uint8_t class_id[CLASS_ID_SIZE];
        bool relay_checks; /* it cannot check updates itself: the relay's word is the only one */
        enum factory_attestation attestation;
};

/* an opened list; walks over the input, which must outlive it */
struct factory_list {
        uint8_t vendor_id[VENDOR_ID_SIZE];
        size_t count; /* devices in the whole list */
        size_t left;  /* not yet walked over */
        struct reader devices;
        size_t image_count, images_left; /* the same of the images; 0: none */
        struct reader images;
};

/*
 * Checks the whole list (form, identities, keys, trailing bytes) and stands before the first device.
 * An identity or key that comes twice is not noticed here: a registry meets it as one it already has.
 * RELAY_OK, RELAY_E_TRUNCATED, RELAY_E_MALFORMED, RELAY_E_RANGE, RELAY_E_KEY.
 */
int factory_list_decode(struct span in, struct factory_list *out);
/* the next device; false after the last */
bool factory_list_next(struct factory_list *list, struct factory_device *out);

/* the next image's digest; false after the last. Devices and images are walked over independently. */
bool factory_list_next_image(struct factory_list *list, uint8_t digest[SHA256_SIZE]);

/*
 * Writes the list's beginning; then exactly count calls of factory_put_device(), and if image_count is not 0
 * factory_put_images() and as many calls of factory_put_image(). count 0 fails the writer.
 */
void factory_put_list(struct writer *w, const uint8_t vendor_id[VENDOR_ID_SIZE], size_t count, size_t image_count);
void factory_put_device(struct writer *w, const struct factory_device *device);
void factory_put_images(struct writer *w, size_t count);
void factory_put_image(struct writer *w, const uint8_t digest[SHA256_SIZE]);
