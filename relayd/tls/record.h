/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * TLS 1.3 records after the handshake (RFC 8446 section 5): protection, alerts, KeyUpdate. No socket; for this folder.
 * A WOLFSSL object costs 60 KB for as long as it lives; what a session needs of it is this struct.
 */

#include <stdbool.h>

#include "relay/span.h"

#define RECORD_HEADER_SIZE  5
#define RECORD_PLAIN_MAX    16384
#define RECORD_OVERHEAD     (RECORD_HEADER_SIZE + 1 + 16) /* header, content type, tag */
#define RECORD_SIZE_MAX     (RECORD_HEADER_SIZE + RECORD_PLAIN_MAX + 256)
#define RECORD_SECRET_SIZE  32                  /* both suites hash with SHA-256 */
#define RECORD_UPDATE_AFTER (UINT64_C(1) << 24) /* records under one key; section 5.5 allows AES-GCM 2^24.5 */

enum record_suite { RECORD_CHACHA20_POLY1305, RECORD_AES_128_GCM };

enum record_type { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };

enum record_alert { /* section 6; the ones this end sends */
                    ALERT_CLOSE_NOTIFY = 0,
                    ALERT_UNEXPECTED_MESSAGE = 10,
                    ALERT_BAD_RECORD_MAC = 20,
                    ALERT_RECORD_OVERFLOW = 22,
                    ALERT_ILLEGAL_PARAMETER = 47,
                    ALERT_DECODE_ERROR = 50,
                    ALERT_INTERNAL_ERROR = 80,
};

struct record_direction {
        uint8_t secret[RECORD_SECRET_SIZE], key[32], iv[12];
        uint64_t sequence;
};

struct record {
        struct record_direction in, out;
        enum record_suite suite;
        bool server;
        bool update_due;       /* the peer asked for new keys of ours, too */
        uint8_t message[4];    /* header of a handshake message that is not whole yet */
        uint8_t message_fill;  /* of it */
        uint32_t message_left; /* bytes of its body still to come */
        uint8_t alert;         /* of the peer, or the one to send */
};

/* With the application traffic secrets of a finished handshake; both sequence numbers are 0. 0 or -EIO */
int record_init(struct record *r, enum record_suite suite, bool server, const uint8_t in_secret[RECORD_SECRET_SIZE],
                const uint8_t out_secret[RECORD_SECRET_SIZE]);
void record_wipe(struct record *r);

/* positive answers of record_open() */
#define RECORD_MORE   1 /* the record is not whole yet; nothing was consumed */
#define RECORD_CLOSED 2 /* close_notify */
/*
 * Opens the record at the start of bytes in place: 0, *consumed, and *data inside bytes (empty: a record without
 * application data). -ECONNABORTED: the peer's fatal alert is in r->alert; -EPROTO: the peer is wrong, r->alert is to
 * be sent. After an error the connection is over.
 */
int record_open(struct record *r, uint8_t *bytes, size_t size, size_t *consumed, struct span *data);
/*
 * Writes plain (at most RECORD_PLAIN_MAX bytes) as one record of this type to out, which has room for plain.size +
 * RECORD_OVERHEAD. Gives its size, or -EIO.
 */
int record_seal(struct record *r, enum record_type type, struct span plain, uint8_t *out);
/* Is a KeyUpdate due before the next application data? */
bool record_update_due(const struct record *r);
/* The KeyUpdate record, and new keys for what follows. out: 5 bytes + RECORD_OVERHEAD. Its size, or -EIO */
#define RECORD_UPDATE_SIZE (5 + RECORD_OVERHEAD)
int record_update(struct record *r, uint8_t *out);
/* "bad certificate" and so on; "unknown" for numbers without a name here */
const char *record_alert_name(uint8_t alert);
