/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an open session's client and hub may say when. */

#include "script.h"

static const struct script mqtt5[] = {
        { "QoS 2 from the client",
          { ">34 06 0001'a' 0001 00", "h34 06 0001'a' 0001 00", "<50 02 0001", "c50 02 0001", ">62 02 0001",
            "h62 02 0001", "<70 02 0001", "c70 02 0001" } },
        { "QoS 2 towards the client",
          { "<34 06 0001'a' 0001 00", "c34 06 0001'a' 0001 00", ">50 02 0001", "h50 02 0001", "<62 02 0001",
            "c62 02 0001", ">70 02 0001", "h70 02 0001" } },
        { "PUBREL before PUBREC",
          { ">34 06 0001'a' 0001 00", "h34 06 0001'a' 0001 00", ">62 02 0001", "cE0 01 82", "x82" } },
        { "PUBREL of an earlier connection", { ">62 02 0005", "h62 02 0005", "<70 03 0005 92", "c70 03 0005 92" } },
        { "PUBREL twice", { ">62 02 0005", "h62 02 0005", ">62 02 0005", "<70 02 0005", "c70 02 0005" } },
        { "PUBREL of a resumed session", { "<62 02 0005", "c62 02 0005", ">70 02 0005", "h70 02 0005" } },
        { "PUBREC for nothing", { ">50 02 0005", "c62 03 0005 92" } },
        { "refusing PUBREC for nothing", { ">50 03 0005 80" } },
        { "PUBACK for nothing", { ">40 02 0005" } },
        { "PUBCOMP for nothing", { ">70 02 0005" } },
        { "PUBREC for QoS 1",
          { "<32 06 0001'a' 0001 00", "c32 06 0001'a' 0001 00", ">50 02 0001", "cE0 01 82", "x82" } },
        { "PUBACK for QoS 2",
          { "<34 06 0001'a' 0001 00", "c34 06 0001'a' 0001 00", ">40 02 0001", "cE0 01 82", "x82" } },
        { "PUBCOMP before PUBREL",
          { "<34 06 0001'a' 0001 00", "c34 06 0001'a' 0001 00", ">50 02 0001", "h50 02 0001", ">70 02 0001",
            "cE0 01 82", "x82" } },
        { "PUBREC refuses: the id is free",
          { "<34 06 0001'a' 0001 00", "c34 06 0001'a' 0001 00", ">50 03 0001 80", "h50 03 0001 80",
            "<34 06 0001'a' 0001 00", "c34 06 0001'a' 0001 00" } },
        { "the hub refuses QoS 2: the id is free",
          { ">34 06 0001'a' 0001 00", "h34 06 0001'a' 0001 00", "<50 03 0001 87", "c50 03 0001 87",
            ">34 06 0001'a' 0001 00", "h34 06 0001'a' 0001 00" } },
        { "packet id in use",
          { ">32 06 0001'a' 0001 00", "h32 06 0001'a' 0001 00", ">32 06 0001'b' 0001 00", "cE0 01 82", "x82" } },
        { "the same again with DUP",
          { ">32 06 0001'a' 0001 00", "h32 06 0001'a' 0001 00", ">3A 06 0001'a' 0001 00", "<40 02 0001",
            "c40 02 0001" } },
        { "packet id in use by SUBSCRIBE",
          { ">82 07 0001 00 0001'a' 00", "h82 07 0001 00 0001'a' 00", ">3A 06 0001'a' 0001 00", "cE0 01 82", "x82" } },
        { "packet id in use for SUBSCRIBE",
          { ">32 06 0001'a' 0001 00", "h32 06 0001'a' 0001 00", ">82 07 0001 00 0001'a' 00", "cE0 01 82", "x82" } },
        { "receive maximum",
          { ">32 06 0001'a' 0001 00", "h32 06 0001'a' 0001 00", ">34 06 0001'a' 0002 00", "h34 06 0001'a' 0002 00",
            ">32 06 0001'a' 0003 00", "h32 06 0001'a' 0003 00", ">32 06 0001'a' 0004 00", "h32 06 0001'a' 0004 00",
            ">30 04 0001'a' 00", "h30 04 0001'a' 00", ">32 06 0001'a' 0005 00", "cE0 01 93", "x93" } },
        { "receive maximum after an answer",
          { ">34 06 0001'a' 0001 00", "h34 06 0001'a' 0001 00", "<50 02 0001", "c50 02 0001", ">62 02 0001",
            "h62 02 0001", "<70 02 0001", "c70 02 0001", ">32 06 0001'a' 0001 00", "h32 06 0001'a' 0001 00" } },
        { "a second CONNECT", { ">" CONNECT_5, "cE0 01 82", "x82" } },
        { "a second CONNECT of another version", { ">10 ?? 0004'MQTT' 06 02 003C () 0001'd'", "cE0 01 82", "x82" } },
        { "AUTH", { ">F0 ?? 19 (15 0001'm')", "cE0 01 82", "x82" } },
        { "CONNACK from a client", { ">20 03 00 00 00", "cE0 01 82", "x82" } },
        { "SUBACK from a client", { ">90 04 0001 00 00", "cE0 01 82", "x82" } },
        { "PINGRESP from a client", { ">D0 00", "cE0 01 82", "x82" } },
        { "subscription id in a client's PUBLISH", { ">30 ?? 0001'a' (0B01)", "cE0 01 82", "x82" } },
        { "shared subscription", { ">82 ?? 0001 () 0001'a' 00 0009'$share/g/' 00", "cE0 01 9E", "x9E" } },
        { "shared subscription, well-formed", { ">82 ?? 0001 () 0001'a' 00 000A'$share/g/a' 00", "cE0 01 9E", "x9E" } },
        { "subscription id",
          { ">82 ?? 0001 (0B05) 0003'+/#' 2D", "h82 ?? 0001 (0B05) 0003'+/#' 2D", "<90 04 0001 00 01",
            "c90 04 0001 00 01" } },
        { "malformed", { ">36 00", "cE0 01 81", "x81" } },
        { "too large", { ">30 FFFF03", "cE0 01 95", "x95" } },
        { "wildcard in PUBLISH", { ">30 ?? 0001'#' ()", "cE0 01 90", "x90" } },
        { "DISCONNECT", { ">E0 00", "." } },
        { "DISCONNECT with will", { ">E0 01 04", "x04" } },
        { "DISCONNECT with an error", { ">E0 01 93", "x93" } },
        { "DISCONNECT raises the expiry from 0", { ">E0 ?? 00 (1100000001)", "cE0 01 82", "x82" } },
        { "DISCONNECT says expiry 0 again", { ">E0 ?? 00 (1100000000)", "hE0 ?? 00 (1100000000)", "." } },
        { "DISCONNECT of the hub", { "<E0 01 8E", "cE0 01 8E", "x8E" } },
        { "after the end nothing matters", { ">E0 00", ".", "<32 06 0001'a' 0001 00", ">32 06 0001'a' 0001 00" } },
        { "hub: PUBACK for nothing", { "!40 02 0001" } },
        { "hub: PUBREC for QoS 1", { ">32 06 0001'a' 0001 00", "h32 06 0001'a' 0001 00", "!50 02 0001" } },
        { "hub: PUBCOMP for nothing", { "!70 02 0001" } },
        { "hub: PUBREL before PUBREC", { "<34 06 0001'a' 0001 00", "c34 06 0001'a' 0001 00", "!62 02 0001" } },
        { "hub: SUBACK for nothing", { "!90 04 0001 00 00" } },
        { "hub: UNSUBACK for SUBSCRIBE",
          { ">82 07 0001 00 0001'a' 00", "h82 07 0001 00 0001'a' 00", "!B0 04 0001 00 00" } },
        { "hub: packet id in use", { "<32 06 0001'a' 0001 00", "c32 06 0001'a' 0001 00", "!32 06 0001'b' 0001 00" } },
        { "hub: CONNACK twice", { "!" HUB_CONNACK } },
        { "hub: alias", { "!30 ?? 0001'a' (230001)" } },
        { "hub: a client's packets", { "!C0 00", "!82 07 0001 00 0001'a' 00", "!" CONNECT_5, "!F0 00" } },
        { "hub: malformed or with a tail", { "!30 03 0001'a'", "!40 02 0001 00", "!40" } },
};

