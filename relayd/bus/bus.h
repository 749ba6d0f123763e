/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The relay on D-Bus: one name, objects for manager, devices and updates (docs/dbus/). Private bus: only the hub's own
 * uid may change anything; system bus: root and the hub's own uid. Reading is for everybody the bus lets in.
 */

#include <systemd/sd-event.h>

#include "hub/manager.h"

struct bus;

/*
 * address: "system" or a D-Bus address. Connects without blocking; a bus that goes away is looked for again every five
 * seconds. Becomes the manager's listener. 0, -EINVAL (no address), -ENOMEM, or what sd_bus_start() brings.
 */
int bus_new(struct bus **ret, sd_event *event, const char *address, struct manager *manager);
struct bus *bus_free(struct bus *bus); /* flushes what is queued; NULL-safe, returns NULL */

static inline void bus_freep(struct bus **bus)
{
        *bus = bus_free(*bus);
}
