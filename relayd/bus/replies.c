/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers to actions wait for the disk: who was told "approved" finds it approved after a power cut, too. The loop does
 * not wait meanwhile.
 */
#include <stdarg.h>
#include <string.h>

#include "bus/internal.h"
#include "util/array.h"

static int begin(struct bus *bus, sd_bus_message *message, sd_bus_message **reply)
{
        int r = array_reserve(bus->held, bus->held_count, bus->held_room);

        return r < 0 ? r : sd_bus_message_new_method_return(message, reply);
}

/* Holds the reply, unless something went wrong with it. */
static int hold(struct bus *bus, sd_bus_message *reply, int r)
{
        if (r < 0) {
                sd_bus_message_unref(reply);
                return r;
        }
        bus->held[bus->held_count++] = (struct held_reply){ reply, REPLY_UNSEALED };
        return 1;
}

int bus_reply_when_durable(struct bus *bus, sd_bus_message *message, const char *types, ...)
{
        sd_bus_message *reply = NULL;
        va_list values;
        int r = begin(bus, message, &reply);

        va_start(values, types);
        if (r >= 0)
                r = sd_bus_message_appendv(reply, types, values);
        va_end(values);
        return hold(bus, reply, r);
}

int bus_reply_bytes_when_durable(struct bus *bus, sd_bus_message *message, struct span bytes)
{
        sd_bus_message *reply = NULL;
        int r = begin(bus, message, &reply);

        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', bytes.data, bytes.size);
        return hold(bus, reply, r);
}

void replies_sealed(void *context, uint64_t commit)
{
        struct bus *bus = context;

        for (size_t i = bus->held_count; i-- > 0 && bus->held[i].commit == REPLY_UNSEALED;)
                bus->held[i].commit = commit;
}

/* A caller who left meanwhile gets none; that is no error of the relay. */
void replies_durable(void *context, uint64_t durable)
{
        struct bus *bus = context;
        size_t sent = 0;

        while (sent < bus->held_count && bus->held[sent].commit <= durable) {
                (void)sd_bus_send(NULL, bus->held[sent].reply, NULL);
                sd_bus_message_unref(bus->held[sent++].reply);
        }
        if (sent == 0)
                return;
        bus->held_count -= sent;
        memmove(bus->held, bus->held + sent, bus->held_count * sizeof(*bus->held));
}

void replies_drop(struct bus *bus)
{
        while (bus->held_count > 0)
                sd_bus_message_unref(bus->held[--bus->held_count].reply);
}
