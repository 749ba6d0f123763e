/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device engine: links and fail-over. */

#include "app/device.h"

#include <string.h>

#include "app/device_internal.h"
#include "app/json.h"

#define RESET_PATIENCE_MS 3000 /* how long the last words before a restart may take */
#define ROUND_PACKETS     4    /* of one link, taken in one round */
#define ROUND_READS       16

uint64_t device_now(const struct device *d)
{
        return d->config.clock->now_ms(d->config.clock->context);
}

void device_log(const struct device *d, enum port_log_level level, const char *text, const char *detail)
{
        char line[160];
        struct writer w;

        if (!d->config.log)
                return;
        writer_init(&w, line, sizeof(line) - 1);
        writer_bytes(&w, span_of_string(text));
        writer_bytes(&w, span_slice(span_of_string(detail), 0, 90));
        line[writer_span(&w).size] = '\0';
        d->config.log->line(d->config.log->context, level, line);
}

size_t device_choose_endpoints(struct device *d, enum endpoint_kind kinds[SITE_ENDPOINTS_MAX])
{
        const struct site_policy *policy = &d->policy;
        size_t count = 0;

        for (size_t i = 0; i < policy->endpoint_count; i++) {
                const struct site_endpoint *endpoint = &policy->endpoints[i];
                if (!site_endpoint_applies(policy, endpoint, d->config.identity))
                        continue;
                /* such a policy names no cloud, and is refused if it does; that it does not exist holds here, too */
                if (policy->mode == SITE_RELAY_ONLY && endpoint->kind == ENDPOINT_CLOUD)
                        continue;
                kinds[count] = endpoint->kind;
                d->endpoints[count++] = endpoint;
        }
        if (count == 0)
                device_log(d, PORT_LOG_ERROR, "the site policy has no endpoint for this device", "");
        return count;
}

/* ---- entropy */

static void tell_no_entropy(struct device *d)
{
        uint8_t payload[40];
        struct writer w;

        writer_init(&w, payload, sizeof(payload));
        json_open(&w);
        json_string(&w, "reason", span_of_string(reason_name(REASON_NO_ENTROPY)));
        json_close(&w);
        d->entropy_told = true;
        (void)device_publish(d, OUTBOX_KEEP, SPAN_LITERAL("entropy"), writer_span(&w)); /* the log has it, too */
}

/* Keys and nonces somebody can guess are worse than no connection. */
bool device_has_entropy(struct device *d)
{
        bool silent = entropy_check(d->config.entropy) < 0;

        if (silent && !d->entropy_silent)
                device_log(d, PORT_LOG_ERROR, "the source of random numbers is silent: no connection is opened", "");
        if (!silent && d->entropy_silent)
                device_log(d, PORT_LOG_INFO, "the source of random numbers works again", "");
        d->entropy_silent = silent;
        if (silent && !d->entropy_told)
                tell_no_entropy(d);
        return !silent;
}

/* For jitter. Without entropy nothing is connected to, so the devices of a site need not differ in anything else. */
static uint32_t make_seed(const struct device *d)
{
        const struct port_entropy *entropy = d->config.entropy;
        uint32_t seed;

        if (entropy->fill(entropy->context, &seed, sizeof(seed)) < 0)
                seed = flash_crc(d->boot.boot, span_of_string(d->config.identity));
        return seed;
}

int device_init(struct device *d, const struct device_config *config)
{
        enum endpoint_kind kinds[SITE_ENDPOINTS_MAX];

        memset(d, 0, sizeof(*d));
        d->config = *config;
        d->active = FAILOVER_NONE;
        device_init_gate(d);
        int r = device_load_trust(d);
        if (r < 0)
                return r;
        size_t count = device_choose_endpoints(d, kinds);
        failover_init(&d->failover, &config->timing, kinds, count, d->policy.patience_s, make_seed(d), device_now(d));
        gate_trust(&d->gate, d->boot.approval_epoch, d->boot.time_floor, device_now(d));
        if (config->update)
                update_trust(config->update, &d->boot, device_now(d));
        return 0;
}

static int publish_dropped(struct device *d)
{
        uint8_t payload[40];
        struct writer w;

        writer_init(&w, payload, sizeof(payload));
        json_open(&w);
        json_uint(&w, "dropped", d->config.outbox->dropped);
        json_close(&w);
        return outbox_put(d->config.outbox, OUTBOX_TELEMETRY, d->boot.boot, ++d->seq, SPAN_LITERAL("outbox"),
                          writer_span(&w), NULL);
}

