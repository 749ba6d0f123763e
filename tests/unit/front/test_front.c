/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front: the real front end, signing thread and sockets on one loop, between a hub and clients played here */
#include "identities.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "front/front.h"
#include "front/listener.h"
#include "hub/signer.h"
#include "util/time.h"

#define PATIENCE_MS 30000

static const uint8_t connect_packet[] = "\x10\x13\0\4MQTT\5\2\0\x3c\0\0\x6"
                                        "client"; /* clean start, keep-alive 60 */
#define CONNECT_PACKET span_of(connect_packet, sizeof(connect_packet) - 1)
#define CONNACK        SPAN_LITERAL("\x20\3\0\0\0")

struct hub {
        struct channel_listener *listener;
        struct channel_peer *peer;
        bool admits, refuses;
        int opened, closed, packets, publishes;
        uint32_t session; /* of the last OPEN */
        char identity[IDENTITY_SIZE];
        uint8_t last_payload;
        bool in_order;
        struct channel_close last_close;
};

struct client {
        int fd;
        struct tls *tls;
        int result; /* of the last TLS call */
        uint8_t input[4096];
        size_t input_size;
};

static sd_event *event;
static struct signer *signer;
static struct front *front;
static struct hub hub;
static struct tls_context *device, *nobody;
static uint16_t port;

static void hub_ready(struct channel_peer *peer, void *context)
{
        (void)context;
        hub.peer = peer;
}

static void hub_send(const struct channel_message *message)
{
        assert_int_equal(channel_send(hub.peer, message), 0);
}

static void hub_packet(uint32_t session, struct span packet)
{
        hub_send(&(struct channel_message){ .type = CHANNEL_PACKET, .session = session, .packet = packet });
}

static void hub_credit(uint32_t session, uint32_t credit)
{
        hub_send(&(struct channel_message){ .type = CHANNEL_CREDIT, .session = session, .credit = credit });
}

static void hub_admit(uint32_t session)
{
        hub_send(&(struct channel_message){
                .type = CHANNEL_ADMIT, .session = session, .admit = { SPAN_LITERAL("client"), CHANNEL_PEER_DEVICE } });
}

static void hub_opened(const struct channel_message *message)
{
        struct x509_facts facts;

        hub.opened++;
        hub.session = message->session;
        assert_int_equal(x509_parse(message->open.certificates[0], &facts), 0);
        strcpy(hub.identity, facts.identity);
        if (hub.refuses)
                hub_send(
                        &(struct channel_message){ .type = CHANNEL_REFUSE,
                                                   .session = message->session,
                                                   .refuse = { MQTT_NOT_AUTHORIZED, SPAN_LITERAL("unknown-device") } });
        else if (hub.admits)
                hub_admit(message->session);
}

static int hub_message(struct channel_peer *peer, const struct channel_message *message, void *context)
{
        (void)peer, (void)context;
        if (message->type == CHANNEL_OPEN) {
                hub_opened(message);
        } else if (message->type == CHANNEL_CLOSE) {
                hub.closed++;
                hub.last_close = message->close;
        } else if (message->type == CHANNEL_PACKET) {
                hub.packets++;
                if (message->packet.data[0] >> 4 == MQTT_CONNECT)
                        hub_packet(message->session, CONNACK);
                if (message->packet.data[0] >> 4 == MQTT_PUBLISH) {
                        uint8_t payload = message->packet.data[message->packet.size - 1];
                        hub.publishes++;
                        hub.in_order &= payload == (uint8_t)(hub.last_payload + 1);
                        hub.last_payload = payload;
                }
        }
        return 0;
}

static void hub_closed(struct channel_peer *peer, int error, void *context)
{
        (void)error, (void)context;
        channel_peer_free(peer);
        hub.peer = NULL;
}

static const struct channel_handlers hub_handlers = { hub_ready, hub_message, NULL, hub_closed };

static void hub_listen(void)
{
        struct channel_listen_options options = { "channel", (uid_t)-1, (gid_t)-1, 0, &hub_handlers, NULL, NULL };
        assert_int_equal(channel_listen(&hub.listener, event, &options), 0);
}

