/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uplink/simple.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "relay/mqttclient.h"
#include "tls/tls.h"
#include "util/cleanup.h"
#include "util/time.h"

#define RX_SIZE       (128 * 1024)
#define TX_SIZE       (256 * 1024)
#define TOPIC_SIZE    1024 /* longer topics of received messages are passed over */
#define KEEP_ALIVE_S  30
#define IN_FLIGHT_MAX 256

struct simple {
        struct tls_context *context;
        struct tls *tls;
        int fd;
        uint32_t timeout_ms;
        struct mqtt_client client;
        uint8_t rx[RX_SIZE], tx[TX_SIZE];
        uint8_t in[16384];
        size_t in_fill, in_at;
        uint64_t heard_ms; /* last byte of the broker, or last begin of waiting for one */
        short wait;        /* what TLS waits for */
};

static int failed(char error[SIMPLE_ERROR_SIZE], int r, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int failed(char error[SIMPLE_ERROR_SIZE], int r, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(error, SIMPLE_ERROR_SIZE, format, arguments);
        va_end(arguments);
        return r;
}

/* ---- bytes */

/* Waits for the socket until the deadline: 0, -ETIMEDOUT, or -errno. */
static int wait_for(const struct simple *s, short events, uint64_t deadline_ms)
{
        struct pollfd pollfd = { .fd = s->fd, .events = events };
        uint64_t now_ms = time_monotonic_ms();

        if (now_ms >= deadline_ms)
                return -ETIMEDOUT;
        uint64_t left = deadline_ms - now_ms;
        int r = poll(&pollfd, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (r < 0 && errno != EINTR)
                return -errno;
        return 0;
}

static int send_output(struct simple *s, char error[SIMPLE_ERROR_SIZE])
{
        struct span out;

        while ((out = mqtt_client_output(&s->client)).size > 0) {
                size_t done = 0;
                int r = tls_write(s->tls, out, &done);
                if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) {
                        s->wait |= r == TLS_WANT_WRITE ? POLLOUT : POLLIN;
                        return 0;
                }
                if (r != 0)
                        return failed(error, r < 0 ? r : -ECONNRESET, "the broker closed the connection");
                mqtt_client_sent(&s->client, done, time_monotonic_ms());
        }
        return 0;
}

static int read_input(struct simple *s, char error[SIMPLE_ERROR_SIZE])
{
        int r = tls_read(s->tls, s->in, sizeof(s->in), &s->in_fill);

        s->in_at = 0;
        if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) {
                s->in_fill = 0;
                s->wait |= r == TLS_WANT_WRITE ? POLLOUT : POLLIN;
                return 0;
        }
        if (r != 0) {
                s->in_fill = 0;
                return failed(error, r < 0 ? r : -ECONNRESET, "the broker closed the connection");
        }
        s->heard_ms = time_monotonic_ms();
        return 0;
}

/*
 * One event of the broker: 0 and *event, 1 if none came until the deadline, or -errno. The engine's output goes out
 * on the way.
 */
static int next_event(struct simple *s, struct mqtt_client_event *event, uint64_t deadline_ms,
                      char error[SIMPLE_ERROR_SIZE])
{
        for (;;) {
                s->wait = 0;
                int r = send_output(s, error);
                if (r < 0)
                        return r;
                if (mqtt_client_next(&s->client, event) == RELAY_OK)
                        return 0;
                if (s->in_at < s->in_fill) {
                        s->in_at += mqtt_client_input(&s->client, span_of(s->in + s->in_at, s->in_fill - s->in_at),
                                                      time_monotonic_ms());
                        continue;
                }
                r = read_input(s, error);
                if (r < 0)
                        return r;
                if (s->in_fill > 0)
                        continue;
                uint64_t wake_ms = mqtt_client_deadline(&s->client);
                r = wait_for(s, s->wait, wake_ms < deadline_ms ? wake_ms : deadline_ms);
                if (r == -ETIMEDOUT && time_monotonic_ms() >= deadline_ms)
                        return 1;
                if (r < 0 && r != -ETIMEDOUT)
                        return failed(error, r, "the connection failed: %s", strerror(-r));
                mqtt_client_tick(&s->client, time_monotonic_ms());
        }
}

/* An event while something is awaited of the broker; its silence is an error, and so is the end of the session. */
static int await_event(struct simple *s, struct mqtt_client_event *event, char error[SIMPLE_ERROR_SIZE])
{
        int r = next_event(s, event, s->heard_ms + s->timeout_ms, error);

        if (r == 1)
                return failed(error, -ETIMEDOUT, "the broker did not answer for %u ms", s->timeout_ms);
        if (r == 0 && event->type == MQTT_CLIENT_EVENT_CLOSED)
                return failed(error, event->by_peer ? -ECONNRESET : -EPROTO, "the broker %s: %s (0x%02x)",
                              event->by_peer ? "ended the session" : "broke the protocol",
                              mqtt_reason_string(event->reason), event->reason);
        return r;
}

