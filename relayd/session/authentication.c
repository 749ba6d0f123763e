/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Enhanced authentication (MQTT 5 section 4.12): whose AUTH may come when. What it says is between client and hub.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

int session_take_method(struct session *s, const struct mqtt_props *props)
{
        struct span method = props->authentication_method;
        if (!(props->present & MQTT_PROP(MQTT_P_AUTH_METHOD)))
                return 0;
        if (method.size == 0 || method.size > SESSION_METHOD_MAX)
                return session_refuse_connect(s, MQTT_BAD_AUTH_METHOD);
        s->method = malloc(method.size);
        if (!s->method)
                return -ENOMEM;
        memcpy(s->method, method.data, method.size);
        s->method_size = (uint8_t)method.size;
        return 0;
}

/* Section 4.12, MQTT-4.12.0-5: every AUTH names the CONNECT's method. */
static bool method_fits(const struct session *s, const struct mqtt_packet *packet)
{
        return packet->props.present & MQTT_PROP(MQTT_P_AUTH_METHOD) &&
               span_equal(packet->props.authentication_method, span_of(s->method, s->method_size));
}

int session_on_proof(struct session *s, const struct mqtt_packet *packet, struct span whole)
{
        if (packet->type == MQTT_DISCONNECT) {
                session_finish(s, packet->ack.reason, false);
                return 0;
        }
        if (packet->type != MQTT_AUTH || packet->ack.reason != MQTT_CONTINUE_AUTHENTICATION)
                return session_refuse_connect(s, MQTT_PROTOCOL_ERROR);
        if (!method_fits(s, packet))
                return session_refuse_connect(s, MQTT_BAD_AUTH_METHOD);
        s->state = STATE_CONNECTING;
        s->packet = whole;
        return 0;
}

int session_on_auth(struct session *s, const struct mqtt_packet *packet, struct span whole)
{
        enum session_again due = packet->ack.reason == MQTT_REAUTHENTICATE ? AGAIN_NONE : AGAIN_CLIENT;
        bool wrong = !s->method || packet->ack.reason == MQTT_SUCCESS || s->again != due;
        if (wrong || !method_fits(s, packet)) {
                session_fail(s, wrong ? MQTT_PROTOCOL_ERROR : MQTT_BAD_AUTH_METHOD);
                return 0;
        }
        s->again = AGAIN_HUB;
        s->packet = whole;
        return 0;
}

int session_on_hub_auth(struct session *s, const struct mqtt_packet *packet)
{
        bool more = packet->ack.reason == MQTT_CONTINUE_AUTHENTICATION;
        bool connecting = s->state == STATE_CONNECTING && more;
        bool again = s->state == STATE_OPEN && s->again == AGAIN_HUB && packet->ack.reason != MQTT_REAUTHENTICATE;
        if (!s->method || !(connecting || again) || !method_fits(s, packet))
                return -EBADMSG;
        int r = session_send(s, packet);
        if (r < 0)
                return r;
        if (connecting)
                s->state = STATE_PROVING;
        else
                s->again = more ? AGAIN_CLIENT : AGAIN_NONE;
        return 0;
}
