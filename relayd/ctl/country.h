/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the commands about countries and lockdown share: changes are collected, sent, and their effect is waited for.
 * All functions answer CLI_* with message.
 */

#include "ctl/bus.h"

#define COUNTRY_CHANGES_MAX 72

struct country_changes {
        struct {
                const char *name, *value; /* docs/dbus; borrowed */
        } list[COUNTRY_CHANGES_MAX];
        size_t count;
};
int country_change(struct cli *cli, struct country_changes *changes, const char *name, const char *value);
/* With --confirm and --force; asks if it would refuse the caller's own address; says what is in force then. */
int country_send(struct cli *cli, const struct country_changes *changes);

/* Where the caller comes from if that is over the network: *address (malloc'ed) or NULL, *port of this host or 0. */
void country_caller(char **address, uint16_t *port);