static const struct script mqtt4[] = {
        { "QoS 2 from the client",
          { ">34 05 0001'a' 0001", "h34 06 0001'a' 0001 00", "<50 02 0001", "c50 02 0001", ">62 02 0001", "h62 02 0001",
            "<70 03 0001 92", "c70 02 0001" } },
        { "QoS 2 towards the client",
          { "<34 06 0001'a' 0001 00", "c34 05 0001'a' 0001", ">50 02 0001", "h50 02 0001", "<62 02 0001", "c62 02 0001",
            ">70 02 0001", "h70 02 0001" } },
        { "no receive maximum in 3.1.1",
          { ">32 05 0001'a' 0001", "h32 06 0001'a' 0001 00", ">32 05 0001'a' 0002", "h32 06 0001'a' 0002 00",
            ">32 05 0001'a' 0003", "h32 06 0001'a' 0003 00", ">32 05 0001'a' 0004", "h32 06 0001'a' 0004 00",
            ">32 05 0001'a' 0005", "h32 06 0001'a' 0005 00" } },
        { "shared subscription", { ">82 ?? 0001 0001'a' 00 000A'$share/g/a' 00", "c90 04 0001 80 80" } },
        { "malformed", { ">36 00", "x81" } },
        { "a second CONNECT", { ">" CONNECT_4, "x82" } },
        { "AUTH", { ">F0 00", "x81" } },
        { "DISCONNECT", { ">E0 00", "." } },
        { "DISCONNECT with a reason", { ">E0 01 04", "x81" } },
};

static void order_in_5(void **state)
{
        (void)state;
        play(mqtt5, sizeof(mqtt5) / sizeof(mqtt5[0]), talk_open_5);
}

static void order_in_311(void **state)
{
        (void)state;
        play(mqtt4, sizeof(mqtt4) / sizeof(mqtt4[0]), talk_open_4);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(order_in_5), cmocka_unit_test(order_in_311) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
