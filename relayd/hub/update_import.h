/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Updates that come in files, by the bus. Actions as in hub/manager.h: 0, 1 (refused, *refusal says why), or negative
 * errno. Nothing that does not fit manifest, signatures and digests is kept.
 */

#include "hub/views.h"

struct updates;

struct update_import {
        struct span envelope, list, notes; /* list: the image's block list, whole */
        const char *const *devices;        /* it is offered to */
        size_t device_count;
};
/* Known from now on as if it had been offered to these devices; again with more devices or other notes is fine. */
int updates_import(struct updates *updates, const char *caller, const struct update_import *import,
                   uint8_t digest[SHA256_SIZE], struct refusal *refusal);
/* Consecutive blocks of its image; each is kept if it is the right one. */
int updates_import_image(struct updates *updates, const uint8_t digest[SHA256_SIZE], uint32_t first, struct span bytes,
                         struct refusal *refusal);
/* *next: the first block that is missing. False if the update is not known. */
bool updates_import_progress(const struct updates *updates, const uint8_t digest[SHA256_SIZE], uint32_t *next,
                             uint32_t *blocks);
