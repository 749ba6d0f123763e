/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A stick in the device: a folder with one update file (*.relayd-update, relay/bundle.h) and approvals (*.approval).
 * What is in it is given to the device once, and again when it changes. Nothing of it is believed here.
 */

#include "app/device.h"

struct stick {
        const char *folder; /* NULL: there is no slot for one */
        uint8_t *file;      /* the update file */
        size_t size;
        struct span image;
        uint8_t digest[SHA256_SIZE]; /* of the image, as its manifest says */
        uint8_t list[UPDATE_BLOCKS_MAX * SHA256_SIZE];
        uint8_t seen[SHA256_SIZE]; /* of what the folder held when it was looked at last */
        uint64_t next_ms;
        struct device_carrier carrier;
};
/* folder: borrowed; NULL: none */
void stick_init(struct stick *stick, const char *folder);
/* Looks whether something new is there, about once a second, and gives it to the device. */
void stick_look(struct stick *stick, struct device *device, uint64_t now_ms);