int device_publish(struct device *d, enum outbox_class class, struct span name, struct span payload)
{
        uint32_t dropped;

        if (!d->config.outbox)
                return RELAY_E_STATE;
        int r = outbox_put(d->config.outbox, class, d->boot.boot, d->seq + 1, name, payload, &dropped);
        if (r < 0)
                return r;
        d->seq++;
        d->counters.published++;
        if (dropped == 0)
                return 0;
        r = publish_dropped(d);
        return r == RELAY_E_SPACE ? 0 : r; /* the count is in flash, and told with the next one that goes */
}

/* ---- links */

const char *device_state_rest(const struct device_link *link)
{
        return link->endpoint.kind == ENDPOINT_RELAY ? "state/relay" : "state/direct";
}

struct span device_state_json(const struct device *d, bool online, uint32_t session, uint8_t *out, size_t size)
{
        struct writer w;

        writer_init(&w, out, size);
        json_open(&w);
        json_bool(&w, "online", online);
        json_string(&w, "version", span_of_string(d->config.version));
        json_hex(&w, "image", SPAN_OF(d->boot.image));
        json_uint(&w, "boot", d->boot.boot);
        json_uint(&w, "session", session);
        json_close(&w);
        return writer_span(&w);
}

static void close_link(struct device *d, unsigned number)
{
        struct device_link *link = &d->links[number];

        if (link->state != DEVICE_LINK_CLOSED)
                d->config.tls->close(d->config.tls->context, number);
        link->state = DEVICE_LINK_CLOSED;
        if (d->active == number) {
                d->active = FAILOVER_NONE;
                d->online = false;
        }
        if (d->gate_link == number)
                device_gate_link_closed(d);
}

static void lose_link(struct device *d, unsigned number, const char *why)
{
        bool was_active = d->active == number;

        device_log(d, was_active ? PORT_LOG_WARNING : PORT_LOG_DEBUG,
                   d->links[number].endpoint.kind == ENDPOINT_RELAY ? "relay: " : "cloud: ", why);
        close_link(d, number);
        failover_down(&d->failover, number, device_now(d));
}

static void connect_link(struct device *d, unsigned number)
{
        struct device_link *link = &d->links[number];
        struct tls_target target;

        target.host = link->endpoint.host;
        target.port = link->endpoint.port;
        target.pin_count = link->endpoint.has_backup_pin ? 2 : 1;
        memcpy(target.pins[0], link->endpoint.pin, SHA256_SIZE);
        memcpy(target.pins[1], link->endpoint.backup_pin, SHA256_SIZE);
        d->counters.connects++;
        if (d->config.tls->open(d->config.tls->context, number, &target) < 0) {
                lose_link(d, number, "cannot connect");
                return;
        }
        link->state = DEVICE_LINK_HANDSHAKE;
}

void device_open_link(struct device *d, unsigned number, const struct site_endpoint *endpoint)
{
        struct device_link *link = &d->links[number];

        link->endpoint = *endpoint;
        link->opened_ms = device_now(d);
        link->watch_asked = link->plain = link->proved = false;
        connect_link(d, number);
}

/* The relay knows no DICE-1: the same again at once, without it, within the same patience. */
static void connect_plainly(struct device *d, unsigned number)
{
        struct device_link *link = &d->links[number];

        device_log(d, PORT_LOG_WARNING, "relay: ", "knows no proof of devices (DICE-1), connecting without");
        d->config.tls->close(d->config.tls->context, number);
        link->plain = true;
        connect_link(d, number);
}

/* A question to the gate is no session: it says nothing of where the device is, and leaves no will. */
static int start_mqtt(struct device *d, unsigned number)
{
        struct device_link *link = &d->links[number];
        bool session = number != d->gate_link;
        uint8_t will[256];
        char topic[TOPIC_MAX];

        if (session)
                link->session = ++d->session;
        topic_device(topic, d->policy.site, d->config.identity, device_state_rest(link));
        struct mqtt_client_config config = {
                .client_id = span_of_string(d->config.identity),
                .clean_start = true,
                .keep_alive_s = d->config.keep_alive_s,
                .receive_maximum = UPDATE_WINDOW,
                .rx_size_later = session ? sizeof(d->rx) : 0,
                .connack_timeout_ms = d->config.timing.connect_deadline_ms,
                .has_will = session,
                .will_qos = 1,
                .will_retain = true,
                .will_topic = span_of_string(topic),
                .will_payload = device_state_json(d, false, link->session, will, sizeof(will)),
        };
        if (!link->plain && device_may_attest(d, number))
                config.authentication_method = SPAN_LITERAL(ATTEST_METHOD);
        mqtt_client_init(&link->client, link->rx, sizeof(link->rx), link->tx, sizeof(link->tx), device_now(d));
        return mqtt_client_connect(&link->client, &config, device_now(d));
}

