/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A broker on a store in memory and three sessions whose front end sends anything. Input: steps of u8 what (bits 0-1:
 * session, 2-4: packet, end without and with will, turn, time, tick, restart), for packets u8 size + bytes.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hub/broker.h"

#define SESSIONS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
        struct store *store;
        struct broker *broker;
        struct link *links[SESSIONS];
        uint64_t now_ms;
        bool writable;
};

static const char *const everything[] = { "#" };
static const struct access_role role = { everything, 1, everything, 1 };

static void on_send(void *context, struct link *link, struct span packet)
{
        struct mqtt_packet decoded;
        size_t consumed;
        uint8_t reason;

        (void)context;
        if (link->refs == 0 ||
            mqtt_decode(packet, MQTT_V5, 2 * BROKER_PACKET_MAX, &decoded, &consumed, &reason) != RELAY_OK ||
            consumed != packet.size)
                abort(); /* the hub never sends what the codec does not read */
}

static void on_close(void *context, struct link *link, uint8_t reason)
{
        struct world *world = context;

        (void)reason;
        for (size_t i = 0; i < SESSIONS; i++)
                if (world->links[i] == link)
                        world->links[i] = NULL;
}

static bool on_writable(void *context, const struct link *link)
{
        (void)link;
        return ((struct world *)context)->writable;
}

static void on_release(void *context, struct link *link)
{
        (void)context;
        free(link);
}

static void on_published(void *context, const struct link *link, const struct message *message)
{
        (void)context, (void)link, (void)message;
}

static int on_image(void *context, const struct topic_parts *parts, uint8_t **ret, size_t *ret_size)
{
        (void)context, (void)parts;
        *ret = calloc(1, 4);
        *ret_size = 4;
        return *ret ? 0 : -ENOENT;
}

static void on_alert(void *context, const char *identity, enum reason reason, const char *detail)
{
        (void)context, (void)identity, (void)reason, (void)detail;
}

static void on_online(void *context, const struct link *link, bool online)
{
        (void)context, (void)link, (void)online;
}

static enum reason on_command(void *context, const struct link *link, const struct topic_parts *parts,
                              struct span payload)
{
        (void)context, (void)link, (void)parts;
        return payload.size % 2 ? REASON_NONE : REASON_BAD_SIGNATURE;
}

static void on_subscribed(void *context, const struct link *link)
{
        (void)context, (void)link;
}

static void on_delivered(void *context, const struct link *link, const struct message *message)
{
        (void)context, (void)link, (void)message;
}

static const struct access_role *on_role(void *context, const char *identity)
{
        (void)context;
        return strchr(identity, '.') ? &role : NULL;
}

static void on_authenticate_more(void *context, struct link *link, struct span data, struct broker_answer *answer)
{
        (void)context, (void)link;
        answer->step = data.size == 0 ? BROKER_REFUSED : data.data[0] == '?' ? BROKER_CONTINUE : BROKER_PROVEN;
        answer->data = span_slice(data, 0, 4);
}

/* The method "m" asks back. */
static void on_authenticate(void *context, struct link *link, struct span method, struct span data,
                            struct broker_answer *answer)
{
        if (method.size == 0)
                answer->step = BROKER_PROVEN;
        else if (span_equal_string(method, "m"))
                answer->step = BROKER_CONTINUE;
        else
                on_authenticate_more(context, link, data, answer);
}

static void open_broker(struct world *world)
{
        struct outbox_options outbox = {
                .store = world->store, .bytes_max = 4096, .window_count = 4, .drop_oldest = true
        };
        struct broker_options options = {
                .site = "s1",
                .store = world->store,
                .now_ms = world->now_ms,
                .time = 1763800000 + world->now_ms / 1000,
                .host = { world, on_send, on_close, on_writable, on_release, on_published, on_image, on_alert,
                          on_online, on_role, on_command, on_subscribed, on_delivered, on_authenticate,
                          on_authenticate_more },
        };

        if (outbox_new(&options.outbox, &outbox) < 0 || broker_new(&world->broker, &options) < 0)
                abort(); /* what the hub wrote it reads */
}

static void drop_links(struct world *world)
{
        for (size_t i = 0; i < SESSIONS; i++) {
                if (world->links[i])
                        broker_closed(world->broker, world->links[i], false);
                world->links[i] = NULL;
        }
}

static void turn(struct world *world)
{
        struct outbox_entry entry;

        if (broker_commit(world->broker) < 0 || store_sync(world->store) < 0 || broker_durable(world->broker) < 0)
                abort();
        while (outbox_next(world->broker->outbox, world->broker->durable, &entry)) {
                outbox_sent(world->broker->outbox);
                if (entry.number & 1)
                        outbox_done(world->broker->outbox, entry.number, true);
        }
        outbox_rewind(world->broker->outbox);
}

static void restart(struct world *world)
{
        turn(world);
        drop_links(world);
        broker_free(world->broker);
        open_broker(world);
}

static struct link *link_of(struct world *world, unsigned which)
{
        static const char *const identities[SESSIONS] = { "device-1", "app.a", "app.a" };
        struct link *link = world->links[which];

        if (link || !(link = calloc(1, sizeof(*link))))
                return link;
        link->refs = 1;
        link->is_device = which == 0;
        link->role = which == 0 ? NULL : &role;
        strcpy(link->identity, identities[which]);
        world->links[which] = link;
        return link;
}

static void step(struct world *world, struct reader *r)
{
        uint8_t what = reader_u8(r);
        unsigned which = (what & 3) % SESSIONS;
        struct span packet;

        switch (what >> 2 & 7) {
        case 0:
        case 1:
                packet = reader_bytes(r, reader_u8(r));
                if (r->result == RELAY_OK && link_of(world, which))
                        broker_packet(world->broker, world->links[which], packet);
                break;
        case 2:
        case 3:
                if (!world->links[which])
                        break;
                broker_closed(world->broker, world->links[which], what & 4);
                world->links[which] = NULL;
                break;
        case 4:
                turn(world);
                break;
        case 5:
                world->now_ms += 1000 * (UINT64_C(1) << (what >> 5));
                broker_time(world->broker, world->now_ms, 1763800000 + world->now_ms / 1000);
                break;
        case 6:
                world->writable = what & 32;
                broker_tick(world->broker);
                break;
        case 7:
                restart(world);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct store_options options = { .size_max = 1 << 20 };
        struct world world = { .now_ms = 1000, .writable = true };
        char detail[100];
        struct reader r;

        if (store_open(&options, &world.store, detail, sizeof(detail)) != 0)
                return 0;
        open_broker(&world);
        reader_init(&r, span_of(data, size));
        while (reader_left(&r) > 0)
                step(&world, &r);
        restart(&world);
        broker_free(world.broker);
        store_free(world.store);
        return 0;
}