/* ---- opening */

static int connect_address(const struct addrinfo *address, uint64_t deadline_ms)
{
        _cleanup_close_ int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int one = 1;
        int result = 0;
        socklen_t size = sizeof(result);

        if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
                return -errno;
        if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
                return steal_fd(&fd);
        if (errno != EINPROGRESS)
                return -errno;
        uint64_t now_ms = time_monotonic_ms();
        struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
        int r = now_ms < deadline_ms ? poll(&pollfd, 1, (int)(deadline_ms - now_ms)) : 0;
        if (r <= 0)
                return r < 0 ? -errno : -ETIMEDOUT;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size) < 0)
                return -errno;
        return result ? -result : steal_fd(&fd);
}

static int connect_host(const char *host, uint16_t port, uint64_t deadline_ms, char error[SIMPLE_ERROR_SIZE])
{
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
        struct addrinfo *addresses = NULL;
        char service[8];
        int fd = -ENOENT;

        snprintf(service, sizeof(service), "%u", port);
        int r = getaddrinfo(host, service, &hints, &addresses);
        if (r != 0)
                return failed(error, -ENOENT, "the name %s cannot be resolved: %s", host, gai_strerror(r));
        for (const struct addrinfo *address = addresses; address && fd < 0; address = address->ai_next)
                fd = connect_address(address, deadline_ms);
        freeaddrinfo(addresses);
        return fd >= 0 ? fd : failed(error, fd, "no connection to %s port %u: %s", host, port, strerror(-fd));
}

static int handshake(struct simple *s, uint64_t deadline_ms, char error[SIMPLE_ERROR_SIZE])
{
        for (;;) {
                int r = tls_handshake(s->tls);
                if (r == 0)
                        return 0;
                if (r < 0 || r == TLS_CLOSED)
                        return failed(error, r < 0 ? r : -ECONNRESET, "the TLS handshake failed: %s",
                                      r < 0 ? tls_error_string(s->tls) : "closed by the broker");
                r = wait_for(s, r == TLS_WANT_WRITE ? POLLOUT : POLLIN, deadline_ms);
                if (r < 0)
                        return failed(error, r, "the TLS handshake did not end in time: %s", strerror(-r));
        }
}

static int begin_session(struct simple *s, const struct simple_options *options, char error[SIMPLE_ERROR_SIZE])
{
        const struct mqtt_client_config config = {
                .client_id = span_of_string(options->client_id),
                .clean_start = true,
                .keep_alive_s = KEEP_ALIVE_S,
                .maximum_packet_size = RX_SIZE,
                .connack_timeout_ms = s->timeout_ms,
        };
        struct mqtt_client_event event;

        s->heard_ms = time_monotonic_ms();
        mqtt_client_init(&s->client, s->rx, sizeof(s->rx), s->tx, sizeof(s->tx), s->heard_ms);
        if (mqtt_client_connect(&s->client, &config, s->heard_ms) != RELAY_OK)
                return failed(error, -EINVAL, "the client id %s is too long", options->client_id);
        int r = await_event(s, &event, error);
        if (r < 0)
                return r;
        if (event.type != MQTT_CLIENT_EVENT_CONNACK || event.reason != MQTT_SUCCESS)
                return failed(error, -EACCES, "the broker refuses the session of %s: %s (0x%02x)", options->client_id,
                              mqtt_reason_string(event.reason), event.reason);
        return 0;
}

static int open_connection(struct simple *s, const struct simple_options *options, char error[SIMPLE_ERROR_SIZE])
{
        uint64_t deadline_ms = time_monotonic_ms() + s->timeout_ms;
        struct tls_client_options tls = {
                .certificate_file = options->certificate_file,
                .key_file = options->key_file,
                .ca_file = options->ca_file,
                .pin_count = options->pin_count,
        };

        memcpy(tls.pins, options->pins, sizeof(tls.pins));
        int r = tls_client_context_new(&s->context, &tls);
        if (r < 0)
                return failed(error, r, "certificate %s, key %s or CA %s cannot be used: %s", options->certificate_file,
                              options->key_file, options->ca_file ? options->ca_file : "(none)", strerror(-r));
        s->fd = connect_host(options->host, options->port, deadline_ms, error);
        if (s->fd < 0)
                return s->fd;
        r = tls_new(&s->tls, s->context, s->fd, options->host);
        if (r < 0)
                return failed(error, r, "the TLS session cannot be made: %s", strerror(-r));
        r = handshake(s, deadline_ms, error);
        return r < 0 ? r : begin_session(s, options, error);
}

