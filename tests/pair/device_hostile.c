/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device engine and a relay that breaks the protocol: every packet type and many ways to get it wrong, at every
 * moment of a connection. The device drops that link, goes to the cloud, comes back when the relay is itself again; no
 * event is lost, nothing is sent twice under another key, and it never crashes (this runs with sanitizers, too).
 */
#include "device_world.h"

#include "../unit/mqtt/hex.h"

#define CLOUD 1

/* when the relay says it */
enum moment {
        TO_CONNECT,
        TO_STATEMENT, /* DICE-1 */
        TO_SUBSCRIBE,
        TO_STATE, /* the first retained publish */
        TO_EVENT,
        TO_PING,
        MOMENTS,
};

/* and then */
enum effect {
        ENDS,    /* the protocol is broken: the device leaves at once */
        HARMLESS /* it may be meant well, or nothing follows: whatever the device does, it is connected to something */
};

static const struct violation {
        const char *bytes;
        enum effect session; /* within a session */
} violations[] = {
        /* types that do not exist, or are not a broker's */
        { "00 00", ENDS },
        { "0F 00", ENDS },
        { "10 00", ENDS },
        { "10 ?? 0004'MQTT' 05 02 0000 () 0001'd'", ENDS },
        { "82 ?? 0001 () 0001'a' 00", ENDS },
        { "A2 ?? 0001 () 0001'a'", ENDS },
        { "C0 00", ENDS },
        /* flags that are reserved */
        { "21 03 00 00 00", ENDS },
        { "41 02 0001", ENDS },
        { "61 02 0001", ENDS },
        { "91 04 0001 00 01", ENDS },
        { "D1 00", ENDS },
        { "E1 00", ENDS },
        { "F1 00", ENDS },
        /* CONNACK again, or broken */
        { "20 03 00 00 00", ENDS },
        { "20 02 00 00", ENDS },
        { "20 03 02 00 00", ENDS },
        { "20 03 00 7F 00", ENDS },
        { "20 03 00 87 00", ENDS },
        { "20 ?? 00 00 (210000)", ENDS },
        { "20 ?? 00 00 (2700000000)", ENDS },
        { "20 ?? 00 00 (2402)", ENDS },
        { "20 ?? 00 00 (2400)", ENDS },
        { "20 ?? 00 00 (2500)", ENDS },
        { "20 ?? 00 00 (2700000010)", ENDS },
        { "20 ?? 00 00 (24012401)", ENDS },
        { "20 ?? 00 00 (7F00)", ENDS },
        { "20 ?? 00 00 (12FFFF)", ENDS },
        { "20 04 00 00 05 21", ENDS },
        { "20 00", ENDS },
        { "20 01 00", ENDS },
        /* PUBLISH */
        { "36 05 0001'a' 0001", ENDS },
        { "30 00", ENDS },
        { "30 01 00", ENDS },
        { "30 04 0000 00 'x'", ENDS },
        { "30 05 FFFF'a' 00", ENDS },
        { "38 04 0001'a' 00", ENDS },
        { "30 04 0001'#' 00", ENDS },
        { "30 04 0001'+' 00", ENDS },
        { "30 06 0003'a' 00 'b' 00", ENDS },
        { "30 05 0002 C3 28 00", ENDS },
        { "30 06 0003 ED A0 80 00", ENDS },
        { "32 06 0001'a' 0000 00", ENDS },
        { "30 ?? 0001'a' (230001) 'x'", ENDS },
        { "30 ?? 0001'a' (0B00) 'x'", ENDS },
        { "30 ?? 0001'a' (0102) 'x'", ENDS },
        { "30 ?? 0001'a' (0100 0100) 'x'", ENDS },
        { "30 ?? 0001'a' (210001) 'x'", ENDS },
        { "30 ?? 0001'a' (080001'#') 'x'", ENDS },
        { "30 05 0001'a' 80 80", ENDS },
        { "30 05 0001'a' 20 21", ENDS },
        /* answers to nothing */
        { "40 02 FFFF", ENDS },
        { "40 02 0000", ENDS },
        { "40 00", ENDS },
        { "40 03 FFFF 7F", ENDS },
        { "40 04 FFFF 00 7F", ENDS },
        { "50 02 FFFF", ENDS },
        { "70 02 FFFF", ENDS },
        { "90 04 FFFF 00 01", ENDS },
        { "90 03 FFFF 00", ENDS },
        { "90 04 FFFF 00 03", ENDS },
        { "B0 04 FFFF 00 00", ENDS },
        { "B0 02 FFFF", ENDS },
        /* lengths */
        { "30 FF FF FF FF", ENDS },
        { "30 FF FF FF 7F", ENDS },
        { "30 80 80 80 80 01", ENDS },
        { "D0 01 00", ENDS },
        { "D0 80 00", ENDS },
        /* DISCONNECT, AUTH */
        { "E0 00", ENDS },
        { "E0 01 8B", ENDS },
        { "E0 01 04", ENDS },
        { "E0 01 7F", ENDS },
        { "E0 ?? 8B (1100000001)", ENDS },
        { "E0 ?? 9C (1C 0009'elsewhere')", ENDS },
        { "F0 00", ENDS },
        { "F0 ?? 18 (15 0006'DICE-1' 16 0001'c')", ENDS },
        { "F0 ?? 19 (15 0006'DICE-1' 16 0001'c')", ENDS },
        { "F0 01 18", ENDS },
        /* no violation in a session */
        { "D0 00", HARMLESS },
        { "62 02 FFFF", HARMLESS },
        { "30 04 0001'a' 00", HARMLESS },
        { "34 06 0001'a' 0001 00", HARMLESS },
        { "", HARMLESS },
        { "30", HARMLESS },
        { "30 7F", HARMLESS },
        { "30 7F 0001'a' 00 'begun, and never ended'", HARMLESS },
};

