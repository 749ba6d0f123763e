/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hub's side of the uplink; see cloud.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/cloud.h"
#include "hub/refusals.h"
#include "hub/views.h"
#include "policy/access.h"

#define HELD_MAX 4096 /* messages of the cloud between receipt and disk */

struct held {
        uint64_t token, commit;
};

struct cloud {
        struct uplink *uplink;
        struct broker *broker;
        struct cloud_host host;
        const char *site;
        uint64_t resume_ms; /* 0: not paused */
        uint64_t answered;  /* highest number that was acknowledged on this connection */
        struct refusals told;
        struct held held[HELD_MAX];
        size_t held_first, held_count, held_unsealed;
};

/* what is subscribed to below sites/<site>/; the last ones by a relay only */
static const char *const filters[] = {
        "policy/+",
        "vendor/+",
        "revocations",
        "devices/+/updates/offer",
        "approvals/+/+", /* what judges comes first */
        "devices/+/gate/request",
        "devices/+/gate/ticket",
        "devices/+/commands",
        "devices/+/updates/refused",
        "devices/+/state/direct", /* news: what is missed while the uplink is down is worth nothing later */
};
#define FILTER_COUNT      (sizeof(filters) / sizeof(filters[0]))
#define FILTER_COUNT_NEWS 1
#define FILTER_COUNT_GATE (FILTER_COUNT - 4)

/* A broker has topics without end, and alerts are few: one a topic and hour, and not more than are told each. */
static void tell(struct cloud *c, const char *device, struct span topic, const char *detail)
{
        uint8_t digest[SHA256_SIZE] = { 0 };

        (void)crypto_sha256(topic, digest);
        switch (refusals_note(&c->told, "", digest, c->broker->time)) {
        case REFUSALS_QUIET:
                return;
        case REFUSALS_TELL:
                c->host.alert(c->host.context, device, REASON_TOPIC, detail);
                return;
        case REFUSALS_FLOOD:
                c->host.alert(c->host.context, "", REASON_QUOTA,
                              "the cloud sends and refuses messages on more topics than are told each; the next hour "
                              "brings a new count");
                return;
        }
}

/* ---- up */
/* 0, or an answer of uplink_publish() */
static int send_entry(struct cloud *c, const struct outbox_entry *entry)
{
        struct message_delivery delivery = { .qos = 1, .retain = entry->message->retain, .packet_id = 1 };
        struct mqtt_packet packet;
        struct writer w;
        size_t consumed;
        uint8_t reason;

        /* the codec's form of the stored properties, and what is left of the expiry interval */
        writer_init(&w, c->broker->packet, sizeof(c->broker->packet));
        message_write_publish(&w, entry->message, &delivery, c->broker->time);
        if (writer_finish(&w) != RELAY_OK ||
            mqtt_decode(writer_span(&w), MQTT_V5, BROKER_PACKET_MAX, &packet, &consumed, &reason) != RELAY_OK)
                return UPLINK_RANGE;
        return uplink_publish(c->uplink, &packet.publish, &packet.props, entry->number);
}

static void give_up(struct cloud *c, uint64_t number, const struct message *m, const char *why)
{
        char detail[VIEW_TEXT_MAX], device[IDENTITY_SIZE];
        struct topic_parts parts;

        if (topic_parse(m->topic, &parts) != TOPIC_DEVICE || !span_to_string(parts.device, device, sizeof(device)))
                device[0] = 0;
        snprintf(detail, sizeof(detail), "the cloud does not take a message on \"%.*s\": %s; it was dropped",
                 (int)(m->topic.size > 120 ? 120 : m->topic.size), (const char *)m->topic.data, why);
        tell(c, device, m->topic, detail);
        if (outbox_done(c->broker->outbox, number, false) < 0)
                c->broker->error = -EIO;
}

/* Sends what the outbox has and the cloud takes. What is not on the disk yet goes, too: nobody was told that it is
 * safe, so whoever published it sends it again if the power goes now. */
static void pump(struct cloud *c)
{
        struct broker *b = c->broker;
        struct outbox_entry entry;

        b->work_for_cloud = false;
        while (!c->resume_ms && uplink_state(c->uplink) == UPLINK_UP && outbox_next(b->outbox, b->durable, &entry)) {
                int result = send_entry(c, &entry);
                if (result == UPLINK_RANGE)
                        give_up(c, entry.number, entry.message, "it is too large for it");
                else if (result != 0)
                        return;
                else
                        outbox_sent(b->outbox);
        }
}

