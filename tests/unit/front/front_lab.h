/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The real front end, signing thread and sockets on one loop, between a hub and clients played here. */
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

/* the same with authentication method "m"; question, answer, and the end of it */
#define PROVING_CONNECT SPAN_LITERAL("\x10\x17\0\4MQTT\5\2\0\x3c\4\x15\0\1m\0\6client")
#define CHALLENGE       SPAN_LITERAL("\xf0\x0a\x18\x08\x15\0\1m\x16\0\1c")
#define STATEMENT       SPAN_LITERAL("\xf0\x0a\x18\x08\x15\0\1m\x16\0\1s")
#define PROVEN          SPAN_LITERAL("\x20\7\0\0\4\x15\0\1m")

struct hub {
        struct channel_listener *listener;
        struct channel_peer *peer;
        bool admits, refuses, asks;
        int opened, closed, packets, publishes, proofs;
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

static inline void hub_ready(struct channel_peer *peer, void *context)
{
        (void)context;
        hub.peer = peer;
}

static inline void hub_send(const struct channel_message *message)
{
        assert_int_equal(channel_send(hub.peer, message), 0);
}

static inline void hub_packet(uint32_t session, struct span packet)
{
        hub_send(&(struct channel_message){ .type = CHANNEL_PACKET, .session = session, .packet = packet });
}

static inline void hub_credit(uint32_t session, uint32_t credit)
{
        hub_send(&(struct channel_message){ .type = CHANNEL_CREDIT, .session = session, .credit = credit });
}

static inline void hub_admit(uint32_t session)
{
        hub_send(&(struct channel_message){
                .type = CHANNEL_ADMIT, .session = session, .admit = { SPAN_LITERAL("client"), CHANNEL_PEER_DEVICE } });
}

static inline void hub_opened(const struct channel_message *message)
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

static inline int hub_message(struct channel_peer *peer, const struct channel_message *message, void *context)
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
                        hub_packet(message->session, hub.asks ? CHALLENGE : CONNACK);
                if (message->packet.data[0] >> 4 == MQTT_AUTH) {
                        hub.proofs++;
                        assert_true(span_equal(message->packet, STATEMENT));
                        hub_packet(message->session, PROVEN);
                }
                if (message->packet.data[0] >> 4 == MQTT_PUBLISH) {
                        uint8_t payload = message->packet.data[message->packet.size - 1];
                        hub.publishes++;
                        hub.in_order &= payload == (uint8_t)(hub.last_payload + 1);
                        hub.last_payload = payload;
                }
        }
        return 0;
}

static inline void hub_closed(struct channel_peer *peer, int error, void *context)
{
        (void)error, (void)context;
        channel_peer_free(peer);
        hub.peer = NULL;
}

static const struct channel_handlers hub_handlers = { hub_ready, hub_message, NULL, hub_closed };

static inline void hub_listen(void)
{
        struct channel_listen_options options = { "channel", (uid_t)-1, (gid_t)-1, 0, &hub_handlers, NULL, NULL };
        assert_int_equal(channel_listen(&hub.listener, event, &options), 0);
}

/* One step of the loop; sleeps a little if nothing happens. Condition loops around it end by PATIENCE_MS. */
static inline void turn(uint64_t start)
{
        assert_true(time_monotonic_ms() - start < PATIENCE_MS);
        sd_event_run(event, 1000);
}
#define UNTIL(condition)                                          \
        for (uint64_t start = time_monotonic_ms(); !(condition);) \
        turn(start)

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

static inline void client_start(struct client *client, struct tls_context *context)
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

static inline void client_connect(struct client *client)
{
        client_start(client, device);
        UNTIL((client->result = tls_handshake(client->tls)) <= 0);
        assert_int_equal(client->result, 0);
}

static inline void client_send(struct client *client, struct span bytes)
{
        size_t done = 0;
        assert_int_equal(tls_write(client->tls, bytes, &done), 0);
        assert_int_equal(done, bytes.size);
}

/* how many bytes have come */
static inline size_t client_receive(struct client *client)
{
        size_t done = 0;
        client->result = tls_read(client->tls, client->input + client->input_size,
                                  sizeof(client->input) - client->input_size, &done);
        client->input_size += client->result == 0 ? done : 0;
        return client->input_size;
}

static inline bool client_ended(struct client *client)
{
        client_receive(client);
        return client->result < 0 || client->result == TLS_CLOSED;
}

static inline void client_free(struct client *client)
{
        client->tls = tls_free(client->tls);
        close(client->fd);
}

/* up to CONNACK */
static inline void client_session(struct client *client)
{
        client_connect(client);
        client_send(client, CONNECT_PACKET);
        UNTIL(client_receive(client) > 0);
        assert_int_equal(client->input[0], 0x20);
        client->input_size = 0;
}

static inline void publish(struct client *client, uint8_t payload)
{
        uint8_t packet[] = { 0x30, 5, 0, 1, 't', 0, payload };
        client_send(client, SPAN_OF(packet));
}
