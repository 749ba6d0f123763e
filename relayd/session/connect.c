/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The beginning of a session: CONNECT to the hub, CONNACK to the client, each completed by what the engine knows.
 */

#include <errno.h>
#include <stdlib.h>

#include "session/internal.h"

int session_refuse_connect(struct session *s, uint8_t reason)
{
        /* "shutting down" and others are no CONNACK reasons, section 3.2.2.2 */
        uint8_t told = mqtt_reason_fits(MQTT_CONNACK, reason) ? reason : MQTT_SERVER_UNAVAILABLE;
        int r = session_send_ack(s, MQTT_CONNACK, 0, told);
        session_finish(s, reason, false);
        return r;
}

/* Keep-alive, sizes and wishes the engine has to remember. */
static void remember(struct session *s, const struct mqtt_packet *packet)
{
        const struct mqtt_props *props = &packet->props;
        uint16_t asked = packet->connect.keep_alive_s, max = s->limits.keep_alive_max_s;
        s->keep_alive_replaced = s->version == MQTT_V5 && max > 0 && (asked == 0 || asked > max);
        s->keep_alive_s = s->keep_alive_replaced ? max : asked;
        s->client_packet_max = props->maximum_packet_size;
        s->no_problem_texts = props->present & MQTT_PROP(MQTT_P_REQUEST_PROBLEM) && !props->request_problem_information;
        s->expires_at_once = s->version == MQTT_V5 ? props->session_expiry == 0 : packet->connect.clean_start;
}

int session_on_connect(struct session *s, const struct mqtt_packet *packet)
{
        struct mqtt_packet normal = *packet;
        s->version = (uint8_t)packet->connect.version;
        if (s->state == STATE_REFUSED)
                return session_refuse_connect(s, s->refusal);
        int r = session_take_method(s, &packet->props);
        if (r < 0 || s->state == STATE_CLOSED)
                return r;
        remember(s, packet);
        if (s->version == MQTT_V311 && !packet->connect.clean_start) {
                normal.props.present = MQTT_PROP(MQTT_P_SESSION_EXPIRY);
                normal.props.session_expiry = UINT32_MAX;
        }
        normal.connect.version = MQTT_V5;
        normal.connect.has_user_name = true;
        normal.connect.user_name = span_of(s->identity, s->identity_size);
        normal.connect.has_password = false;
        r = session_give(s, &normal);
        if (r < 0)
                return r;
        free(s->identity);
        s->identity = NULL;
        s->identity_size = 0;
        s->state = STATE_CONNECTING;
        return 0;
}

void session_on_bad_connect(struct session *s, uint8_t level, uint8_t reason)
{
        /* 3.1.1 knows an answer only to two mistakes (sections 3.1.2.2 and 3.1.3.1) */
        bool answer_311 = level != 0 && level < MQTT_V5 &&
                          (reason == MQTT_UNSUPPORTED_VERSION || reason == MQTT_BAD_CLIENT_ID);
        if (level >= MQTT_V5 || answer_311) {
                s->version = level >= MQTT_V5 ? MQTT_V5 : MQTT_V311;
                (void)session_send_ack(s, MQTT_CONNACK, 0, reason);
        }
        session_finish(s, reason, false);
}

static void add_limits(const struct session *s, struct mqtt_props *props)
{
        props->receive_maximum = s->limits.receive_maximum;
        props->maximum_packet_size = s->limits.packet_max;
        props->topic_alias_maximum = s->limits.topic_alias_maximum;
        props->shared_available = 0;
        props->present |= MQTT_PROP(MQTT_P_RECEIVE_MAXIMUM) | MQTT_PROP(MQTT_P_MAXIMUM_PACKET_SIZE) |
                          MQTT_PROP(MQTT_P_TOPIC_ALIAS_MAXIMUM) | MQTT_PROP(MQTT_P_SHARED_AVAILABLE);
        if (s->keep_alive_replaced) {
                props->server_keep_alive = s->keep_alive_s;
                props->present |= MQTT_PROP(MQTT_P_SERVER_KEEP_ALIVE);
        }
}

int session_on_connack(struct session *s, const struct mqtt_packet *packet)
{
        struct mqtt_packet full = *packet;
        bool refusal = packet->ack.reason >= 0x80;
        if (s->state != STATE_CONNECTING && !(s->state == STATE_PROVING && refusal))
                return -EBADMSG;
        if (refusal) {
                int r = session_send(s, packet);
                session_finish(s, packet->ack.reason, false);
                return r;
        }
        add_limits(s, &full.props);
        int r = session_send(s, &full);
        if (r == 0)
                s->state = STATE_OPEN;
        return r;
}