/* One step of the loop; sleeps a little if nothing happens. Condition loops around it end by PATIENCE_MS. */
static void turn(uint64_t start)
{
        assert_true(time_monotonic_ms() - start < PATIENCE_MS);
        sd_event_run(event, 1000);
}
#define UNTIL(condition)                                          \
        for (uint64_t start = time_monotonic_ms(); !(condition);) \
        turn(start)

static int setup(void **state)
{
        static const struct signer_options sign = { "sign", "relay.key", NULL, (uid_t)-1, (gid_t)-1 };
        struct tls_client_options options = { "device.crt", "device.key", "ca.crt", { { 0 } }, 0 };
        struct sockaddr_in address;
        socklen_t size = sizeof(address);

        if (scratch_setup(state) != 0)
                return -1;
        make_identity("ca", 1, NULL, (struct x509_request){ .common_name = "factory.acme", .ca = true });
        make_identity("relay", 2, "ca",
                      (struct x509_request){ .common_name = "relay.s1", .dns_name = "127.0.0.1", .for_server = true });
        make_identity("device", 3, "ca", (struct x509_request){ .common_name = "device-1", .for_client = true });
        assert_int_equal(tls_client_context_new(&device, &options), 0);
        options.ca_file = "device.crt"; /* does not believe the relay */
        options.pin_count = 1;
        assert_int_equal(tls_client_context_new(&nobody, &options), 0);

        hub = (struct hub){ .admits = true, .in_order = true };
        assert_int_equal(signer_start(&signer, &sign), 0);
        assert_true(sd_event_new(&event) >= 0);
        hub_listen();
        int fd = listener_open("127.0.0.1:0", false);
        assert_true(fd >= 0);
        assert_int_equal(getsockname(fd, (void *)&address, &size), 0);
        port = ntohs(address.sin_port);
        struct front_options front_options = { "channel", "sign", "relay.crt", &fd, 1, 3 };
        assert_int_equal(front_new(&front, event, &front_options), 0);
        UNTIL(hub.peer);
        while (sd_event_run(event, 0) > 0) /* the front end reads the hub's greeting, too */
                ;
        return 0;
}

static int teardown(void **state)
{
        front = front_free(front);
        signer = signer_stop(signer);
        channel_peer_free(hub.peer);
        channel_listener_free(hub.listener);
        device = tls_context_free(device);
        nobody = tls_context_free(nobody);
        event = sd_event_unref(event);
        return scratch_teardown(state);
}

static void client_start(struct client *client, struct tls_context *context)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons(port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

        *client = (struct client){ .result = TLS_WANT_READ };
        client->fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(client->fd, (void *)&address, sizeof(address)), 0);
        fcntl(client->fd, F_SETFL, O_NONBLOCK);
        assert_int_equal(tls_new(&client->tls, context, client->fd, "127.0.0.1"), 0);
}

static void client_connect(struct client *client)
{
        client_start(client, device);
        UNTIL((client->result = tls_handshake(client->tls)) <= 0);
        assert_int_equal(client->result, 0);
}

static void client_send(struct client *client, struct span bytes)
{
        size_t done = 0;
        assert_int_equal(tls_write(client->tls, bytes, &done), 0);
        assert_int_equal(done, bytes.size);
}

/* how many bytes have come */
static size_t client_receive(struct client *client)
{
        size_t done = 0;
        client->result = tls_read(client->tls, client->input + client->input_size,
                                  sizeof(client->input) - client->input_size, &done);
        client->input_size += client->result == 0 ? done : 0;
        return client->input_size;
}

static bool client_ended(struct client *client)
{
        client_receive(client);
        return client->result < 0 || client->result == TLS_CLOSED;
}

static void client_free(struct client *client)
{
        client->tls = tls_free(client->tls);
        close(client->fd);
}

/* up to CONNACK */
static void client_session(struct client *client)
{
        client_connect(client);
        client_send(client, CONNECT_PACKET);
        UNTIL(client_receive(client) > 0);
        assert_int_equal(client->input[0], 0x20);
        client->input_size = 0;
}

static void publish(struct client *client, uint8_t payload)
{
        uint8_t packet[] = { 0x30, 5, 0, 1, 't', 0, payload };
        client_send(client, SPAN_OF(packet));
}

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
