/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device engine: how the gate is asked. On the session, if the gate has no address of its own or is the relay of
 * the session anyway; else on the spare link, which is opened for one question while no candidate is tried.
 */

#include "app/device_internal.h"

#include <string.h>

void device_init_gate(struct device *d)
{
        struct gate_config config = {
                .device = d->config.identity,
                .class_id = d->config.class_id,
                .policy = &d->policy,
                .entropy = d->config.entropy,
                .timing = d->config.gate_timing,
        };
        gate_init(&d->gate, &config);
        d->gate_link = FAILOVER_NONE;
}

static bool has_pin(const struct site_endpoint *endpoint, const uint8_t pin[SHA256_SIZE])
{
        return memcmp(endpoint->pin, pin, SHA256_SIZE) == 0 ||
               (endpoint->has_backup_pin && memcmp(endpoint->backup_pin, pin, SHA256_SIZE) == 0);
}

/* One machine under two addresses has one key. A second session of ours there would end the first. */
static bool is_same_server(const struct site_endpoint *a, const struct site_endpoint *b)
{
        return has_pin(a, b->pin) || (b->has_backup_pin && has_pin(a, b->backup_pin));
}

/* the address to ask at; NULL: the session */
static const struct site_endpoint *own_address(const struct device *d)
{
        const struct site_gate *gate = gate_of_device(&d->gate);

        if (!gate || !gate->has_address || is_same_server(&gate->address, &d->links[d->active].endpoint))
                return NULL;
        return &gate->address;
}

static void ask(struct device *d, struct mqtt_client *c)
{
        uint8_t bytes[GATE_REQUEST_MAX];
        struct span question;

        if (gate_ask(&d->gate, bytes, &question, device_now(d)) < 0) {
                device_log(d, PORT_LOG_ERROR, "no entropy for a question to the gate", "");
                return;
        }
        if (device_tell(d, c, "gate/request", false, question, NULL) != RELAY_OK)
                gate_unreached(&d->gate, device_now(d));
}

void device_send_question(struct device *d)
{
        if (d->topics_asked && gate_is_due(&d->gate, device_now(d)) && !own_address(d) &&
            device_has_room(d, GATE_REQUEST_MAX + TOPIC_MAX))
                ask(d, &d->links[d->active].client);
}

void device_take_ticket(struct device *d, struct span sign1)
{
        enum reason reason = gate_ticket(&d->gate, sign1, device_now(d));

        if (gate_take_behind(&d->gate)) /* not an attack: somebody is ahead, and the chain says who */
                d->chain_asked = false;
        else if (reason != REASON_NONE)
                device_report(d, "ticket", reason, sign1, 0);
        if (reason != REASON_NONE)
                device_log(d, PORT_LOG_WARNING, "ticket refused: ", reason_name(reason));
}

/* ---- a link of its own */

static void open_gate_link(struct device *d)
{
        const struct site_endpoint *address = d->active != FAILOVER_NONE ? own_address(d) : NULL;

        if (!address || !gate_is_due(&d->gate, device_now(d)) || !failover_has_spare(&d->failover))
                return;
        if (!device_has_entropy(d)) {
                gate_unreached(&d->gate, device_now(d));
                return;
        }
        failover_pause(&d->failover, true);
        d->gate_link = 1 - d->active;
        d->gate_asked = false;
        device_open_link(d, d->gate_link, address);
}

void device_gate_link_closed(struct device *d)
{
        if (!d->gate_asked || gate_is_waiting(&d->gate))
                gate_unreached(&d->gate, device_now(d));
        d->gate_link = FAILOVER_NONE;
        failover_pause(&d->failover, false);
}

static void ask_on_gate_link(struct device *d, struct mqtt_client *c)
{
        char topic[1][TOPIC_MAX];

        topic_device(topic[0], d->policy.site, d->config.identity, "gate/ticket");
        if (!device_subscribe(c, topic, 1))
                return;
        ask(d, c);
        d->gate_asked = true;
}

void device_drive_gate(struct device *d)
{
        gate_tick(&d->gate, device_now(d));
        if (d->gate_link == FAILOVER_NONE) {
                open_gate_link(d);
                return;
        }
        struct device_link *link = &d->links[d->gate_link];

        if (d->active == FAILOVER_NONE || (d->gate_asked && !gate_is_waiting(&d->gate)))
                device_leave_link(d, d->gate_link);
        else if (link->state == DEVICE_LINK_OPEN && link->client.state == MQTT_CLIENT_CONNECTED && !d->gate_asked)
                ask_on_gate_link(d, &link->client);
        else if (link->state == DEVICE_LINK_HANDSHAKE &&
                 device_now(d) - link->opened_ms >= d->config.timing.connect_deadline_ms)
                device_leave_link(d, d->gate_link);
}

uint64_t device_gate_deadline(const struct device *d)
{
        uint64_t now = device_now(d), best = UINT64_MAX, due = gate_deadline(&d->gate, now);

        if (d->gate_link != FAILOVER_NONE && d->links[d->gate_link].state == DEVICE_LINK_HANDSHAKE)
                best = d->links[d->gate_link].opened_ms + d->config.timing.connect_deadline_ms;
        /* what is due already waits for a session or a free link, and those wake us */
        return due > now ? device_earlier(best, due) : best;
}