static bool is_passing(uint8_t reason)
{
        return reason == MQTT_QUOTA_EXCEEDED || reason == MQTT_SERVER_BUSY || reason == MQTT_SERVER_UNAVAILABLE ||
               reason == MQTT_RATE_TOO_HIGH;
}

static void on_acked(void *context, uint64_t cookie, uint8_t reason)
{
        struct cloud *c = context;
        const struct message *m = outbox_find(c->broker->outbox, cookie);

        c->host.before(c->host.context);
        if (cookie > c->answered)
                c->answered = cookie;
        if (!m)
                return;
        if (reason < 0x80) {
                if (outbox_done(c->broker->outbox, cookie, true) < 0)
                        c->broker->error = -EIO;
        } else if (is_passing(reason)) {
                outbox_again(c->broker->outbox, cookie);
                c->resume_ms = c->broker->now_ms + CLOUD_PAUSE_MS;
        } else if (c->broker->gate_only && reason == MQTT_NOT_AUTHORIZED) {
                /* another relay that takes this gate's tickets, and needs no more of it */
                if (outbox_done(c->broker->outbox, cookie, false) < 0)
                        c->broker->error = -EIO;
        } else {
                give_up(c, cookie, m, mqtt_reason_string(reason));
        }
        c->broker->work_for_cloud = true;
}

static void on_ready(void *context)
{
        struct cloud *c = context;

        c->host.before(c->host.context);
        pump(c);
}

/* ---- down */
static uint8_t hold(struct cloud *c, uint64_t token)
{
        if (c->held_count == HELD_MAX)
                return MQTT_QUOTA_EXCEEDED;
        c->held[(c->held_first + c->held_count++) % HELD_MAX] = (struct held){ token, 0 };
        c->held_unsealed++;
        return UPLINK_HOLD;
}

/* An empty payload is how a retained message is taken back: nothing to do, what was verified stays. */
static uint8_t refused(struct cloud *c, const struct mqtt_publish *publish)
{
        struct span topic = span_slice(publish->topic, 0, 120);
        char detail[VIEW_TEXT_MAX];

        if (publish->payload.size == 0)
                return MQTT_SUCCESS;
        snprintf(detail, sizeof(detail), "the cloud sent %zu bytes on \"%.*s\": not a topic or not a size it may use",
                 publish->payload.size, (int)topic.size, (const char *)topic.data);
        tell(c, "", publish->topic, detail);
        return MQTT_NOT_AUTHORIZED;
}

static bool is_for_gates(enum access_uplink kind)
{
        switch (kind) {
        case ACCESS_UPLINK_OFFER:
        case ACCESS_UPLINK_APPROVAL:
        case ACCESS_UPLINK_POLICY:
        case ACCESS_UPLINK_REVOCATION:
        case ACCESS_UPLINK_VENDOR:
        case ACCESS_UPLINK_GATE_REQUEST:
                return true;
        case ACCESS_UPLINK_REFUSED:
        case ACCESS_UPLINK_COMMAND:
        case ACCESS_UPLINK_TICKET:
        case ACCESS_UPLINK_REPORT:
        case ACCESS_UPLINK_STATE:
        case ACCESS_UPLINK_IMAGE_BLOCK:
        case ACCESS_UPLINK_IMAGE_LIST:
                return false;
        }
        return false;
}

static bool is_full(enum reason reason)
{
        return reason == REASON_STORE_FULL || reason == REASON_STORE_FAILED;
}

static uint8_t on_message(void *context, const struct uplink_message *message)
{
        struct cloud *c = context;
        const struct mqtt_publish *publish = message->publish;
        enum access_uplink kind;
        struct topic_parts parts;
        enum reason reason;

        c->host.before(c->host.context);
        kind = access_uplink(c->site, publish->topic, publish->payload.size, &parts);
        if (kind == ACCESS_UPLINK_REFUSED || (c->broker->gate_only && !is_for_gates(kind)))
                return refused(c, publish);
        if (kind == ACCESS_UPLINK_STATE && publish->retain)
                return MQTT_SUCCESS; /* how it was at some time */
        reason = c->host.message(c->host.context, kind, &parts, publish->payload, publish->dup);
        if (publish->qos == 0)
                return MQTT_SUCCESS;
        if (is_full(reason) || (kind == ACCESS_UPLINK_COMMAND && reason == REASON_QUOTA))
                return MQTT_QUOTA_EXCEEDED;
        if (kind == ACCESS_UPLINK_COMMAND && reason != REASON_NONE)
                return MQTT_NOT_AUTHORIZED;
        /* what is refused is refused for good: another try would bring the same */
        return hold(c, message->token);
}

