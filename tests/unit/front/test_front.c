/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front: sessions between a hub and clients, and what goes wrong with each of them */
#include "front_lab.h"

static void session_opens_and_ends(void **state)
{
        struct client client;

        (void)state;
        client_session(&client);
        assert_int_equal(hub.opened, 1);
        assert_string_equal(hub.identity, "device-1");
        assert_int_equal(hub.packets, 1);
        assert_int_equal(signer_count(signer), 1);
        publish(&client, 1);
        UNTIL(hub.publishes == 1);
        hub_packet(hub.session, SPAN_LITERAL("\x30\5\0\1t\0x"));
        UNTIL(client_receive(&client) >= 7);
        assert_memory_equal(client.input, "\x30\5\0\1t\0x", 7);
        client_send(&client, SPAN_LITERAL("\xe0\0"));
        UNTIL(hub.closed == 1);
        assert_int_equal(hub.last_close.how, CHANNEL_CLOSE_NORMAL);
        UNTIL(client_ended(&client));
        assert_int_equal(client.result, TLS_CLOSED);
        client_free(&client);
}

static void lost_client_leaves_its_will(void **state)
{
        struct client client;

        (void)state;
        client_session(&client);
        client_free(&client);
        UNTIL(hub.closed == 1);
        assert_int_equal(hub.last_close.how, CHANNEL_CLOSE_WITH_WILL);
}

static void nothing_is_believed_before_admit(void **state)
{
        struct client client;

        (void)state;
        hub.admits = false;
        client_connect(&client);
        client_send(&client, CONNECT_PACKET);
        UNTIL(hub.opened == 1);
        while (sd_event_run(event, 20000) > 0)
                ;
        assert_int_equal(hub.packets, 0);
        hub_admit(hub.session);
        UNTIL(client_receive(&client) > 0);
        assert_int_equal(hub.packets, 1);
        client_free(&client);
        UNTIL(hub.closed == 1);
}

static void gone_before_admit(void **state)
{
        struct client client;

        (void)state;
        hub.admits = false;
        client_connect(&client);
        UNTIL(hub.opened == 1);
        struct linger hard = { 1, 0 };
        setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        client_free(&client);
        UNTIL(hub.closed == 1);
        hub_admit(hub.session); /* crosses: meets nobody */
        hub_packet(hub.session, CONNACK);
        hub.admits = true;
        client_session(&client);
        client_free(&client);
        UNTIL(hub.closed == 2);
}

static void refused_with_a_reason(void **state)
{
        struct client client;

        (void)state;
        hub.refuses = true;
        client_connect(&client);
        client_send(&client, CONNECT_PACKET);
        UNTIL(client_ended(&client));
        assert_int_equal(client.result, TLS_CLOSED);
        assert_true(client.input_size >= 4);
        assert_int_equal(client.input[0], 0x20);
        assert_int_equal(client.input[3], MQTT_NOT_AUTHORIZED);
        assert_int_equal(hub.packets, 0);
        client_free(&client);
}

static void closed_by_the_hub(void **state)
{
        struct client client;

        (void)state;
        client_session(&client);
        hub_send(&(struct channel_message){ .type = CHANNEL_CLOSE,
                                            .session = hub.session,
                                            .close = { MQTT_SESSION_TAKEN_OVER, CHANNEL_CLOSE_BY_HUB } });
        UNTIL(client_ended(&client));
        assert_true(client.input_size >= 3);
        assert_int_equal(client.input[0], 0xe0);
        assert_int_equal(client.input[2], MQTT_SESSION_TAKEN_OVER);
        assert_int_equal(hub.closed, 0); /* who closes is not told */
        client_free(&client);
}

