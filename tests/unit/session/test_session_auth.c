/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Enhanced authentication (MQTT 5 section 4.12): whose AUTH may come when, before and after CONNACK. */

#include "script.h"

#define CONNECT_M        "10 ?? 0004'MQTT' 05 02 003C (15 0001'm') 0001'd'"
#define CONNECT_M_NORMAL "10 ?? 0004'MQTT' 05 82 003C (15 0001'm') 0001'd' 0001'd'"
#define CHALLENGE        "F0 ?? 18 (15 0001'm' 16 0002'c?')"
#define STATEMENT        "F0 ?? 18 (15 0001'm' 16 0003's,s')"
#define HUB_CONNACK_M    "20 ?? 00 00 (15 0001'm')"
#define CONNACK_M        "20 ?? 00 00 (15 0001'm' 210004 220003 2700001000 2A00)"
#define BEGUN            ">" CONNECT_M, "h" CONNECT_M_NORMAL, "<" CHALLENGE, "c" CHALLENGE

static const struct script before[] = {
        { "proven", { BEGUN, ">" STATEMENT, "h" STATEMENT, "<" HUB_CONNACK_M, "c" CONNACK_M } },
        { "two rounds",
          { BEGUN, ">" STATEMENT, "h" STATEMENT, "<" CHALLENGE, "c" CHALLENGE, ">" STATEMENT, "h" STATEMENT,
            "<" HUB_CONNACK_M, "c" CONNACK_M } },
        { "data in CONNECT",
          { ">10 ?? 0004'MQTT' 05 02 003C (15 0001'm' 16 0001'x') 0001'd'",
            "h10 ?? 0004'MQTT' 05 82 003C (15 0001'm' 16 0001'x') 0001'd' 0001'd'", "<" HUB_CONNACK_M,
            "c" CONNACK_M } },
        { "not proven", { BEGUN, ">" STATEMENT, "h" STATEMENT, "<20 03 00 87 00", "c20 03 00 87 00", "-87" } },
        { "unknown method", { ">" CONNECT_M, "h" CONNECT_M_NORMAL, "<20 03 00 8C 00", "c20 03 00 8C 00", "-8C" } },
        { "the hub waited long enough", { BEGUN, "<20 03 00 87 00", "c20 03 00 87 00", "-87" } },
        { "the hub hangs up", { BEGUN, "z87", "c20 03 00 87 00", "x87" } },
        { "the client hangs up", { BEGUN, ">E0 00", "-00" } },
        { "the client hangs up, with a word about the will", { BEGUN, ">E0 01 04", "-04" } },
        { "another method", { BEGUN, ">F0 ?? 18 (15 0001'n' 16 0001'x')", "c20 03 00 8C 00", "-8C" } },
        { "a longer method", { BEGUN, ">F0 ?? 18 (15 0002'mm' 16 0001'x')", "c20 03 00 8C 00", "-8C" } },
        { "no method", { BEGUN, ">F0 ?? 18 (16 0001'x')", "c20 03 00 82 00", "-82" } },
        { "method twice", { BEGUN, ">F0 ?? 18 (15 0001'm' 15 0001'm')", "c20 03 00 82 00", "-82" } },
        { "again before it was once", { BEGUN, ">F0 ?? 19 (15 0001'm')", "c20 03 00 82 00", "-82" } },
        { "success says the client", { BEGUN, ">F0 ?? 00 (15 0001'm')", "c20 03 00 82 00", "-82" } },
        { "AUTH without anything", { BEGUN, ">F0 00", "c20 03 00 82 00", "-82" } },
        { "a second CONNECT", { BEGUN, ">" CONNECT_M, "c20 03 00 82 00", "-82" } },
        { "PUBLISH before CONNACK", { BEGUN, ">30 04 0001'a' 00", "c20 03 00 82 00", "-82" } },
        { "SUBSCRIBE before CONNACK", { BEGUN, ">82 07 0001 00 0001'a' 00", "c20 03 00 82 00", "-82" } },
        { "PINGREQ before CONNACK", { BEGUN, ">C0 00", "c20 03 00 82 00", "-82" } },
        { "malformed", { BEGUN, ">F0 04 18 05 15 00", "c20 03 00 81 00", "-81" } },
        { "too large", { BEGUN, ">F0 FFFF03", "c20 03 00 95 00", "-95" } },
        { "the answer before the question",
          { ">" CONNECT_M, "h" CONNECT_M_NORMAL, ">" STATEMENT, "<" CHALLENGE, "c" CHALLENGE, "h" STATEMENT } },
        { "hub: CONNACK instead of the client's word", { BEGUN, "!" HUB_CONNACK_M } },
        { "hub: two challenges", { BEGUN, "!" CHALLENGE } },
        { "hub: AUTH of success", { ">" CONNECT_M, "h" CONNECT_M_NORMAL, "!F0 ?? 00 (15 0001'm')" } },
        { "hub: AUTH again", { ">" CONNECT_M, "h" CONNECT_M_NORMAL, "!F0 ?? 19 (15 0001'm')" } },
        { "hub: another method", { ">" CONNECT_M, "h" CONNECT_M_NORMAL, "!F0 ?? 18 (15 0001'n')" } },
        { "hub: no method", { ">" CONNECT_M, "h" CONNECT_M_NORMAL, "!F0 00" } },
        { "hub: AUTH without the client's wish", { ">" CONNECT_5, "h" CONNECT_5_NORMAL, "!" CHALLENGE } },
        { "hub: AUTH for 3.1.1", { ">" CONNECT_4, "h" CONNECT_5_NORMAL, "!" CHALLENGE } },
        { "the client is too small for the question",
          { ">10 ?? 0004'MQTT' 05 02 003C (15 0001'm' 27 00000008) 0001'd'",
            "h10 ?? 0004'MQTT' 05 82 003C (15 0001'm' 27 00000008) 0001'd' 0001'd'", "<" CHALLENGE, "x95" } },
};

