/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests in Python: the packet decoder behind a line protocol.
 * in:  VERSION HEX                       VERSION: 0 before CONNECT, 4, 5
 * out: TYPE key=value ... encoded=HEX    or: error 0xNN    or: more
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/mqtt.h"

#define LINE 200000

static void show(const char *name, struct span value)
{
        char *hex = malloc(2 * value.size + 1);
        if (!hex)
                abort();
        printf(" %s=%s", name, span_to_hex(value, hex, 2 * value.size + 1));
        free(hex);
}

static void show_filters(const struct mqtt_packet *p)
{
        struct mqtt_filters it;
        struct mqtt_filter f;
        printf(" id=%u", p->subscribe.packet_id);
        mqtt_filters_init(&it, p);
        while (mqtt_filters_next(&it, &f)) {
                show("filter", f.filter);
                printf(" options=%u,%d,%d,%u", f.qos, f.no_local, f.retain_as_published, f.retain_handling);
        }
}

static void show_connect(const struct mqtt_connect *c)
{
        printf(" version=%d clean=%d keep_alive=%u", (int)c->version, c->clean_start, c->keep_alive_s);
        show("client_id", c->client_id);
        if (c->has_will) {
                show("will_topic", c->will_topic);
                show("will_payload", c->will_payload);
                printf(" will=%u,%d", c->will_qos, c->will_retain);
        }
        if (c->has_user_name)
                show("user_name", c->user_name);
        if (c->has_password)
                show("password", c->password);
}

static void show_packet(const struct mqtt_packet *p)
{
        struct mqtt_user it;
        struct span name, value;
        printf("%s", mqtt_type_string(p->type));
        if (p->type == MQTT_CONNECT) {
                show_connect(&p->connect);
        } else if (p->type == MQTT_PUBLISH) {
                printf(" id=%u qos=%u retain=%d dup=%d", p->publish.packet_id, p->publish.qos, p->publish.retain,
                       p->publish.dup);
                show("topic", p->publish.topic);
                show("payload", p->publish.payload);
        } else if (p->type == MQTT_SUBSCRIBE || p->type == MQTT_UNSUBSCRIBE) {
                show_filters(p);
        } else if (p->type != MQTT_SUBACK && p->type != MQTT_UNSUBACK) {
                printf(" id=%u reason=%u", p->ack.packet_id, p->ack.reason);
        }
        printf(" present=%llx expiry=%u message_expiry=%u", (unsigned long long)p->props.present,
               p->props.session_expiry, p->props.message_expiry);
        mqtt_user_init(&it, p->props.raw);
        while (mqtt_user_next(&it, &name, &value)) {
                show("user", name);
                show("user_value", value);
        }
}

static void show_encoded(const struct mqtt_packet *p, int version)
{
        static uint8_t out[LINE];
        struct writer w;
        writer_init(&w, out, sizeof(out));
        if (mqtt_encode(&w, version, p) != RELAY_OK)
                abort();
        show("encoded", writer_span(&w));
}

int main(void)
{
        static char line[LINE], hex[LINE];
        static uint8_t bytes[LINE / 2];
        int version;
        while (fgets(line, sizeof(line), stdin) && sscanf(line, "%d %199999s", &version, hex) == 2) {
                struct mqtt_packet p;
                size_t size = strlen(hex) / 2, consumed;
                uint8_t reason;
                if (!span_from_hex(span_of(hex, 2 * size), bytes, size))
                        return 1;
                int result = mqtt_decode(span_of(bytes, size), version, SIZE_MAX, &p, &consumed, &reason);
                if (result == RELAY_MORE) {
                        printf("more");
                } else if (result != RELAY_OK) {
                        printf("error 0x%02x", reason);
                } else {
                        show_packet(&p);
                        show_encoded(&p, p.type == MQTT_CONNECT ? (int)p.connect.version : version);
                        printf(" consumed=%zu", consumed);
                }
                printf("\n");
                fflush(stdout);
        }
        return 0;
}