void cloud_commit(struct cloud *c)
{
        for (; c->held_unsealed > 0; c->held_unsealed--)
                c->held[(c->held_first + c->held_count - c->held_unsealed) % HELD_MAX].commit = c->broker->commit;
        cloud_durable(c);
}

void cloud_durable(struct cloud *c)
{
        while (c->held_count > c->held_unsealed && c->held[c->held_first].commit <= c->broker->durable) {
                uplink_ack(c->uplink, c->held[c->held_first].token, MQTT_SUCCESS);
                c->held_first = (c->held_first + 1) % HELD_MAX;
                c->held_count--;
        }
        pump(c);
}

/* ---- state */
static void on_state(void *context, enum uplink_state state, const char *error)
{
        struct cloud *c = context;

        c->host.before(c->host.context);
        if (state == UPLINK_CONNECTING)
                return;
        outbox_rewind(c->broker->outbox);
        c->answered = 0;
        c->held_first = c->held_count = c->held_unsealed = 0;
        c->resume_ms = 0;
        c->host.state(c->host.context, state == UPLINK_UP, error ? error : "");
        pump(c);
}

void cloud_tick(struct cloud *c)
{
        if (c->resume_ms && c->broker->now_ms >= c->resume_ms) {
                c->resume_ms = 0;
                outbox_resume(c->broker->outbox);
        }
        pump(c);
}

bool cloud_answered_after(const struct cloud *c, uint64_t number)
{
        return c->answered > number;
}

struct uplink *cloud_uplink(struct cloud *c)
{
        return c->uplink;
}

static bool is_allowed(void *context, const struct sockaddr *address, char why[UPLINK_ERROR_SIZE])
{
        struct cloud *c = context;

        c->host.before(c->host.context);
        return !c->host.allowed || c->host.allowed(c->host.context, address, why);
}

static int make_uplink(struct cloud *c, sd_event *event, const struct conf *conf,
                       const struct uplink_transport *transport)
{
        struct uplink_options options = {
                .identity = conf->identity,
                .host = conf->uplink_host,
                .port = conf->uplink_port,
                .certificate_file = conf->uplink_certificate,
                .key_file = conf->uplink_key,
                .ca_file = conf->uplink_ca && *conf->uplink_ca ? conf->uplink_ca : NULL,
                .keep_alive_s = conf->uplink_keep_alive_s,
                .handler = { c, on_state, on_acked, on_ready, on_message, is_allowed },
                .transport = transport,
        };
        char topics[FILTER_COUNT][TOPIC_MAX];
        const char *list[FILTER_COUNT];

        options.filters = list;
        options.filter_count = c->broker->gate_only ? FILTER_COUNT_GATE : FILTER_COUNT;
        options.news_count = c->broker->gate_only ? 0 : FILTER_COUNT_NEWS;
        for (size_t i = 0; i < options.filter_count; i++)
                list[i] = topic_site(topics[i], conf->site, filters[i]);
        if (conf->uplink_pin && *conf->uplink_pin) {
                if (!span_from_hex(span_of_string(conf->uplink_pin), options.pins[0], SHA256_SIZE))
                        return -EINVAL;
                options.pin_count = 1;
        }
        return uplink_new(&c->uplink, event, &options);
}

int cloud_new(struct cloud **ret, sd_event *event, const struct conf *conf, struct broker *broker,
              const struct cloud_host *host, const struct uplink_transport *transport)
{
        struct cloud *c = calloc(1, sizeof(*c));
        int result;

        if (!c)
                return -ENOMEM;
        c->broker = broker;
        c->host = *host;
        c->site = conf->site;
        result = make_uplink(c, event, conf, transport);
        if (result < 0) {
                free(c);
                return result;
        }
        *ret = c;
        return 0;
}

struct cloud *cloud_free(struct cloud *c)
{
        if (!c)
                return NULL;
        uplink_free(c->uplink);
        free(c);
        return NULL;
}

int cloud_start(struct cloud *c)
{
        return uplink_start(c->uplink);
}

void cloud_stop(struct cloud *c)
{
        uplink_stop(c->uplink);
}