#define AGAIN       "F0 ?? 19 (15 0001'm')"
#define SUCCESS     "F0 ?? 00 (15 0001'm')"
#define BEGUN_AGAIN ">" AGAIN, "h" AGAIN, "<" CHALLENGE, "c" CHALLENGE

static const struct script after[] = {
        { "proven again",
          { BEGUN_AGAIN, ">" STATEMENT, "h" STATEMENT, "<" SUCCESS, "c" SUCCESS, ">" AGAIN, "h" AGAIN } },
        { "the session goes on meanwhile",
          { BEGUN_AGAIN, ">32 06 0001'a' 0001 00", "h32 06 0001'a' 0001 00", "<40 02 0001", "c40 02 0001",
            ">" STATEMENT, "h" STATEMENT, ">C0 00", "cD0 00", "<" SUCCESS, "c" SUCCESS } },
        { "not proven again", { BEGUN_AGAIN, ">" STATEMENT, "h" STATEMENT, "z87", "cE0 01 87", "x87" } },
        { "again while it is going on", { BEGUN_AGAIN, ">" AGAIN, "cE0 01 82", "x82" } },
        { "twice at once", { ">" AGAIN, "h" AGAIN, ">" AGAIN, "cE0 01 82", "x82" } },
        { "an answer nobody asked for", { ">" STATEMENT, "cE0 01 82", "x82" } },
        { "two answers", { BEGUN_AGAIN, ">" STATEMENT, "h" STATEMENT, ">" STATEMENT, "cE0 01 82", "x82" } },
        { "success says the client", { ">" SUCCESS, "cE0 01 82", "x82" } },
        { "another method", { ">F0 ?? 19 (15 0001'n')", "cE0 01 8C", "x8C" } },
        { "no method", { ">F0 ?? 19 (16 0001'x')", "cE0 01 82", "x82" } },
        { "AUTH without anything", { ">F0 00", "cE0 01 82", "x82" } },
        { "hub: a challenge out of nothing", { "!" CHALLENGE } },
        { "hub: success out of nothing", { "!" SUCCESS } },
        { "hub: two challenges", { BEGUN_AGAIN, "!" CHALLENGE } },
        { "hub: success before the answer", { BEGUN_AGAIN, "!" SUCCESS } },
        { "hub: again is the client's word", { ">" AGAIN, "h" AGAIN, "!" AGAIN } },
        { "hub: another method", { ">" AGAIN, "h" AGAIN, "!F0 ?? 18 (15 0001'n')" } },
};

static void open_proven(struct talk *t)
{
        talk_admitted(t);
        from_client(t, CONNECT_M);
        to_hub(t, CONNECT_M_NORMAL);
        from_hub(t, CHALLENGE);
        to_client(t, CHALLENGE);
        from_client(t, STATEMENT);
        to_hub(t, STATEMENT);
        from_hub(t, HUB_CONNACK_M);
        to_client(t, CONNACK_M);
}

static void before_connack(void **state)
{
        (void)state;
        play(before, sizeof(before) / sizeof(before[0]), talk_admitted);
}

static void in_an_open_session(void **state)
{
        (void)state;
        play(after, sizeof(after) / sizeof(after[0]), open_proven);
}

/* The statement comes byte by byte, and so does what a client in a hurry sends behind it. */
static void in_pieces(void **state)
{
        (void)state;
        uint8_t bytes[2 * HEX_MAX];
        size_t size = hex_bytes(STATEMENT, bytes);
        size += hex_bytes("32 06 0001'a' 0001 00", bytes + size);
        struct talk t;
        talk_admitted(&t);
        from_client(&t, CONNECT_M);
        to_hub(&t, CONNECT_M_NORMAL);
        from_hub(&t, CHALLENGE);
        to_client(&t, CHALLENGE);
        for (size_t i = 0; i < size; i++) {
                struct session_event event;
                assert_int_equal(session_input(t.s, span_of(bytes + i, 1), t.now), 1);
                if (session_next(t.s, &event) == 0)
                        assert_bytes(event.packet, STATEMENT, "to the hub");
        }
        nothing_more(&t);
        from_hub(&t, HUB_CONNACK_M);
        to_client(&t, CONNACK_M);
        to_hub(&t, "32 06 0001'a' 0001 00");
        talk_end(&t);
}

/* The hub says how long is too long; the engine's own connect time-out ended with the CONNECT. */
static void the_hub_has_the_clock(void **state)
{
        (void)state;
        struct talk t;
        talk_admitted(&t);
        from_client(&t, CONNECT_M);
        to_hub(&t, CONNECT_M_NORMAL);
        from_hub(&t, CHALLENGE);
        to_client(&t, CHALLENGE);
        assert_true(session_deadline(t.s) == UINT64_MAX);
        session_tick(t.s, 1000000);
        nothing_more(&t);
        talk_end(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(before_connack),
                cmocka_unit_test(in_an_open_session),
                cmocka_unit_test(in_pieces),
                cmocka_unit_test(the_hub_has_the_clock),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