static void stop_ends_all(void **state)
{
        struct client clients[3];

        (void)state;
        for (size_t i = 0; i < 3; i++)
                client_session(&clients[i]);
        hub_send(&(struct channel_message){ .type = CHANNEL_STOP });
        for (size_t i = 0; i < 3; i++) {
                UNTIL(client_ended(&clients[i]));
                assert_true(clients[i].input_size >= 3);
                assert_int_equal(clients[i].input[0], 0xe0);
                assert_int_equal(clients[i].input[2], MQTT_SHUTTING_DOWN);
                client_free(&clients[i]);
        }
}

static void hub_dies_and_returns(void **state)
{
        struct client client;

        (void)state;
        client_session(&client);
        hub.listener = channel_listener_free(hub.listener);
        hub.peer = channel_peer_free(hub.peer);
        UNTIL(client_ended(&client));
        assert_int_equal(client.input[0], 0xe0);
        assert_int_equal(client.input[2], MQTT_SHUTTING_DOWN);
        client_free(&client);

        client_start(&client, device); /* turned away at once, not left waiting */
        UNTIL((client.result = tls_handshake(client.tls)) <= 0);
        assert_int_equal(client.result, -ECONNRESET);
        client_free(&client);

        hub_listen();
        UNTIL(hub.peer);
        while (sd_event_run(event, 0) > 0)
                ;
        client_session(&client);
        client_free(&client);
        UNTIL(hub.closed == 1);
}

static void credit_is_respected(void **state)
{
        static const bool per_session[] = { true, false };
        struct client client;
        uint8_t payload = 0;

        (void)state;
        client_session(&client);
        for (size_t i = 0; i < 2; i++) {
                uint32_t session = per_session[i] ? hub.session : 0;
                int before = hub.publishes;
                hub_credit(session, 0);
                while (sd_event_run(event, 10000) > 0)
                        ;
                for (int n = 0; n < 10; n++)
                        publish(&client, ++payload);
                while (sd_event_run(event, 10000) > 0)
                        ;
                assert_int_equal(hub.publishes, before);
                if (per_session[i]) {
                        hub_credit(session, 3);
                        UNTIL(hub.publishes == before + 3);
                        while (sd_event_run(event, 10000) > 0)
                                ;
                        assert_int_equal(hub.publishes, before + 3);
                }
                hub_credit(session, UINT32_MAX);
                UNTIL(hub.publishes == before + 10);
        }
        assert_true(hub.in_order);

        /* what was sent right before the end arrives although the hub took nothing just then */
        hub_credit(0, 0);
        while (sd_event_run(event, 10000) > 0)
                ;
        publish(&client, ++payload);
        client_send(&client, SPAN_LITERAL("\xe0\0"));
        client_free(&client);
        while (sd_event_run(event, 10000) > 0)
                ;
        assert_int_equal(hub.publishes, 20);
        hub_credit(0, UINT32_MAX);
        UNTIL(hub.closed == 1);
        assert_int_equal(hub.publishes, 21);
        assert_int_equal(hub.last_close.how, CHANNEL_CLOSE_NORMAL);
}

