/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people ask for about devices and the images that they may run; see manager.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hub/manager_identity.h"
#include "hub/manager_internal.h"

static void changed(struct manager *m, const char *caller, enum audit_action action, const char *identity,
                    const char *detail)
{
        manager_audit(m, caller, action, identity, detail);
        manager_changed(m, MANAGER_CHANGE_DEVICE, identity);
}

/* ---- quarantine */
int manager_release_device(struct manager *m, const char *caller, const char *identity, struct refusal *refusal)
{
        struct device *d = registry_find(&m->registry, span_of_string(identity)), to;
        char detail[64];
        bool waited;
        int result;

        manager_refresh(m);
        if (!d || d->registration != REGISTRATION_REGISTERED)
                return refusal_set(refusal, REASON_UNKNOWN_DEVICE,
                                   "no device \"%.40s\" is registered; relayctl devices lists them", identity);
        if (d->quarantine == REASON_UNKNOWN_IMAGE || d->quarantine == REASON_RECOVERY)
                return refusal_set(
                        refusal, d->quarantine,
                        "device \"%s\" leaves quarantine by itself when it runs an image that is known here: "
                        "approve an update for it, or make its image known (relayctl images add MANIFEST)",
                        identity);
        snprintf(detail, sizeof(detail), "%s, highest boot was %" PRIu32,
                 d->quarantine == REASON_NONE ? "boots forgotten" : reason_name(d->quarantine), d->boot_highest);
        to = *d;
        to.quarantine = REASON_NONE;
        to.boot_highest = 0;
        to.boots = (struct device_boots){ .keep_alive_s = d->boots.keep_alive_s,
                                          .end = d->boots.end,
                                          .commit = m->broker->commit + 1 };
        waited = d->boots.waits;
        result = registry_change(&m->registry, d, &to);
        if (result < 0)
                return result;
        m->identity.waits -= waited;
        manager_identity_end(m, d, MQTT_ADMINISTRATIVE_ACTION);
        changed(m, caller, AUDIT_DEVICE_RELEASED, identity, detail);
        return 0;
}

/* ---- rotation */
/* The device a rotation speaks of, by its own word. */
static struct device *device_of_rotation(struct manager *m, struct span rotation, struct rotation *out)
{
        struct cose_sign1 opened;

        if (rotation.size > ROTATION_MAX || cose_sign1_decode(rotation, &opened) != RELAY_OK || opened.detached ||
            rotation_decode(opened.payload, out) != RELAY_OK)
                return NULL;
        return registry_find(&m->registry, span_of_string(out->device));
}

static int refuse_rotation(struct manager *m, const char *caller, const struct device *d,
                           const struct rotation *rotation, enum reason reason, struct refusal *refusal)
{
        manager_audit(m, caller, AUDIT_ROTATION_REFUSED, rotation->device, reason_name(reason));
        if (reason == REASON_OLD_ROTATION)
                return refusal_set(refusal, reason,
                                   "rotation %" PRIu32 " of device \"%s\" is refused: rotation %" PRIu32
                                   " is in force; export the newest one from the device",
                                   rotation->number, rotation->device, d->rotation);
        return refusal_set(
                refusal, reason,
                "rotation %" PRIu32
                " of device \"%s\" is refused: it is not signed by the identity key that is registered; if a "
                "rotation before it is missing here, give that one first",
                rotation->number, rotation->device);
}

int manager_rotate_device(struct manager *m, const char *caller, struct span rotation, char device[IDENTITY_MAX + 1],
                          struct refusal *refusal)
{
        struct rotation content = { 0 };
        struct device *d = device_of_rotation(m, rotation, &content), to;
        enum reason reason;
        char detail[128], hex[2 * SHA256_SIZE + 1];
        int result;

        manager_refresh(m);
        if (!*content.device)
                return refusal_set(refusal, REASON_MALFORMED,
                                   "the file is no rotation of an identity key; the device writes one when it rotates");
        if (!d || d->registration != REGISTRATION_REGISTERED)
                return refusal_set(
                        refusal, REASON_UNKNOWN_DEVICE,
                        "the rotation is of device \"%s\", which is not registered here; relayctl devices lists "
                        "those that are",
                        content.device);
        to = *d;
        reason = manager_identity_rotate(d, rotation, &to);
        if (reason != REASON_NONE)
                return refuse_rotation(m, caller, d, &content, reason, refusal);
        result = registry_change(&m->registry, d, &to);
        if (result < 0)
                return result;
        manager_identity_end(m, d, MQTT_ADMINISTRATIVE_ACTION); /* it was opened by the key before */
        snprintf(detail, sizeof(detail), "number %" PRIu32 ", key %s", to.rotation,
                 span_to_hex(SPAN_OF(to.fingerprint), hex, sizeof(hex)));
        changed(m, caller, AUDIT_DEVICE_ROTATED, d->identity, detail);
        memcpy(device, d->identity, IDENTITY_MAX + 1);
        return 0;
}