static void flush(struct device *d, unsigned number)
{
        struct device_link *link = &d->links[number];
        struct span out;
        size_t done;

        while (link->state == DEVICE_LINK_OPEN && (out = mqtt_client_output(&link->client)).size > 0 &&
               d->config.tls->send(d->config.tls->context, number, out, &done) == 0)
                mqtt_client_sent(&link->client, done, device_now(d));
}

void device_leave_link(struct device *d, unsigned number)
{
        struct device_link *link = &d->links[number];

        if (link->state == DEVICE_LINK_OPEN &&
            mqtt_client_disconnect(&link->client, MQTT_DISCONNECT_WITH_WILL) == RELAY_OK)
                flush(d, number);
        close_link(d, number);
}

/* What we publish must be possible there: an event that no broker takes would block all others, or be lost. */
static bool is_broker_fit(const struct mqtt_client *c)
{
        return c->maximum_qos >= 1 && c->retain_available &&
               (c->send_packet_maximum == 0 || c->send_packet_maximum >= DEVICE_PACKET_MIN);
}

static void take_connack(struct device *d, unsigned number, uint8_t reason)
{
        struct mqtt_client *c = &d->links[number].client;

        if (reason == MQTT_BAD_AUTH_METHOD && c->authentication_method.size > 0)
                connect_plainly(d, number);
        if (reason != MQTT_SUCCESS)
                return;
        if (is_broker_fit(c)) {
                failover_up(&d->failover, number, device_now(d));
                return;
        }
        device_log(d, PORT_LOG_ERROR, "the broker allows no QoS 1, no retained messages or no packets of our size", "");
        mqtt_client_refuse(c, MQTT_IMPLEMENTATION_ERROR);
}

static int handle_event(struct device *d, unsigned number, const struct mqtt_client_event *event)
{
        switch (event->type) {
        case MQTT_CLIENT_EVENT_CLOSED:
                flush(d, number);
                lose_link(d, number, mqtt_reason_string(event->reason));
                return 0;
        case MQTT_CLIENT_EVENT_AUTH:
                device_prove(d, number, event->packet.props.authentication_data);
                return 0;
        case MQTT_CLIENT_EVENT_CONNACK:
                take_connack(d, number, event->reason);
                return 0;
        case MQTT_CLIENT_EVENT_PUBLISH:
                return device_take_message(d, number, &event->packet.publish);
        case MQTT_CLIENT_EVENT_PUBACK:
                return number == d->active ? device_take_puback(d, event->packet.ack.packet_id, event->reason) : 0;
        case MQTT_CLIENT_EVENT_SUBACK:
        case MQTT_CLIENT_EVENT_UNSUBACK:
                break;
        }
        return 0;
}

/* Reads what there is into the session's buffer. false: nothing came, or the link is lost. */
static bool receive(struct device *d, unsigned number)
{
        struct device_link *link = &d->links[number];
        size_t done = 0;
        uint8_t *at;

        size_t space = mqtt_client_space(&link->client, &at);
        int r = d->config.tls->receive(d->config.tls->context, number, at, space, &done);
        if (r == PORT_WANT)
                return false;
        if (r != 0) {
                lose_link(d, number, r == PORT_CLOSED ? "closed by the peer" : "connection lost");
                return false;
        }
        mqtt_client_received(&link->client, done, device_now(d));
        failover_alive(&d->failover, number, device_now(d));
        return true;
}

/*
 * Who sends without end does not keep the device from its own work: a few packets and reads in one round, each of which
 * may cost a signature's check.
 */
static int receive_some(struct device *d, unsigned number)
{
        struct device_link *link = &d->links[number];
        struct mqtt_client_event event;
        unsigned packets = 0, reads = 0;

        while (link->state == DEVICE_LINK_OPEN && packets < ROUND_PACKETS && reads < ROUND_READS) {
                if (mqtt_client_next(&link->client, &event) != RELAY_OK) {
                        reads++;
                        if (!receive(d, number))
                                return 0;
                        continue;
                }
                packets++;
                int r = handle_event(d, number, &event);
                if (r < 0)
                        return r;
                flush(d, number);
        }
        d->more = d->more || link->state == DEVICE_LINK_OPEN;
        return 0;
}

static void drive_handshake(struct device *d, unsigned number)
{
        int r = d->config.tls->handshake(d->config.tls->context, number);

        if (r == PORT_WANT)
                return;
        if (r == 0 && start_mqtt(d, number) == RELAY_OK) {
                d->links[number].state = DEVICE_LINK_OPEN;
                return;
        }
        lose_link(d, number,
                  r == PORT_E_REFUSED ? "refused, or not the pinned key"
                  : r == PORT_E_NAME  ? "name not known"
                                      : "not reached");
}

