/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MQTT 5 properties (section 2.2.2): one table says which form each has and where it may stand.
 */

#include <string.h>

#include "mqtt_internal.h"

#include "relay/topic.h"

enum form { FORM_NONE, FORM_BOOL, FORM_U16, FORM_U32, FORM_VARINT, FORM_STRING, FORM_TOPIC, FORM_BINARY, FORM_PAIR };

struct rule {
        uint8_t form;
        uint8_t zero_reason; /* reason code if the value is 0; MQTT_SUCCESS: 0 is fine */
        uint16_t packets;    /* bit n: may stand in packet type n; bit 0: in a will */
        uint16_t offset;     /* of the value in struct mqtt_props */
};

#define AT(member) offsetof(struct mqtt_props, member)
#define IN_PUBLISH (MQTT_BIT(MQTT_PUBLISH) | MQTT_BIT(MQTT_WILL))
#define IN_CONNECT MQTT_BIT(MQTT_CONNECT)
#define IN_CONNACK MQTT_BIT(MQTT_CONNACK)
#define IN_BOTH    (IN_CONNECT | IN_CONNACK)
#define IN_AUTH    (IN_BOTH | MQTT_BIT(MQTT_AUTH))
#define IN_DISCO   MQTT_BIT(MQTT_DISCONNECT)
#define IN_ACKS                                                                                           \
        (MQTT_BIT(MQTT_PUBACK) | MQTT_BIT(MQTT_PUBREC) | MQTT_BIT(MQTT_PUBREL) | MQTT_BIT(MQTT_PUBCOMP) | \
         MQTT_BIT(MQTT_SUBACK) | MQTT_BIT(MQTT_UNSUBACK))
#define IN_REASON (IN_CONNACK | IN_ACKS | IN_DISCO | MQTT_BIT(MQTT_AUTH))
#define IN_USER   (IN_REASON | IN_PUBLISH | IN_CONNECT | MQTT_BIT(MQTT_SUBSCRIBE) | MQTT_BIT(MQTT_UNSUBSCRIBE))