int simple_open(struct simple **ret, const struct simple_options *options, char error[SIMPLE_ERROR_SIZE])
{
        struct simple *s = calloc(1, sizeof(*s));

        if (!s)
                return failed(error, -ENOMEM, "out of memory");
        s->fd = -1;
        s->timeout_ms = options->timeout_ms ? options->timeout_ms : 10000;
        int r = open_connection(s, options, error);
        if (r < 0) {
                simple_close(s);
                return r;
        }
        *ret = s;
        return 0;
}

struct simple *simple_close(struct simple *s)
{
        char error[SIMPLE_ERROR_SIZE];

        if (!s)
                return NULL;
        if (s->tls && mqtt_client_disconnect(&s->client, MQTT_SUCCESS) == RELAY_OK)
                (void)send_output(s, error);
        if (s->tls)
                tls_close_notify(s->tls);
        tls_free(s->tls);
        tls_context_free(s->context);
        close_safe(s->fd);
        free(s);
        return NULL;
}

/* ---- publishing */

struct batch {
        const struct simple_message *messages;
        size_t count, sent, acknowledged;
        size_t flights[IN_FLIGHT_MAX]; /* index of the message */
        uint16_t ids[IN_FLIGHT_MAX];   /* 0: free */
        size_t in_flight;
};

static int queue_one(struct simple *s, struct batch *batch, char error[SIMPLE_ERROR_SIZE])
{
        const struct simple_message *message = &batch->messages[batch->sent];
        const struct mqtt_publish publish = { .qos = 1,
                                              .retain = message->retain,
                                              .topic = span_of_string(message->topic),
                                              .payload = message->payload };
        uint16_t id = 0;
        size_t place = 0;
        int r = mqtt_client_publish(&s->client, &publish, NULL, &id);

        if (r == RELAY_E_SPACE)
                return 1;
        if (r == RELAY_E_RANGE)
                return failed(error, -EMSGSIZE, "%s: %zu bytes, or a retained message, is more than the broker takes",
                              message->topic, message->payload.size);
        if (r != RELAY_OK)
                return failed(error, -EPROTO, "%s cannot be sent: %s", message->topic, relay_result_string(r));
        while (batch->ids[place] != 0)
                place++;
        batch->ids[place] = id;
        batch->flights[place] = batch->sent++;
        batch->in_flight++;
        return 0;
}

static int queue_many(struct simple *s, struct batch *batch, char error[SIMPLE_ERROR_SIZE])
{
        int r = 0;

        while (r == 0 && batch->sent < batch->count && batch->in_flight < IN_FLIGHT_MAX)
                r = queue_one(s, batch, error);
        if (r == 1 && batch->in_flight == 0 && mqtt_client_output(&s->client).size == 0)
                return failed(error, -EMSGSIZE, "%s: %zu bytes are more than fits", batch->messages[batch->sent].topic,
                              batch->messages[batch->sent].payload.size);
        return r < 0 ? r : 0;
}

static int take_puback(struct batch *batch, const struct mqtt_ack *ack, char error[SIMPLE_ERROR_SIZE])
{
        for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
                if (batch->ids[i] != ack->packet_id)
                        continue;
                if (ack->reason >= 0x80)
                        return failed(error, -EACCES, "%s: %s (0x%02x)", batch->messages[batch->flights[i]].topic,
                                      mqtt_reason_string(ack->reason), ack->reason);
                batch->ids[i] = 0;
                batch->in_flight--;
                batch->acknowledged++;
                return 0;
        }
        return failed(error, -EPROTO, "the broker acknowledged a message that was not sent");
}

int simple_publish(struct simple *s, const struct simple_message *messages, size_t count,
                   void (*progress)(void *context, size_t acknowledged, size_t count), void *context,
                   char error[SIMPLE_ERROR_SIZE])
{
        struct batch batch = { .messages = messages, .count = count };
        struct mqtt_client_event event;

        s->heard_ms = time_monotonic_ms();
        while (batch.acknowledged < count) {
                int r = queue_many(s, &batch, error);
                if (r == 0)
                        r = await_event(s, &event, error);
                if (r == 0 && event.type == MQTT_CLIENT_EVENT_PUBLISH && event.packet.publish.qos == 1)
                        (void)mqtt_client_puback(&s->client, event.packet.publish.packet_id, MQTT_SUCCESS);
                if (r == 0 && event.type == MQTT_CLIENT_EVENT_PUBACK) {
                        r = take_puback(&batch, &event.packet.ack, error);
                        if (r == 0 && progress)
                                progress(context, batch.acknowledged, count);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}