static int drive_link(struct device *d, unsigned number)
{
        struct device_link *link = &d->links[number];
        struct mqtt_client_event event;

        if (link->state == DEVICE_LINK_HANDSHAKE)
                drive_handshake(d, number);
        if (link->state != DEVICE_LINK_OPEN)
                return 0;
        flush(d, number);
        int r = receive_some(d, number);
        if (r < 0 || link->state != DEVICE_LINK_OPEN)
                return r;
        mqtt_client_tick(&link->client, device_now(d));
        if (mqtt_client_next(&link->client, &event) == RELAY_OK)
                r = handle_event(d, number, &event);
        flush(d, number);
        return r;
}

/* ---- fail-over */

static void use_link(struct device *d, unsigned number)
{
        if (d->active != FAILOVER_NONE && d->active != number) /* one session at a time has the large buffer */
                device_leave_link(d, d->active);
        d->active = number;
        (void)mqtt_client_move(&d->links[number].client, d->rx, sizeof(d->rx)); /* from a smaller one: it fits */
        device_log(d, PORT_LOG_INFO, "session with ",
                   d->links[number].endpoint.kind == ENDPOINT_RELAY ? "the relay" : "the cloud");
        device_begin_session(d);
}

/* true if there was something to do */
static bool follow_failover(struct device *d)
{
        struct failover_action action = failover_next(&d->failover, device_now(d));

        switch (action.type) {
        case FAILOVER_NOTHING:
                return false;
        case FAILOVER_CONNECT:
                close_link(d, action.link);
                if (device_has_entropy(d))
                        device_open_link(d, action.link, d->endpoints[action.endpoint]);
                else
                        failover_down(&d->failover, action.link, device_now(d));
                break;
        case FAILOVER_ASK:
                mqtt_client_ping(&d->links[action.link].client);
                break;
        case FAILOVER_CLOSE:
                device_leave_link(d, action.link);
                break;
        case FAILOVER_USE:
                use_link(d, action.link);
                break;
        }
        return true;
}

/* The last words are out, or took too long: restart into what the boot stage chooses. */
static void maybe_reset(struct device *d)
{
        if (!d->resetting)
                return;
        bool said = d->active != FAILOVER_NONE && d->status_packet == 0;
        if (!said && device_now(d) < d->reset_ms)
                return;
        for (unsigned i = 0; i < PORT_LINKS; i++)
                device_leave_link(d, i);
        d->config.boot->reset(d->config.boot->context);
}

int device_run(struct device *d)
{
        int r = 0;

        d->more = false;
        while (follow_failover(d))
                ;
        for (unsigned i = 0; i < PORT_LINKS && r == 0; i++)
                r = drive_link(d, i);
        if (r == 0)
                r = device_apply_trust(d);
        while (follow_failover(d))
                ;
        device_drive_gate(d);
        if (r == 0 && d->config.update)
                r = update_tick(d->config.update, device_now(d));
        if (r == 0 && d->active != FAILOVER_NONE)
                r = device_send(d);
        for (unsigned i = 0; i < PORT_LINKS && r == 0; i++)
                if (d->links[i].state == DEVICE_LINK_OPEN)
                        flush(d, i);
        if (d->resetting && d->reset_ms == 0)
                d->reset_ms = device_now(d) + RESET_PATIENCE_MS;
        maybe_reset(d);
        return r;
}

uint64_t device_earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

uint64_t device_deadline(const struct device *d)
{
        uint64_t now = device_now(d);
        uint64_t best = failover_deadline(&d->failover, now);

        for (unsigned i = 0; i < PORT_LINKS; i++)
                if (d->links[i].state == DEVICE_LINK_OPEN)
                        best = device_earlier(best, mqtt_client_deadline(&d->links[i].client));
        if (d->config.update)
                best = device_earlier(best, update_deadline(d->config.update, now));
        if (d->carried || d->more)
                best = now;
        best = device_earlier(best, device_gate_deadline(d));
        best = device_earlier(best, device_reports_deadline(d));
        if (d->active != FAILOVER_NONE && !d->commands_asked && d->commands_ms > now)
                best = device_earlier(best, d->commands_ms);
        if (d->hold_ms > now)
                best = device_earlier(best, d->hold_ms);
        return d->resetting ? device_earlier(best, d->reset_ms) : best;
}

bool device_is_online(const struct device *d)
{
        return d->active != FAILOVER_NONE && d->online;
}

const struct site_endpoint *device_endpoint(const struct device *d)
{
        return d->active == FAILOVER_NONE ? NULL : &d->links[d->active].endpoint;
}

int device_confirm(struct device *d)
{
        int r = d->config.boot->confirm(d->config.boot->context);

        if (r == 0) {
                d->boot.confirmed = true;
                if (d->config.update)
                        update_confirmed(d->config.update);
        }
        return r;
}
