/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * MQTT control packets, versions 3.1.1 and 5, both directions, every type.
 * Decoding copies nothing: spans point into the input. The codec checks each packet by itself; what needs the
 * session's memory (packet ids in use, alias table, order) is the session engine's.
 */

#include "relay/cursor.h"

enum mqtt_version { MQTT_V311 = 4, MQTT_V5 = 5 };

enum mqtt_type {
        MQTT_CONNECT = 1,
        MQTT_CONNACK,
        MQTT_PUBLISH,
        MQTT_PUBACK,
        MQTT_PUBREC,
        MQTT_PUBREL,
        MQTT_PUBCOMP,
        MQTT_SUBSCRIBE,
        MQTT_SUBACK,
        MQTT_UNSUBSCRIBE,
        MQTT_UNSUBACK,
        MQTT_PINGREQ,
        MQTT_PINGRESP,
        MQTT_DISCONNECT,
        MQTT_AUTH,
};

/* MQTT 5 section 2.4 */
enum mqtt_reason {
        MQTT_SUCCESS = 0x00,
        MQTT_GRANTED_QOS_1 = 0x01,
        MQTT_GRANTED_QOS_2 = 0x02,
        MQTT_DISCONNECT_WITH_WILL = 0x04,
        MQTT_NO_MATCHING_SUBSCRIBERS = 0x10,
        MQTT_NO_SUBSCRIPTION_EXISTED = 0x11,
        MQTT_CONTINUE_AUTHENTICATION = 0x18,
        MQTT_REAUTHENTICATE = 0x19,
        MQTT_UNSPECIFIED_ERROR = 0x80,
        MQTT_MALFORMED_PACKET = 0x81,
        MQTT_PROTOCOL_ERROR = 0x82,
        MQTT_IMPLEMENTATION_ERROR = 0x83,
        MQTT_UNSUPPORTED_VERSION = 0x84,
        MQTT_BAD_CLIENT_ID = 0x85,
        MQTT_BAD_USER_NAME = 0x86,
        MQTT_NOT_AUTHORIZED = 0x87,
        MQTT_SERVER_UNAVAILABLE = 0x88,
        MQTT_SERVER_BUSY = 0x89,
        MQTT_BANNED = 0x8A,
        MQTT_SHUTTING_DOWN = 0x8B,
        MQTT_BAD_AUTH_METHOD = 0x8C,
        MQTT_KEEP_ALIVE_TIMEOUT = 0x8D,
        MQTT_SESSION_TAKEN_OVER = 0x8E,
        MQTT_BAD_TOPIC_FILTER = 0x8F,
        MQTT_BAD_TOPIC_NAME = 0x90,
        MQTT_PACKET_ID_IN_USE = 0x91,
        MQTT_PACKET_ID_NOT_FOUND = 0x92,
        MQTT_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
        MQTT_BAD_TOPIC_ALIAS = 0x94,
        MQTT_PACKET_TOO_LARGE = 0x95,
        MQTT_RATE_TOO_HIGH = 0x96,
        MQTT_QUOTA_EXCEEDED = 0x97,
        MQTT_ADMINISTRATIVE_ACTION = 0x98,
        MQTT_BAD_PAYLOAD_FORMAT = 0x99,
        MQTT_NO_RETAIN = 0x9A,
        MQTT_NO_QOS = 0x9B,
        MQTT_USE_ANOTHER_SERVER = 0x9C,
        MQTT_SERVER_MOVED = 0x9D,
        MQTT_NO_SHARED_SUBSCRIPTIONS = 0x9E,
        MQTT_CONNECTION_RATE = 0x9F,
        MQTT_MAXIMUM_CONNECT_TIME = 0xA0,
        MQTT_NO_SUBSCRIPTION_IDS = 0xA1,
        MQTT_NO_WILDCARDS = 0xA2,
};

