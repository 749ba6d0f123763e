/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS records: contents of the fuzzer's choice are sealed by a peer and opened, then the rest as it is. Application
 * data comes out as it went in, and nothing is consumed by an error. Input: one byte (server or client opens), then
 * records: type, size (2 bytes), content; type 255: the rest, unsealed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "relay/cursor.h"
#include "tls/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t wire[65536 + RECORD_OVERHEAD];

/* false: the connection is over */
static bool open_it(struct record *end, size_t size, struct span expected, bool is_data)
{
        struct span content = SPAN_EMPTY;
        size_t consumed = 0;

        int r = record_open(end, wire, size, &consumed, &content);
        if (consumed > size || (r != 0 && r != RECORD_CLOSED && consumed != 0))
                abort();
        if (r == 0 && is_data && !span_equal(content, expected))
                abort();
        if (r == -EPROTO && strcmp(record_alert_name(end->alert), "unknown") == 0)
                abort(); /* what is to be sent has a name */
        return r == 0;
}

static bool sealed(struct record *peer, struct record *end, uint8_t type, struct span content)
{
        int size = record_seal(peer, (enum record_type)type, content, wire);

        if (size < 0)
                abort();
        bool goes_on = open_it(end, (size_t)size, content, type == RECORD_DATA);
        peer->out = end->in; /* a KeyUpdate changed them */
        return goes_on;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint8_t one[RECORD_SECRET_SIZE] = { 1 }, two[RECORD_SECRET_SIZE] = { 2 };
        struct record peer, end;
        struct reader r;

        reader_init(&r, span_of(data, size));
        bool server = reader_u8(&r) & 1;
        if (record_init(&end, RECORD_CHACHA20_POLY1305, server, one, two) < 0 ||
            record_init(&peer, RECORD_CHACHA20_POLY1305, !server, two, one) < 0)
                abort();
        while (reader_left(&r) > 0) {
                uint8_t type = reader_u8(&r);
                size_t left = reader_left(&r);
                struct span content = reader_bytes(&r, type == 255 ? left : reader_u16(&r));
                if (r.result != RELAY_OK || content.size > 65000)
                        return 0;
                if (type == 255) {
                        if (content.size)
                                memcpy(wire, content.data, content.size);
                        open_it(&end, content.size, SPAN_EMPTY, false);
                        return 0;
                }
                if (content.size <= RECORD_PLAIN_MAX && !sealed(&peer, &end, type, content))
                        return 0;
        }
        return 0;
}