/* ---- the relay */

static enum moment moment;
static struct span said;
static bool swallows; /* what it should have answered */
static unsigned said_count;

static bool is_moment(const struct connection *c, const struct mqtt_packet *p)
{
        switch (moment) {
        case TO_CONNECT:
                return p->type == MQTT_CONNECT;
        case TO_STATEMENT:
                return p->type == MQTT_AUTH;
        case TO_SUBSCRIBE:
                return p->type == MQTT_SUBSCRIBE;
        case TO_STATE:
                return p->type == MQTT_PUBLISH && p->publish.retain;
        case TO_EVENT:
                return p->type == MQTT_PUBLISH && !p->publish.retain && c->connected;
        case TO_PING:
                return p->type == MQTT_PINGREQ;
        case MOMENTS:
                break;
        }
        return false;
}

static bool misbehave(struct net *from, struct connection *c, const struct mqtt_packet *p)
{
        (void)from;
        if (c->broker == CLOUD)
                return false;
        if (p->type == MQTT_PUBREC || p->type == MQTT_PUBCOMP || (p->type == MQTT_AUTH && !c->challenged))
                said_count += is_moment(c, p); /* what only a broker like this one is sent */
        else if (!is_moment(c, p))
                return false;
        said_count++;
        net_bytes(c, said);
        return swallows;
}

static int attest(void *context, const struct attest_challenge *challenge, uint8_t *out, size_t size, size_t *written)
{
        (void)context;
        assert_true(size >= sizeof(challenge->nonce));
        memcpy(out, challenge->nonce, sizeof(challenge->nonce));
        *written = sizeof(challenge->nonce);
        return 0;
}

static const struct port_secret proving = { .attest = attest };

static void begin_hostile(enum moment when, struct span bytes, bool swallow, uint32_t seed)
{
        secret = &proving;
        begin(seed);
        net.knows_attest[0] = true;
        net.on_packet = misbehave;
        moment = when;
        said = bytes;
        swallows = swallow;
        said_count = 0;
}

