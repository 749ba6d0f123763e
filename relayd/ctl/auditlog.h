/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The audit log of a relay on the bus, and of an export, as relayctl reads both. Every function answers CLI_*. */

#include <systemd/sd-bus.h>

#include "audit/auditfile.h"
#include "cli/cli.h"

/* Calls fn for each record in order. fn: 0 to go on, 1 to stop. */
int audit_walk(struct cli *cli, sd_bus *bus, uint64_t from, int (*fn)(void *context, struct span record),
               void *context);

/* Items in the order of docs/audit.md; fn answers CLI_*, anything but CLI_OK ends it. */
typedef int (*audit_item_fn)(void *context, const struct audit_item *item);
/* the relay's: each checkpoint behind the last record it speaks of */
int audit_items_of_relay(struct cli *cli, sd_bus *bus, audit_item_fn fn, void *context);
/* of an export; head is called first */
int audit_items_of_file(struct cli *cli, const char *path,
                        int (*head)(void *context, const struct audit_file_head *head), audit_item_fn fn,
                        void *context);
