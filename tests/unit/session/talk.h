/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A session, the client and the hub of a test, all in hexadecimal text (hex.h).
 */

#include "hex.h"

#include "session/internal.h"

static const struct session_limits talk_limits = {
        .packet_max = 4096,
        .receive_maximum = 4,
        .topic_alias_maximum = 3,
        .keep_alive_max_s = 600,
        .connect_timeout_ms = 5000,
        .output_max = 8192,
};

struct talk {
        struct session *s;
        uint64_t now;
        const char *identity;
        bool expect_nothing;
};

#define CONNECT_5        "10 ?? 0004'MQTT' 05 02 003C () 0001'd'"
#define CONNECT_5_NORMAL "10 ?? 0004'MQTT' 05 82 003C () 0001'd' 0001'd'"
#define CONNECT_4        "10 ?? 0004'MQTT' 04 02 003C 0001'd'"
#define CONNACK_5        "20 ?? 00 00 (210004 220003 2700001000 2A00)"
#define CONNACK_4        "20 02 00 00"
#define HUB_CONNACK      "20 03 00 00 00"

/* the client sends; everything has to be taken until an event is there */
static inline void from_client(struct talk *t, const char *text)
{
        uint8_t bytes[HEX_MAX];
        size_t size = hex_bytes(text, bytes);
        static uint8_t *copy; /* alive until the next call: events may point to it */
        free(copy);
        copy = malloc(size);
        memcpy(copy, bytes, size);
        assert_int_equal(session_input(t->s, span_of(copy, size), t->now), size);
}

static inline int from_hub_result(struct talk *t, const char *text)
{
        uint8_t bytes[HEX_MAX];
        size_t size = hex_bytes(text, bytes);
        return session_from_hub(t->s, span_of(bytes, size), t->now);
}

static inline void from_hub(struct talk *t, const char *text)
{
        assert_int_equal(from_hub_result(t, text), 0);
}

static inline void assert_bytes(struct span got, const char *text, const char *what)
{
        uint8_t want[HEX_MAX];
        size_t size = hex_bytes(text, want);
        if (got.size == size && (size == 0 || memcmp(got.data, want, size) == 0))
                return;
        char hex[2 * HEX_MAX + 1];
        fail_msg("%s: got %s, expected %s", what, span_to_hex(got, hex, sizeof(hex)), text);
}

/* the next event is this packet for the hub */
static inline void to_hub(struct talk *t, const char *text)
{
        struct session_event event;
        assert_int_equal(session_next(t->s, &event), 0);
        assert_int_equal(event.type, SESSION_EVENT_PACKET);
        assert_bytes(event.packet, text, "to the hub");
}

/* all output so far is this, and it goes */
static inline void to_client(struct talk *t, const char *text)
{
        struct span out = session_output(t->s);
        assert_bytes(out, text, "to the client");
        session_sent(t->s, out.size, t->now);
}

static inline void nothing_more(struct talk *t)
{
        struct session_event event;
        assert_int_equal(session_next(t->s, &event), 1);
        assert_int_equal(session_output(t->s).size, 0);
}

/* the next event is the end */
static inline void ends(struct talk *t, uint8_t reason, bool with_will)
{
        struct session_event event;
        assert_int_equal(session_next(t->s, &event), 0);
        assert_int_equal(event.type, SESSION_EVENT_CLOSE);
        assert_int_equal(event.mqtt_reason, reason);
        assert_int_equal(event.with_will, with_will);
        nothing_more(t);
}

static inline void talk_new(struct talk *t)
{
        *t = (struct talk){ .now = 1000, .identity = "d" };
        assert_int_equal(session_new(&t->s, &talk_limits, t->now), 0);
}

static inline void talk_admitted(struct talk *t)
{
        talk_new(t);
        assert_int_equal(session_admit(t->s, span_of_string(t->identity), t->now), 0);
}

static inline void talk_open_5(struct talk *t)
{
        talk_admitted(t);
        from_client(t, CONNECT_5);
        to_hub(t, CONNECT_5_NORMAL);
        from_hub(t, HUB_CONNACK);
        to_client(t, CONNACK_5);
        nothing_more(t);
}

static inline void talk_open_4(struct talk *t)
{
        talk_admitted(t);
        from_client(t, CONNECT_4);
        to_hub(t, CONNECT_5_NORMAL);
        from_hub(t, HUB_CONNACK);
        to_client(t, CONNACK_4);
        nothing_more(t);
}

static inline void talk_end(struct talk *t)
{
        t->s = session_free(t->s);
        assert_null(t->s);
}
