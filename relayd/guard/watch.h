/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Notices changes of the table by others, from nf_tables' notifications.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "guard/commit.h"
#include "relay/span.h"

struct watch;

/* Somebody changed (or removed) our table. certain: false if notifications were lost and it only may have happened. */
typedef void (*watch_handler)(bool certain, void *context);

int watch_new(struct watch **ret, sd_event *event, const char *table, watch_handler handler, void *context);
struct watch *watch_free(struct watch *watch);
CLEANUP_DEFINE(struct watch, watch_free)

/*
 * Around transactions of our own, whose notifications would overrun the socket. watch_resume() compares the number of
 * generations passed with that of our transactions: false if somebody else was at it in between.
 */
int watch_pause(struct watch *watch, const struct nf_transport *transport);
bool watch_resume(struct watch *watch, const struct nf_transport *transport, uint32_t transactions);

/* Does a datagram of notifications touch this table of family inet? */
bool watch_touches(const char *table, void *data, size_t size);