static const struct rule rules[] = {
        [MQTT_P_PAYLOAD_FORMAT] = { FORM_BOOL, 0, IN_PUBLISH, AT(payload_format) },
        [MQTT_P_MESSAGE_EXPIRY] = { FORM_U32, 0, IN_PUBLISH, AT(message_expiry) },
        [MQTT_P_CONTENT_TYPE] = { FORM_STRING, 0, IN_PUBLISH, AT(content_type) },
        [MQTT_P_RESPONSE_TOPIC] = { FORM_TOPIC, 0, IN_PUBLISH, AT(response_topic) },
        [MQTT_P_CORRELATION_DATA] = { FORM_BINARY, 0, IN_PUBLISH, AT(correlation_data) },
        [MQTT_P_SUBSCRIPTION_ID] = { FORM_VARINT, MQTT_PROTOCOL_ERROR,
                                     MQTT_BIT(MQTT_PUBLISH) | MQTT_BIT(MQTT_SUBSCRIBE), AT(subscription_id) },
        [MQTT_P_SESSION_EXPIRY] = { FORM_U32, 0, IN_BOTH | IN_DISCO, AT(session_expiry) },
        [MQTT_P_ASSIGNED_CLIENT_ID] = { FORM_STRING, 0, IN_CONNACK, AT(assigned_client_id) },
        [MQTT_P_SERVER_KEEP_ALIVE] = { FORM_U16, 0, IN_CONNACK, AT(server_keep_alive) },
        [MQTT_P_AUTH_METHOD] = { FORM_STRING, 0, IN_AUTH, AT(authentication_method) },
        [MQTT_P_AUTH_DATA] = { FORM_BINARY, 0, IN_AUTH, AT(authentication_data) },
        [MQTT_P_REQUEST_PROBLEM] = { FORM_BOOL, 0, IN_CONNECT, AT(request_problem_information) },
        [MQTT_P_WILL_DELAY] = { FORM_U32, 0, MQTT_BIT(MQTT_WILL), AT(will_delay) },
        [MQTT_P_REQUEST_RESPONSE] = { FORM_BOOL, 0, IN_CONNECT, AT(request_response_information) },
        [MQTT_P_RESPONSE_INFO] = { FORM_STRING, 0, IN_CONNACK, AT(response_information) },
        [MQTT_P_SERVER_REFERENCE] = { FORM_STRING, 0, IN_CONNACK | IN_DISCO, AT(server_reference) },
        [MQTT_P_REASON_STRING] = { FORM_STRING, 0, IN_REASON, AT(reason_string) },
        [MQTT_P_RECEIVE_MAXIMUM] = { FORM_U16, MQTT_PROTOCOL_ERROR, IN_BOTH, AT(receive_maximum) },
        [MQTT_P_TOPIC_ALIAS_MAXIMUM] = { FORM_U16, 0, IN_BOTH, AT(topic_alias_maximum) },
        [MQTT_P_TOPIC_ALIAS] = { FORM_U16, MQTT_BAD_TOPIC_ALIAS, MQTT_BIT(MQTT_PUBLISH), AT(topic_alias) },
        [MQTT_P_MAXIMUM_QOS] = { FORM_BOOL, 0, IN_CONNACK, AT(maximum_qos) },
        [MQTT_P_RETAIN_AVAILABLE] = { FORM_BOOL, 0, IN_CONNACK, AT(retain_available) },
        [MQTT_P_USER] = { FORM_PAIR, 0, IN_USER, 0 },
        [MQTT_P_MAXIMUM_PACKET_SIZE] = { FORM_U32, MQTT_PROTOCOL_ERROR, IN_BOTH, AT(maximum_packet_size) },
        [MQTT_P_WILDCARD_AVAILABLE] = { FORM_BOOL, 0, IN_CONNACK, AT(wildcard_available) },
        [MQTT_P_SUBSCRIPTION_ID_AVAILABLE] = { FORM_BOOL, 0, IN_CONNACK, AT(subscription_id_available) },
        [MQTT_P_SHARED_AVAILABLE] = { FORM_BOOL, 0, IN_CONNACK, AT(shared_available) },
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

static const struct rule *find_rule(uint32_t id)
{
        return id < RULE_COUNT && rules[id].form != FORM_NONE ? &rules[id] : NULL;
}

/* the value of any form; *number or *bytes is set */
static void get_value(struct mqtt_reader *m, enum form form, uint32_t *number, struct span *bytes)
{
        switch (form) {
        case FORM_BOOL:
                *number = reader_u8(&m->r);
                if (*number > 1)
                        mqtt_fail(m, MQTT_PROTOCOL_ERROR);
                break;
        case FORM_U16:
                *number = reader_u16(&m->r);
                break;
        case FORM_U32:
                *number = reader_u32(&m->r);
                break;
        case FORM_VARINT:
                *number = mqtt_get_varint(m);
                break;
        case FORM_STRING:
                *bytes = mqtt_get_string(m);
                break;
        case FORM_TOPIC:
                *bytes = mqtt_get_string(m);
                if (m->r.result == RELAY_OK && !topic_name_is_valid(*bytes))
                        mqtt_fail(m, MQTT_PROTOCOL_ERROR);
                break;
        case FORM_BINARY:
                *bytes = mqtt_get_binary(m);
                break;
        case FORM_PAIR:
                mqtt_get_string(m);
                mqtt_get_string(m);
                break;
        case FORM_NONE:
                break;
        }
}

static void store_value(struct mqtt_props *props, const struct rule *rule, uint32_t number, struct span bytes)
{
        uint8_t *at = (uint8_t *)props + rule->offset;
        switch ((enum form)rule->form) {
        case FORM_BOOL:
                *at = (uint8_t)number;
                break;
        case FORM_U16:
                *(uint16_t *)(void *)at = (uint16_t)number;
                break;
        case FORM_U32:
        case FORM_VARINT:
                *(uint32_t *)(void *)at = number;
                break;
        case FORM_STRING:
        case FORM_TOPIC:
        case FORM_BINARY:
                *(struct span *)(void *)at = bytes;
                break;
        case FORM_PAIR:
        case FORM_NONE:
                break;
        }
}

static void get_property(struct mqtt_reader *m, unsigned type, struct mqtt_props *props)
{
        uint32_t id = mqtt_get_varint(m), number = 1;
        struct span bytes = SPAN_EMPTY;
        const struct rule *rule = find_rule(id);
        if (!rule || !(rule->packets & MQTT_BIT(type))) {
                mqtt_fail(m, MQTT_MALFORMED_PACKET);
                return;
        }
        bool again = props->present & MQTT_PROP(id);
        if (again && id != MQTT_P_USER && (id != MQTT_P_SUBSCRIPTION_ID || type != MQTT_PUBLISH)) {
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
                return;
        }
        get_value(m, (enum form)rule->form, &number, &bytes);
        if (m->r.result != RELAY_OK)
                return;
        if (rule->zero_reason && number == 0) {
                mqtt_fail(m, rule->zero_reason);
                return;
        }
        props->present |= MQTT_PROP(id);
        if (!again)
                store_value(props, rule, number, bytes);
}

void mqtt_get_props(struct mqtt_reader *m, unsigned type, struct mqtt_props *props)
{
        uint32_t size = mqtt_get_varint(m);
        struct span raw = reader_bytes(&m->r, size);
        if (m->r.result != RELAY_OK || size == 0)
                return;
        struct mqtt_reader list = { 0 };
        reader_init(&list.r, raw);
        while (reader_left(&list.r) > 0)
                get_property(&list, type, props);
        if (list.r.result != RELAY_OK) {
                mqtt_fail(m, list.reason ? list.reason : MQTT_MALFORMED_PACKET);
                return;
        }
        props->raw = raw;
        props->user = raw;
        bool data = props->present & MQTT_PROP(MQTT_P_AUTH_DATA),
             method = props->present & MQTT_PROP(MQTT_P_AUTH_METHOD);
        if (data && !method)
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
}

/* ---- writing */

static void put_value(struct writer *w, const struct mqtt_props *props, const struct rule *rule)
{
        const uint8_t *at = (const uint8_t *)props + rule->offset;
        switch ((enum form)rule->form) {
        case FORM_BOOL:
                writer_u8(w, *at);
                break;
        case FORM_U16:
                writer_u16(w, *(const uint16_t *)(const void *)at);
                break;
        case FORM_U32:
                writer_u32(w, *(const uint32_t *)(const void *)at);
                break;
        case FORM_VARINT:
                mqtt_put_varint(w, *(const uint32_t *)(const void *)at);
                break;
        case FORM_STRING:
        case FORM_TOPIC:
        case FORM_BINARY:
                mqtt_put_binary(w, *(const struct span *)(const void *)at);
                break;
        case FORM_PAIR:
        case FORM_NONE:
                break;
        }
}

/* Reads the next property of an encoded list without judging it; false at the end. */
static bool next_encoded(struct span *left, uint32_t *id, struct span *whole)
{
        struct mqtt_reader m = { 0 };
        uint32_t number;
        struct span bytes;
        reader_init(&m.r, *left);
        if (reader_left(&m.r) == 0)
                return false;
        *id = mqtt_get_varint(&m);
        const struct rule *rule = find_rule(*id);
        if (!rule)
                return false;
        get_value(&m, (enum form)rule->form, &number, &bytes);
        if (m.r.result != RELAY_OK)
                return false;
        *whole = span_slice(*left, 0, m.r.at);
        *left = span_slice(*left, m.r.at, left->size);
        return true;
}

/* Copies the properties of one identifier from an encoded list, all but the first skip of them. */
static void copy_encoded(struct writer *w, struct span from, uint32_t wanted, size_t skip)
{
        uint32_t id;
        struct span whole;
        while (next_encoded(&from, &id, &whole)) {
                if (id != wanted)
                        continue;
                if (skip > 0)
                        skip--;
                else
                        writer_bytes(w, whole);
        }
}

static void put_list(struct writer *w, unsigned type, const struct mqtt_props *props)
{
        uint64_t left = props->present;
        for (uint32_t id = 1; id < RULE_COUNT && left >> id; id++) {
                if (!(left & MQTT_PROP(id)))
                        continue;
                const struct rule *rule = find_rule(id);
                if (!rule || !(rule->packets & MQTT_BIT(type))) {
                        writer_fail(w, RELAY_E_RANGE);
                        return;
                }
                if (id == MQTT_P_USER)
                        continue;
                writer_u8(w, (uint8_t)id);
                put_value(w, props, rule);
                if (id == MQTT_P_SUBSCRIPTION_ID && type == MQTT_PUBLISH)
                        copy_encoded(w, props->raw, id, 1);
        }
        if (left & MQTT_PROP(MQTT_P_USER))
                copy_encoded(w, props->user, MQTT_P_USER, 0);
}

void mqtt_put_props(struct writer *w, unsigned type, const struct mqtt_props *props)
{
        if (props->present == 0) {
                writer_u8(w, 0);
                return;
        }
        struct writer measure;
        writer_init(&measure, NULL, 0);
        put_list(&measure, type, props);
        mqtt_put_varint(w, writer_needed(&measure));
        put_list(w, type, props);
}

/* ---- user properties */

void mqtt_user_init(struct mqtt_user *it, struct span encoded)
{
        it->left = encoded;
}

bool mqtt_user_next(struct mqtt_user *it, struct span *name, struct span *value)
{
        uint32_t id;
        struct span whole;
        while (next_encoded(&it->left, &id, &whole)) {
                if (id != MQTT_P_USER)
                        continue;
                struct mqtt_reader m = { 0 };
                reader_init(&m.r, whole);
                mqtt_get_varint(&m);
                *name = mqtt_get_binary(&m);
                *value = mqtt_get_binary(&m);
                return true;
        }
        return false;
}

bool mqtt_user_find(const struct mqtt_props *props, const char *name, struct span *value)
{
        struct mqtt_user it;
        struct span key, found;
        if (!(props->present & MQTT_PROP(MQTT_P_USER)))
                return false;
        mqtt_user_init(&it, props->user);
        while (mqtt_user_next(&it, &key, &found)) {
                if (!span_equal_string(key, name))
                        continue;
                *value = found;
                return true;
        }
        return false;
}

void mqtt_user_put(struct writer *w, struct span name, struct span value)
{
        writer_u8(w, MQTT_P_USER);
        mqtt_put_binary(w, name);
        mqtt_put_binary(w, value);
}
