/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Who the devices are and what runs on them, at the hub: appraisal of sessions, known images, quarantine, clones,
 * rotation. Part of the manager: manager_identity.c is what happens by itself, manager_identity_actions.c what is
 * asked.
 *
 * A change that concerns a session which is open ends it (0x98): the device comes back at once and is appraised anew,
 * so there is one way to decide, and its subscriptions are those that it may have now.
 */

#include "hub/attestation.h"
#include "hub/known_images.h"
#include "policy/quota.h"

struct manager;
struct link;
struct device;

struct manager_identity {
        struct known_images images;
        size_t waits; /* devices whose boots wait for proof */
        size_t ends;  /* devices whose session ends with this turn */
        struct quota alerts;
};

/* After the registry. 0, or the store's error. */
int manager_identity_load(struct manager *m);
void manager_identity_release(struct manager *m);
void manager_identity_tick(struct manager *m);
/* Ends the sessions that are to end; at the end of a turn. */
void manager_identity_turn(struct manager *m);
/* What the appraisal asks; context: the manager. */
bool manager_identity_key(void *m, const char *device, struct span rotation, struct public_key *out);
void manager_appraise(void *m, const struct attestation_proof *proof, struct attestation_verdict *out);
/* Its session opened or closed. */
void manager_identity_online(struct manager *m, struct device *d, const struct link *link, bool online);
/* A device published this below its own prefix, by a session here. */
void manager_identity_published(struct manager *m, const char *device, struct span rest, struct span payload);
/* The cloud forwards its state/direct; live: it is no retained one. */
void manager_identity_direct(struct manager *m, struct span device, struct span payload);
/* An update is approved here: devices may run its image. */
void manager_identity_approved(void *m, const struct manifest_verified *manifest);

/* ---- between the two files */
/* The session of this device ends with this turn, if there is one. */
void manager_identity_end(struct manager *m, struct device *d, uint8_t mqtt_reason);
/* Adds it; sessions of devices that proved to run it end. As known_images_add(). */
int manager_identity_add_image(struct manager *m, const char *actor, const struct known_image *image);
void manager_identity_end_running(struct manager *m, const uint8_t image[SHA256_SIZE]);
/* What a factory list says was shipped. 0, or the store's error */
int manager_identity_import_images(struct manager *m, const char *caller, struct span list);
/* Checks a rotation against the registered key and writes it into *to. REASON_NONE; what rotation_check() says;
 * OLD_ROTATION. */
enum reason manager_identity_rotate(const struct device *d, struct span rotation, struct device *to);