/* ---- known images */
static int check_manifest(struct manager *m, struct span envelope, struct manifest_verified *out,
                          struct refusal *refusal)
{
        const struct vendor_keys *vendor = updater_vendor(m->updater);
        struct manifest_unverified manifest;
        enum reason reason;

        if (!vendor)
                return refusal_set(
                        refusal, REASON_VENDOR_KEYS_INVALID,
                        "this relay has no vendor key set to check the manifest with; import it first (relayctl "
                        "vendor-keys import)");
        if (envelope.size > MANIFEST_MAX)
                return refusal_set(refusal, REASON_TOO_LARGE, "the file is no manifest: it is larger than one may be");
        reason = manifest_decode(envelope, &manifest);
        if (reason == REASON_NONE)
                reason = manifest_verify(&manifest, vendor, out);
        return reason == REASON_NONE
                       ? 0
                       : refusal_set(refusal, reason, "the manifest is refused: %s", reason_explanation(reason));
}

int manager_add_image(struct manager *m, const char *caller, struct span envelope, char digest[2 * SHA256_SIZE + 1],
                      bool *added, struct refusal *refusal)
{
        struct known_image image = { .source = IMAGE_ADDED };
        struct manifest_verified manifest;
        int result = check_manifest(m, envelope, &manifest, refusal);

        if (result != 0)
                return result;
        manager_refresh(m);
        image.time = m->broker->time;
        image.sequence = manifest.fields.sequence;
        memcpy(image.image, manifest.fields.image_digest, SHA256_SIZE);
        memcpy(image.manifest, manifest.digest, SHA256_SIZE);
        span_to_string(manifest.fields.version, image.version, sizeof(image.version));
        result = manager_identity_add_image(m, caller, &image);
        if (result == -EDQUOT)
                return refusal_set(
                        refusal, REASON_QUOTA,
                        "%d images are known, more are not kept; remove some that no device runs (relayctl images "
                        "remove)",
                        KNOWN_IMAGES_MAX);
        if (result < 0)
                return result;
        *added = result == 0;
        span_to_hex(SPAN_OF(image.image), digest, 2 * SHA256_SIZE + 1);
        return 0;
}

struct bringer {
        const uint8_t *image;
        char version[MANIFEST_TEXT_MAX + 1];
        bool found;
};

static int is_bringer(void *context, const struct manager_update *update)
{
        struct bringer *b = context;

        if (strcmp(update->state, "approved") != 0 || memcmp(update->image_digest, b->image, SHA256_SIZE) != 0)
                return 0;
        span_to_string(update->version, b->version, sizeof(b->version));
        b->found = true;
        return 1;
}

int manager_forget_image(struct manager *m, const char *caller, const uint8_t digest[SHA256_SIZE],
                         struct refusal *refusal)
{
        struct bringer bringer = { .image = digest };
        char hex[2 * SHA256_SIZE + 1];

        manager_refresh(m);
        span_to_hex(span_of(digest, SHA256_SIZE), hex, sizeof(hex));
        if (!known_images_find(&m->identity.images, digest))
                return refusal_set(refusal, REASON_UNKNOWN_IMAGE, "no image %s is known; relayctl images lists them",
                                   hex);
        (void)updater_walk(m->updater, is_bringer, &bringer);
        if (bringer.found)
                return refusal_set(refusal, REASON_IMAGE_IN_USE,
                                   "the approved update %.40s brings this image; deny it first (relayctl updates deny)",
                                   bringer.version);
        (void)known_images_remove(&m->identity.images, digest);
        manager_audit(m, caller, AUDIT_IMAGE_FORGOTTEN, hex, "");
        manager_identity_end_running(m, digest);
        return 0;
}

int manager_walk_images(struct manager *m, int (*fn)(void *context, const struct image_view *image), void *context)
{
        for (size_t i = 0; i < m->identity.images.count; i++) {
                struct image_view view;
                int result;

                known_image_view(m->identity.images.sorted[i], &view);
                result = fn(context, &view);
                if (result != 0)
                        return result;
        }
        return 0;
}

int manager_identity_import_images(struct manager *m, const char *caller, struct span list)
{
        struct known_image image = { .source = IMAGE_FACTORY, .time = m->broker->time };
        struct factory_list factory;
        int result = 0;

        if (factory_list_decode(list, &factory) != RELAY_OK)
                return 0; /* said by whoever takes its devices */
        while (result >= 0 && factory_list_next_image(&factory, image.image))
                result = manager_identity_add_image(m, caller, &image);
        return result == -EDQUOT ? -ENOSPC : result < 0 ? result : 0;
}
