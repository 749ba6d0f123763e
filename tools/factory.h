/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Factory lists, for all commands that make devices. Every failure is printed; the answer is CLI_*. */

#include "cli/cli.h"
#include "relay/factory.h"

/* --identity, --class and --domain of the command line; the key is not touched */
int factory_take_device(struct cli *cli, struct factory_device *device, uint8_t vendor_id[VENDOR_ID_SIZE]);
/* Adds the device to the list, which is made if it is not there. keep = false: only whether it could be added. */
int factory_add_device(struct cli *cli, const char *path, const struct factory_device *device,
                       const uint8_t vendor_id[VENDOR_ID_SIZE], bool keep, size_t *count);