/* in steps of 50 ms: these are many cases */
static void go_on(uint64_t ms, bool publishing)
{
        for (uint64_t end = net.now + ms; net.now < end; net.now += 50) {
                if (publishing && net.now % 200 == 0)
                        publish();
                assert_int_equal(device_run(&device), 0);
                net_run(&net);
        }
}

static void assert_nothing_lost(void)
{
        go_on(5000, false);
        assert_int_equal(outbox.pending, 0);
        assert_all_arrived();
        assert_false(net.out_of_order);
        assert_int_equal(device.counters.refused, 0);
}

static void assert_recovers(void)
{
        net.on_packet = NULL; /* it starts anew, and is itself again */
        net_cut(&net, 0);
        go_on(100, false);
        net.reachable[0] = true;
        for (unsigned i = 0; i < 60 && session() != 0; i++) /* it may have been lost several times in a row */
                go_on(10000, false);
        assert_int_equal(session(), 0);
        assert_nothing_lost();
}

/* in a session pings are rare: 4 s of silence, and events are none */
static bool is_loud(enum moment when)
{
        return when != TO_PING;
}

static void test_violations_at_every_moment(void **state)
{
        uint8_t bytes[HEX_MAX];

        (void)state;
        for (unsigned when = 0; when < MOMENTS; when++)
                for (size_t i = 0; i < ROWS(violations); i++) {
                        size_t size = hex_bytes(violations[i].bytes, bytes);
                        begin_hostile((enum moment)when, span_of(bytes, size), true, (uint32_t)(1 + i));
                        publish();
                        go_on(12000, is_loud((enum moment)when));
                        assert_true(said_count > 0);
                        if (violations[i].session == ENDS && session() != CLOUD)
                                fail_msg("row %zu at %u: the device stays", i, when);
                        assert_true(session() >= 0 || is_loud((enum moment)when));
                        assert_true(net.attempts[0] <= FAILOVER_TRIES_A_MINUTE);
                        if (session() == CLOUD)
                                assert_nothing_lost();
                        if (session() != CLOUD || i % 8 == when)
                                assert_recovers();
                }
}

/* beside the right answer, which follows */
static void test_violations_beside_the_right_answer(void **state)
{
        uint8_t bytes[HEX_MAX];

        (void)state;
        for (unsigned when = TO_SUBSCRIBE; when < MOMENTS; when++)
                for (size_t i = 0; i < ROWS(violations); i++) {
                        size_t size = hex_bytes(violations[i].bytes, bytes);
                        if (size == 0 || violations[i].session != ENDS)
                                continue;
                        begin_hostile((enum moment)when, span_of(bytes, size), false, (uint32_t)(1 + i));
                        publish();
                        go_on(12000, is_loud((enum moment)when));
                        assert_true(said_count > 0);
                        if (session() != CLOUD)
                                fail_msg("row %zu at %u: the device stays", i, when);
                        assert_nothing_lost();
                }
}

/* ---- right packets, with one bit wrong, or ending early */