static void strangers_do_not_reach_the_hub(void **state)
{
        struct client client;

        (void)state;
        client_start(&client, nobody); /* gives up in the handshake */
        UNTIL((client.result = tls_handshake(client.tls)) <= 0);
        assert_int_equal(client.result, -EKEYREJECTED);
        client_free(&client);
        client_start(&client, device);
        assert_int_equal(write(client.fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
        char byte;
        UNTIL(recv(client.fd, &byte, 1, 0) == 0 || errno == ECONNRESET);
        client_free(&client);
        client_session(&client);
        assert_int_equal(hub.opened, 1);
        client_free(&client);
        UNTIL(hub.closed == 1);
}

static void broken_mqtt_ends_that_session_only(void **state)
{
        struct client good, bad;

        (void)state;
        client_session(&good);
        client_session(&bad);
        client_send(&bad, SPAN_LITERAL("\x36\5\0\1t\0x")); /* QoS 3 */
        UNTIL(client_ended(&bad));
        assert_int_equal(bad.input[0], 0xe0);
        assert_int_equal(bad.input[2], MQTT_MALFORMED_PACKET);
        UNTIL(hub.closed == 1);
        assert_int_equal(hub.last_close.how, CHANNEL_CLOSE_WITH_WILL);
        publish(&good, 1);
        UNTIL(hub.publishes == 1);
        client_free(&bad);
        client_free(&good);
        UNTIL(hub.closed == 2);
}

static void full_house(void **state)
{
        struct client clients[3], late;

        (void)state;
        for (size_t i = 0; i < 3; i++)
                client_session(&clients[i]);
        client_start(&late, device);
        UNTIL((late.result = tls_handshake(late.tls)) <= 0);
        assert_int_equal(late.result, -ECONNRESET);
        client_free(&late);
        client_free(&clients[1]);
        UNTIL(hub.closed == 1);
        client_session(&late);
        client_free(&late);
        client_free(&clients[0]);
        client_free(&clients[2]);
        UNTIL(hub.closed == 4);
}

static void front_ends(void **state)
{
        struct client client;

        (void)state;
        client_session(&client);
        front = front_free(front);
        UNTIL(client_ended(&client));
        assert_int_equal(client.input[0], 0xe0);
        assert_int_equal(client.input[2], MQTT_SHUTTING_DOWN);
        UNTIL(!hub.peer);
        assert_int_equal(hub.closed, 1);
        assert_int_equal(hub.last_close.how, CHANNEL_CLOSE_WITH_WILL);
        client_free(&client);
}

static void addresses(void **state)
{
        static const struct {
                const char *text;
                int result;
        } rows[] = {
                { "127.0.0.1:0", 0 },
                { "127.0.0.1", -EINVAL },
                { "127.0.0.1:", -EINVAL },
                { "127.0.0.1:65536", -EINVAL },
                { "127.0.0.1:-1", -EINVAL },
                { "127.0.0.1:12x", -EINVAL },
                { "localhost:1883", -EINVAL },
                { "::1:8883", -EINVAL },
                { "[::1:8883", -EINVAL },
                { "[127.0.0.1]:0", -EINVAL },
                { "[]:0", -EINVAL },
                { ":8883", -EINVAL },
                { "", -EINVAL },
                { "203.0.113.1:0", -EADDRNOTAVAIL },
        };
        char name[LISTENER_NAME_SIZE], again[LISTENER_NAME_SIZE + 1];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                int fd = listener_open(rows[i].text, false);
                if (rows[i].result == 0 ? fd < 0 : fd != rows[i].result)
                        fail_msg("%s: %d", rows[i].text, fd);
                close(fd);
        }
        int first = listener_open("127.0.0.1:0", true);
        listener_own_name(first, name);
        assert_int_equal(strncmp(name, "127.0.0.1:", 10), 0);
        int second = listener_open(name, true), third = listener_open(name, false);
        assert_true(second >= 0);
        assert_int_equal(third, -EADDRINUSE);
        assert_string_equal(listener_own_name(second, again), name);
        close(first);
        close(second);
}

int main(void)
{
#define WITH_FRONT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                WITH_FRONT(session_opens_and_ends),
                WITH_FRONT(lost_client_leaves_its_will),
                WITH_FRONT(nothing_is_believed_before_admit),
                WITH_FRONT(gone_before_admit),
                WITH_FRONT(refused_with_a_reason),
                WITH_FRONT(closed_by_the_hub),
                WITH_FRONT(stop_ends_all),
                WITH_FRONT(hub_dies_and_returns),
                WITH_FRONT(credit_is_respected),
                WITH_FRONT(strangers_do_not_reach_the_hub),
                WITH_FRONT(broken_mqtt_ends_that_session_only),
                WITH_FRONT(full_house),
                WITH_FRONT(front_ends),
                cmocka_unit_test(addresses),
        };
        return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}
