/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* An uplink whose cloud is a socket pair and the test's hand; the uplink is started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>

#include "uplink/transport.h"
#include "uplink/uplink.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define TURNS       20000 /* turns of the loop before a test gives up; each waits 5 ms at most */

struct lab {
        sd_event *event;
        struct uplink *uplink;
        int cloud; /* our end of the connection, or -1 */
        unsigned dials;
        bool refuse_dial, stall_handshake;
        uint8_t in[512 * 1024];
        size_t in_fill;

        enum uplink_state state;
        unsigned ups, downs, readies;
        char error[UPLINK_ERROR_SIZE];
        uint64_t acked[64];
        uint8_t acked_reasons[64];
        size_t acked_count;
        char topic[100];
        unsigned messages;
        uint64_t token;
        uint8_t answer;
};

#define WAIT(l, condition)                           \
        do {                                         \
                int _i = 0;                          \
                while (!(condition) && _i++ < TURNS) \
                        lab_turn(l);                 \
                assert_true(condition);              \
        } while (0)

int lab_setup(void **state);
int lab_teardown(void **state);
void lab_turn(struct lab *l); /* of the loop, 5 ms at most */
int lab_publish(struct lab *l, uint64_t cookie);

/* ---- the cloud's hand */
/* Waits for the next packet of the uplink; its spans are valid until the next call. */
struct mqtt_packet lab_receive(struct lab *l, enum mqtt_type type);
void lab_send_bytes(struct lab *l, struct span bytes);
void lab_send_packet(struct lab *l, const struct mqtt_packet *packet);
void lab_send_connack(struct lab *l, uint8_t reason, uint16_t receive_maximum); /* receive_maximum 0: not said */
void lab_send_suback(struct lab *l, uint16_t id, const uint8_t *reasons, size_t count);
void lab_send_puback(struct lab *l, uint16_t id, uint8_t reason);
void lab_send_publish(struct lab *l, const char *topic, uint8_t qos, uint16_t id);
void lab_accept_session(struct lab *l, uint16_t receive_maximum); /* till the uplink is up */

#define ROW(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
