/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The host's links, addresses and routes, from rtnetlink: what changes is told at once.
 */

#include <net/if.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"

enum links_kind { LINKS_INTERFACE, LINKS_ADDRESS, LINKS_ROUTE };

struct links_change {
        enum links_kind kind;
        char interface[IF_NAMESIZE]; /* empty: not about one */
        bool up;                     /* has carrier; address or default route is there */
        bool default_route4, default_route6;
};

struct links;
/* Interfaces that come up or go down (loopback left out), addresses, and default routes that come or go. */
typedef void (*links_handler)(const struct links_change *change, void *context);

int links_new(struct links **ret, sd_event *event, links_handler handler, void *context);
struct links *links_free(struct links *links);
CLEANUP_DEFINE(struct links, links_free)