/*
 * Properties (MQTT 5 section 2.2.2.2). present: bit n is set if property identifier n (1..42) is there.
 * Which may stand in which packet, and that none but user properties (and subscription ids in PUBLISH) repeat, is
 * checked.
 */
struct mqtt_props {
        uint64_t present;
        uint8_t payload_format, request_problem_information, request_response_information, maximum_qos;
        uint8_t retain_available, wildcard_available, subscription_id_available, shared_available;
        uint16_t server_keep_alive, receive_maximum, topic_alias_maximum, topic_alias;
        uint32_t message_expiry, session_expiry, will_delay, maximum_packet_size;
        uint32_t subscription_id; /* the first; all of them are in raw. Written: this one, then those after raw's first
                                   */
        struct span content_type, response_topic, correlation_data, assigned_client_id, authentication_method;
        struct span authentication_data, response_information, server_reference, reason_string;
        struct span
                user;    /* encoded; only user properties in it are written: see mqtt_user_put(); when reading: = raw */
        struct span raw; /* the whole encoded property list that was read, without its length; empty when built anew */
};
#define MQTT_PROP(n) (UINT64_C(1) << (n))
enum mqtt_prop {
        MQTT_P_PAYLOAD_FORMAT = 1,
        MQTT_P_MESSAGE_EXPIRY = 2,
        MQTT_P_CONTENT_TYPE = 3,
        MQTT_P_RESPONSE_TOPIC = 8,
        MQTT_P_CORRELATION_DATA = 9,
        MQTT_P_SUBSCRIPTION_ID = 11,
        MQTT_P_SESSION_EXPIRY = 17,
        MQTT_P_ASSIGNED_CLIENT_ID = 18,
        MQTT_P_SERVER_KEEP_ALIVE = 19,
        MQTT_P_AUTH_METHOD = 21,
        MQTT_P_AUTH_DATA = 22,
        MQTT_P_REQUEST_PROBLEM = 23,
        MQTT_P_WILL_DELAY = 24,
        MQTT_P_REQUEST_RESPONSE = 25,
        MQTT_P_RESPONSE_INFO = 26,
        MQTT_P_SERVER_REFERENCE = 28,
        MQTT_P_REASON_STRING = 31,
        MQTT_P_RECEIVE_MAXIMUM = 33,
        MQTT_P_TOPIC_ALIAS_MAXIMUM = 34,
        MQTT_P_TOPIC_ALIAS = 35,
        MQTT_P_MAXIMUM_QOS = 36,
        MQTT_P_RETAIN_AVAILABLE = 37,
        MQTT_P_USER = 38,
        MQTT_P_MAXIMUM_PACKET_SIZE = 39,
        MQTT_P_WILDCARD_AVAILABLE = 40,
        MQTT_P_SUBSCRIPTION_ID_AVAILABLE = 41,
        MQTT_P_SHARED_AVAILABLE = 42,
};

struct mqtt_user {
        struct span left;
};
/* Walks the user properties of a decoded packet: init with props->raw (or an encoded list), false at the end. */
void mqtt_user_init(struct mqtt_user *it, struct span encoded);
bool mqtt_user_next(struct mqtt_user *it, struct span *name, struct span *value);
/* the value of the first user property of this name; false if there is none */
bool mqtt_user_find(const struct mqtt_props *props, const char *name, struct span *value);
/* Appends one encoded user property (identifier included); set props.user = writer_span(w) and the MQTT_P_USER bit. */
void mqtt_user_put(struct writer *w, struct span name, struct span value);