static size_t make_packet(unsigned which, uint8_t *out, size_t size)
{
        static const uint8_t granted[] = { 1, 1 };
        static const uint8_t text[] = "{\"relay\":\"relay.s1\",\"uplink\":\"up\",\"since\":1}";
        struct mqtt_packet p = { .type = MQTT_CONNACK };
        struct attest_challenge challenge = { .nonce = { 1 } };
        uint8_t challenge_bytes[ATTEST_CHALLENGE_MAX];
        struct writer w;

        switch (which) {
        case 0:
                p.props.present = MQTT_PROP(MQTT_P_AUTH_METHOD) | MQTT_PROP(MQTT_P_RECEIVE_MAXIMUM);
                p.props.authentication_method = SPAN_LITERAL(ATTEST_METHOD);
                p.props.receive_maximum = 20;
                break;
        case 1:
                p.type = MQTT_AUTH;
                p.ack.reason = MQTT_CONTINUE_AUTHENTICATION;
                memset(challenge.relay, 1, SHA256_SIZE);
                writer_init(&w, challenge_bytes, sizeof(challenge_bytes));
                assert_int_equal(attest_challenge_encode(&w, &challenge), RELAY_OK);
                p.props.present = MQTT_PROP(MQTT_P_AUTH_METHOD) | MQTT_PROP(MQTT_P_AUTH_DATA);
                p.props.authentication_method = SPAN_LITERAL(ATTEST_METHOD);
                p.props.authentication_data = writer_span(&w);
                break;
        case 2:
                p.type = MQTT_SUBACK;
                p.suback = (struct mqtt_suback){ 1, SPAN_OF(granted) };
                break;
        default:
                p.type = MQTT_PUBLISH;
                p.publish.topic = SPAN_LITERAL("sites/site-1/relay/state");
                p.publish.payload = span_of(text, sizeof(text) - 1);
                p.publish.qos = 1;
                p.publish.packet_id = 1;
                break;
        }
        writer_init(&w, out, size);
        assert_int_equal(mqtt_encode(&w, MQTT_V5, &p), RELAY_OK);
        return writer_needed(&w);
}

static const enum moment moment_of[] = { TO_STATEMENT, TO_CONNECT, TO_SUBSCRIBE, TO_STATE };

static void test_one_bit_is_wrong(void **state)
{
        uint8_t bytes[256];

        (void)state;
        for (unsigned which = 0; which < ROWS(moment_of); which++) {
                size_t size = make_packet(which, bytes, sizeof(bytes));
                for (size_t bit = 0; bit < 8 * size; bit += which == 3 ? 3 : 1) {
                        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
                        begin_hostile(moment_of[which], span_of(bytes, size), true, (uint32_t)bit + 1);
                        go_on(6000, bit % 16 == 0);
                        assert_true(said_count > 0);
                        assert_recovers();
                        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
                }
        }
}

static void test_packets_end_early(void **state)
{
        uint8_t bytes[256];

        (void)state;
        for (unsigned which = 0; which < ROWS(moment_of); which++) {
                size_t size = make_packet(which, bytes, sizeof(bytes));
                for (size_t cut = 1; cut < size; cut += 1 + (which == 3) * 4) {
                        begin_hostile(moment_of[which], span_of(bytes, cut), true, (uint32_t)cut);
                        go_on(3000, true);
                        assert_true(said_count > 0);
                        assert_recovers();
                }
        }
}

/* ---- noise */

static void test_noise(void **state)
{
        uint8_t bytes[600];

        (void)state;
        for (uint32_t seed = 1; seed <= 60; seed++) {
                begin_hostile((enum moment)(seed % TO_PING), SPAN_EMPTY, seed % 2 == 0, seed);
                for (size_t i = 0; i < sizeof(bytes); i++)
                        bytes[i] = (uint8_t)net_random(&net, 256);
                /* half of it begins like a packet */
                static const uint8_t heads[] = { 0x20, 0x30, 0x32, 0x40, 0x90, 0xb0, 0xd0, 0xe0, 0xf0 };
                if (seed % 4 < 2) {
                        bytes[0] = heads[seed % sizeof(heads)];
                        bytes[1] = (uint8_t)net_random(&net, 128);
                }
                said = span_of(bytes, 1 + net_random(&net, sizeof(bytes)));
                go_on(6000, true);
                assert_true(said_count > 0);
                assert_recovers();
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_violations_at_every_moment),
                cmocka_unit_test(test_violations_beside_the_right_answer),
                cmocka_unit_test(test_one_bit_is_wrong),
                cmocka_unit_test(test_packets_end_early),
                cmocka_unit_test(test_noise),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
