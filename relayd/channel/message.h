/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Messages between a front end and the hub: SOCK_SEQPACKET, one datagram holds one or more messages back to back
 * (a batch). Integers are big-endian. Both ends use this codec.
 *
 * header, 16 bytes:  u8 version (1) | u8 type | u16 flags (0) | u32 session | u32 size of the payload | u32 token
 *
 * A session number is chosen by the front end, unique among its open ones, never 0. MQTT packets travel normalised:
 * MQTT 5 encoding, topic aliases resolved, checked by the session engine; the hub decodes them with the same codec.
 *
 * | type    | from  | payload                                                                          |
 * |---------|-------|----------------------------------------------------------------------------------|
 * | HELLO   | both  | u32 protocol version (1), u32 pid, u32 largest datagram taken; session 0, first   |
 * | OPEN    | front | peer address (u8 size + ASCII), u16 own port, u8 n, n x (u16 size + DER), leaf first  |
 * | ADMIT   | hub   | u8 size + identity, u8 kind (channel_peer_kind)                                   |
 * | REFUSE  | hub   | u8 MQTT reason code, u8 size + reason name                                        |
 * | PACKET  | both  | one normalised MQTT packet; front: CONNECT, PUBLISH, SUBSCRIBE ... hub: CONNACK, ... |
 * | CLOSE   | both  | u8 MQTT reason code, u8 how (channel_close_how); the sender forgets the session   |
 * | CREDIT  | hub   | u32: PACKETs the front end may still send for this session (session 0: for all)   |
 * | STOP    | hub   | none: the hub shuts down; close all sessions with 0x8B                            |
 *
 * OPEN comes when the TLS handshake is done, and before any byte of MQTT is believed. The hub answers ADMIT or REFUSE;
 * a refused session gets its CONNACK with the reason and is closed.
 */

#include <stdint.h>

#include "relay/cursor.h"

#define CHANNEL_VERSION          1
#define CHANNEL_HEADER_SIZE      16
#define CHANNEL_PAYLOAD_MAX      65536        /* bytes of one payload */
#define CHANNEL_DATAGRAM_MAX     (128 * 1024) /* bytes of one batch */
#define CHANNEL_CERTIFICATES_MAX 4
#define CHANNEL_PACKET_MAX       (CHANNEL_PAYLOAD_MAX)

enum channel_type {
        CHANNEL_HELLO = 1,
        CHANNEL_OPEN,
        CHANNEL_ADMIT,
        CHANNEL_REFUSE,
        CHANNEL_PACKET,
        CHANNEL_CLOSE,
        CHANNEL_CREDIT,
        CHANNEL_STOP,
};
enum channel_peer_kind { CHANNEL_PEER_DEVICE = 1, CHANNEL_PEER_APPLICATION = 2 };
enum channel_close_how {
        CHANNEL_CLOSE_NORMAL = 0,    /* client sent DISCONNECT 0x00: no will */
        CHANNEL_CLOSE_WITH_WILL = 1, /* connection lost, protocol error, keep-alive, DISCONNECT 0x04 */
        CHANNEL_CLOSE_BY_HUB = 2,
};

struct channel_hello {
        uint32_t protocol, pid, datagram_max;
};
struct channel_open {
        struct span peer; /* "192.0.2.7:40112", "[2001:db8::1]:40112" */
        uint16_t port;    /* of our own end: which listener it came to; 0: not known */
        size_t certificate_count;
        struct span certificates[CHANNEL_CERTIFICATES_MAX]; /* DER, leaf first */
};
struct channel_admit {
        struct span identity;
        enum channel_peer_kind kind;
};
struct channel_refuse {
        uint8_t mqtt_reason;
        struct span reason; /* reason_name() */
};
struct channel_close {
        uint8_t mqtt_reason;
        enum channel_close_how how;
};
struct channel_message {
        enum channel_type type;
        uint32_t session;
        uint32_t token; /* free for the sender; 0 now */
        union {
                struct channel_hello hello;
                struct channel_open open;
                struct channel_admit admit;
                struct channel_refuse refuse;
                struct span packet;
                struct channel_close close;
                uint32_t credit;
        };
};

/* Decodes the next message of a datagram. RELAY_OK, or RELAY_E_TRUNCATED / RELAY_E_MALFORMED / RELAY_E_RANGE: drop the
 * peer. */
int channel_decode(struct reader *datagram, struct channel_message *out);
/* Appends one message; RELAY_E_SPACE leaves w as it was before (start a new datagram). */
int channel_encode(struct writer *w, const struct channel_message *message);

/*
 * Signing requests: own SOCK_SEQPACKET socket, own thread in the hub.
 * request:  u8 version (1) | u8 hash size (32 or 48) | u32 token | transcript hash
 * answer:   u8 version (1) | u8 status (0 ok) | u32 token | signature (64 bytes, if ok)
 * The hub builds the CertificateVerify content (RFC 8446 section 4.4.3, server context string) around the hash itself.
 */
#define CHANNEL_SIGN_HASH_MAX 48
struct channel_sign_request {
        uint32_t token;
        struct span hash;
};
struct channel_sign_answer {
        uint32_t token;
        uint8_t status;
        struct span signature;
};
int channel_sign_request_decode(struct span in, struct channel_sign_request *out);
int channel_sign_request_encode(struct writer *w, const struct channel_sign_request *request);
int channel_sign_answer_decode(struct span in, struct channel_sign_answer *out);
int channel_sign_answer_encode(struct writer *w, const struct channel_sign_answer *answer);