struct mqtt_connect {
        enum mqtt_version version;
        bool clean_start;
        uint16_t keep_alive_s;
        struct span client_id;
        bool has_will;
        uint8_t will_qos;
        bool will_retain;
        struct mqtt_props will_props;
        struct span will_topic, will_payload;
        bool has_user_name, has_password;
        struct span user_name, password;
};
struct mqtt_publish {
        bool dup, retain;
        uint8_t qos;
        uint16_t packet_id; /* 0 with QoS 0 */
        struct span topic;  /* may be empty if an alias is given */
        struct span payload;
};
/* PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT, AUTH, CONNACK */
struct mqtt_ack {
        uint16_t packet_id;   /* not in CONNACK, DISCONNECT, AUTH */
        uint8_t reason;       /* MQTT 5 code; in a 3.1.1 CONNACK the 3.1.1 return code as it stands on the wire */
        bool session_present; /* CONNACK only */
};
/* SUBSCRIBE, UNSUBSCRIBE: the list stays encoded, see mqtt_filter_next(). */
struct mqtt_subscribe {
        uint16_t packet_id;
        struct span filters;
        size_t count;
};
/* SUBACK, UNSUBACK */
struct mqtt_suback {
        uint16_t packet_id;
        struct span reasons; /* one byte each; empty in a 3.1.1 UNSUBACK */
};

struct mqtt_packet {
        enum mqtt_type type;
        struct mqtt_props props; /* all absent in 3.1.1 */
        union {
                struct mqtt_connect connect;
                struct mqtt_publish publish;
                struct mqtt_ack ack;
                struct mqtt_subscribe subscribe;
                struct mqtt_suback suback;
        };
};

struct mqtt_filter {
        struct span filter;
        uint8_t qos;
        bool no_local, retain_as_published;
        uint8_t retain_handling; /* 0, 1, 2 */
};
struct mqtt_filters {
        struct reader r;
        bool options; /* SUBSCRIBE has an options byte, UNSUBSCRIBE has none */
};
void mqtt_filters_init(struct mqtt_filters *it, const struct mqtt_packet *packet);
bool mqtt_filters_next(struct mqtt_filters *it, struct mqtt_filter *out);
/* Appends one encoded filter for mqtt_subscribe.filters; options = false for UNSUBSCRIBE. */
void mqtt_filter_put(struct writer *w, const struct mqtt_filter *filter, bool options);

/*
 * Decodes the packet at the start of in.
 * version: of the session; before CONNECT pass 0, and take packet->connect.version afterwards.
 * max_size: bytes of the largest packet we accept.
 * RELAY_OK: *out and *consumed (whole packet). RELAY_MORE: in holds only a part; *consumed = bytes the whole packet
 * will take if its header is there already, else 0. Errors: RELAY_E_MALFORMED, RELAY_E_TRUNCATED (a field runs out of
 * its packet), RELAY_E_RANGE (larger than max_size), and *reason is the MQTT 5 reason code to answer with (0x81, 0x82,
 * 0x84, 0x85, 0x8F, 0x90, 0x94, 0x95). Without RELAY_OK *out is scratch, but for a CONNECT connect.version is the
 * protocol level if that was read and 0 if not, so that the refusal can be told in the client's version.
 */
int mqtt_decode(struct span in, int version, size_t max_size, struct mqtt_packet *out, size_t *consumed,
                uint8_t *reason);

/*
 * Appends one packet. With version 3.1.1 properties are left out and reason codes mapped or dropped (a 3.1.1 CONNACK
 * gets the nearest return code). CONNECT takes its version from packet->connect. A PUBLISH payload is copied.
 * RELAY_OK or the writer's error; RELAY_E_RANGE: a property that may not stand in this packet, a string above 65,535
 * bytes; RELAY_E_UNSUPPORTED: AUTH in 3.1.1.
 */
int mqtt_encode(struct writer *w, int version, const struct mqtt_packet *packet);

/* Does the standard list this reason code for this packet type (MQTT 5 section 2.4)? Others do not decode. */
bool mqtt_reason_fits(enum mqtt_type type, uint8_t reason);

const char *mqtt_type_string(enum mqtt_type type); /* "PUBLISH"; "unknown"; static storage */
const char *mqtt_reason_string(uint8_t reason);    /* "Not authorized"; "unknown" */
