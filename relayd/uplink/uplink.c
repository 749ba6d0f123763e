/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uplink/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "tls/tls.h"
#include "uplink/dial.h"
#include "uplink/tls_link.h"
#include "uplink/way.h"
#include "util/cleanup.h"
#include "util/time.h"

#define RX_SIZE         (UPLINK_PACKET_MAX + 1024)
#define READS_PER_TURN  8   /* then the loop's other sources have their turn */
#define RECEIVE_MAXIMUM 256 /* QoS 1 messages of the cloud held at a time */
/* a session that lasted this many times the shortest wait was a success, and the back-off begins anew */
#define STABLE_FACTOR 10

#define SOON_MS 200 /* until the next try after a change of the network */

/* what the connection was doing, for people */
static const char *const phase_texts[] = {
        [UPLINK_PHASE_STOPPED] = "stopped",        [UPLINK_PHASE_WAITING] = "waiting",
        [UPLINK_PHASE_DIALLING] = "connecting",    [UPLINK_PHASE_HANDSHAKE] = "in the TLS handshake",
        [UPLINK_PHASE_CONNACK] = "before CONNACK", [UPLINK_PHASE_SUBACK] = "before SUBACK",
        [UPLINK_PHASE_UP] = "in the open session",
};

const char *uplink_phase_text(const struct uplink *u)
{
        return phase_texts[u->phase];
}

/* ---- state */

enum uplink_state uplink_state(const struct uplink *u)
{
        return u->phase == UPLINK_PHASE_UP         ? UPLINK_UP
               : u->phase >= UPLINK_PHASE_DIALLING ? UPLINK_CONNECTING
                                                   : UPLINK_DOWN;
}

static void set_timer(struct uplink *u)
{
        uint64_t deadline = u->phase_deadline_ms;

        if (u->phase >= UPLINK_PHASE_CONNACK && mqtt_client_deadline(&u->client) < deadline)
                deadline = mqtt_client_deadline(&u->client);
        if (u->phase == UPLINK_PHASE_STOPPED || deadline == UINT64_MAX) {
                sd_event_source_set_enabled(u->timer, SD_EVENT_OFF);
                return;
        }
        sd_event_source_set_time(u->timer, deadline * TIME_US_PER_MS);
        sd_event_source_set_enabled(u->timer, SD_EVENT_ONESHOT);
}

static void set_io(struct uplink *u)
{
        /* who does not take our acknowledgements is not listened to: that bounds both directions */
        uint32_t events = u->phase < UPLINK_PHASE_CONNACK || uplink_has_room(u, 0) ? EPOLLIN : 0;

        if (!u->io)
                return;
        if (u->read_wants_write || (u->phase >= UPLINK_PHASE_CONNACK && mqtt_client_output(&u->client).size > 0))
                events |= EPOLLOUT;
        sd_event_source_set_io_events(u->io, events);
}

void uplink_run_again(struct uplink *u)
{
        sd_event_source_set_enabled(u->again, SD_EVENT_ONESHOT);
}

static void disconnect(struct uplink *u)
{
        u->io = sd_event_source_disable_unref(u->io);
        u->dial = dial_free(u->dial);
        if (u->link)
                u->transport.close(u->link);
        u->link = NULL;
        u->fd = close_safe(u->fd);
        u->generation++;
        u->in_fill = u->in_at = 0;
        u->read_wants_write = u->was_busy = false;
        u->address_in_doubt = u->way_in_doubt = u->way_lost = false;
        inflight_clear(&u->inflight);
        memset(u->watches, 0, sizeof(u->watches));
}

void uplink_fail(struct uplink *u, const char *format, ...)
{
        uint64_t now_ms = time_monotonic_ms();
        uint32_t random = 0;
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(u->error, sizeof(u->error), format, arguments);
        va_end(arguments);
        if (u->phase == UPLINK_PHASE_UP && now_ms - u->up_ms >= (uint64_t)u->retry.base_ms * STABLE_FACTOR)
                retry_reset(&u->retry);
        disconnect(u);
        /* without random bits the wait is the shortest: still a wait */
        (void)crypto_random(&random, sizeof(random));
        u->phase = UPLINK_PHASE_WAITING;
        u->phase_deadline_ms = now_ms + retry_next(&u->retry, random);
        set_timer(u);
        u->handler.state(u->handler.context, UPLINK_DOWN, u->error);
}

/* ---- sending */

bool uplink_has_room(const struct uplink *u, size_t size)
{
        return mqtt_client_output(&u->client).size + size + UPLINK_TX_RESERVE <= UPLINK_TX_SIZE;
}

static bool flush(struct uplink *u)
{
        struct span out;

        while ((out = mqtt_client_output(&u->client)).size > 0) {
                size_t done = 0;
                int r = u->transport.write(u->link, out, &done);
                if (r == TLS_WANT_READ || r == TLS_WANT_WRITE)
                        break;
                if (r != 0) {
                        uplink_fail(u, "the connection broke %s: %s", uplink_phase_text(u),
                                    r < 0 ? strerror(-r) : "closed by the cloud");
                        return false;
                }
                mqtt_client_sent(&u->client, done, time_monotonic_ms());
                u->progress = true;
        }
        return true;
}

/* ---- the connection */

void uplink_enter_up(struct uplink *u)
{
        u->phase = UPLINK_PHASE_UP;
        u->phase_deadline_ms = UINT64_MAX;
        u->up_ms = time_monotonic_ms();
        u->handler.state(u->handler.context, UPLINK_UP, u->error);
}

/* Hands what was read to the engine; false if the connection is over or the output has to go first. */
static bool consume(struct uplink *u)
{
        uint32_t generation = u->generation;
        struct mqtt_client_event event;

        for (;;) {
                while ((uplink_has_room(u, 0) || u->client.state == MQTT_CLIENT_CLOSED) &&
                       mqtt_client_next(&u->client, &event) == RELAY_OK) {
                        uplink_dispatch(u, &event);
                        if (u->generation != generation)
                                return false;
                }
                if (!uplink_has_room(u, 0))
                        return false;
                if (u->in_at == u->in_fill)
                        return true;
                size_t taken = mqtt_client_input(&u->client, span_of(u->in + u->in_at, u->in_fill - u->in_at),
                                                 time_monotonic_ms());
                if (taken == 0) {
                        uplink_fail(u, "the cloud sent a packet that does not fit");
                        return false;
                }
                u->in_at += taken;
        }
}

static void read_some(struct uplink *u)
{
        for (int i = 0; i < READS_PER_TURN; i++) {
                if (!consume(u))
                        return;
                u->in_at = u->in_fill = 0;
                int r = u->transport.read(u->link, u->in, sizeof(u->in), &u->in_fill);
                u->read_wants_write = r == TLS_WANT_WRITE;
                if (r == TLS_WANT_READ || r == TLS_WANT_WRITE)
                        return;
                if (r != 0) {
                        uplink_fail(u, "the cloud closed the connection %s%s%s", uplink_phase_text(u),
                                    r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
                        return;
                }
        }
        uplink_run_again(u);
}

static bool may_publish(const struct uplink *u)
{
        return u->phase == UPLINK_PHASE_UP && !inflight_is_full(&u->inflight) &&
               u->client.in_flight < u->client.send_maximum && u->client.in_flight < MQTT_CLIENT_PUBLISHES_MAX;
}

/* Everything that may be possible now: read, answer, send; tells the owner when there is room again. */
static void turn(struct uplink *u)
{
        uint32_t generation = u->generation;

        if (flush(u))
                read_some(u);
        if (u->generation == generation && flush(u) && u->was_busy && u->progress && may_publish(u)) {
                u->was_busy = u->progress = false;
                u->handler.ready(u->handler.context);
        }
        if (u->generation != generation)
                return;
        if (uplink_has_room(u, 0) && (u->transport.pending(u->link) || u->in_at < u->in_fill))
                uplink_run_again(u);
        set_io(u);
        set_timer(u);
}

static void begin_session(struct uplink *u)
{
        const struct mqtt_client_config config = {
                .client_id = span_of_string(u->identity),
                .clean_start = false,
                .session_expiry_s = UPLINK_SESSION_EXPIRY,
                .keep_alive_s = u->keep_alive_s,
                .receive_maximum = RECEIVE_MAXIMUM,
                .maximum_packet_size = UPLINK_PACKET_MAX,
                .connack_timeout_ms = u->connect_timeout_ms,
        };
        uint64_t now_ms = time_monotonic_ms();

        u->phase = UPLINK_PHASE_CONNACK;
        mqtt_client_init(&u->client, u->rx, RX_SIZE, u->tx, UPLINK_TX_SIZE, now_ms);
        if (mqtt_client_connect(&u->client, &config, now_ms) != RELAY_OK)
                uplink_fail(u, "the CONNECT packet cannot be built; is the identity %s too long?", u->identity);
        else
                turn(u);
}

static void continue_handshake(struct uplink *u)
{
        int r = u->transport.handshake(u->link);

        if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) {
                u->read_wants_write = r == TLS_WANT_WRITE;
                set_io(u);
                return;
        }
        u->read_wants_write = false;
        if (r == 0)
                begin_session(u);
        else
                uplink_fail(u, "the TLS handshake with %s port %u failed: %s", u->host, u->port,
                            r == TLS_CLOSED ? "closed by the cloud" : u->transport.error(u->link));
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct uplink *u = context;

        (void)source;
        (void)fd;
        (void)events;
        if (u->phase == UPLINK_PHASE_HANDSHAKE)
                continue_handshake(u);
        else if (u->phase >= UPLINK_PHASE_CONNACK)
                turn(u);
        return 0;
}

static bool address_is_allowed(const struct uplink *u, char why[UPLINK_ERROR_SIZE])
{
        struct sockaddr_storage peer = { 0 };
        socklen_t size = sizeof(peer);

        if (!u->handler.allowed || getpeername(u->fd, (struct sockaddr *)&peer, &size) < 0)
                return true;
        return (peer.ss_family != AF_INET && peer.ss_family != AF_INET6) ||
               u->handler.allowed(u->handler.context, (const struct sockaddr *)&peer, why);
}

/* Not at once: events come in swarms, and the next route may be on its way. */
static void try_soon(struct uplink *u)
{
        uint64_t soon_ms = time_monotonic_ms() + SOON_MS;

        if (u->phase_deadline_ms > soon_ms)
                u->phase_deadline_ms = soon_ms;
        set_timer(u);
}

/* What was in doubt; false if there is no connection, or none any more. */
static bool settle_doubts(struct uplink *u)
{
        bool address = u->address_in_doubt, way = u->way_in_doubt, lost = u->way_lost;
        char why[UPLINK_ERROR_SIZE] = "";

        u->address_in_doubt = u->way_in_doubt = u->way_lost = false;
        if ((address || way) && u->phase == UPLINK_PHASE_WAITING) {
                try_soon(u);
                return false;
        }
        if (u->phase < UPLINK_PHASE_HANDSHAKE)
                return true;
        if (address && !address_is_allowed(u, why)) {
                uplink_fail(u, "the connection was ended: %s", why);
                return false;
        }
        if (lost || (way && !way_holds(u->fd))) {
                uplink_fail(u, "the connection broke %s: the way to %s is gone (link, address or route)",
                            uplink_phase_text(u), u->host);
                return false;
        }
        return true;
}

static int on_again(sd_event_source *source, void *context)
{
        struct uplink *u = context;

        (void)source;
        if (settle_doubts(u) && u->phase >= UPLINK_PHASE_CONNACK)
                turn(u);
        return 0;
}

static void on_dialled(void *context, int fd, const char *error)
{
        struct uplink *u = context;

        if (fd < 0) {
                uplink_fail(u, "%s", error);
                return;
        }
        u->dial = dial_free(u->dial);
        u->fd = fd;
        u->phase = UPLINK_PHASE_HANDSHAKE;
        int r = u->transport.open(u->transport.context, fd, u->host, &u->link);
        if (r == 0)
                r = sd_event_add_io(u->event, &u->io, fd, EPOLLIN | EPOLLOUT, on_io, u);
        if (r < 0)
                uplink_fail(u, "the connection cannot be set up: %s", strerror(-r));
}

static bool may_dial(void *context, const struct sockaddr *address, char why[DIAL_WHY_SIZE])
{
        const struct uplink *u = context;

        _Static_assert(DIAL_WHY_SIZE >= UPLINK_ERROR_SIZE, "a sentence must fit");
        return !u->handler.allowed || u->handler.allowed(u->handler.context, address, why);
}

static void dial_now(struct uplink *u)
{
        const struct dial_request request = {
                .host = u->host, .port = u->port, .done = on_dialled, .allowed = may_dial, .context = u
        };
        int r;

        u->phase = UPLINK_PHASE_DIALLING;
        u->phase_deadline_ms = time_monotonic_ms() + u->connect_timeout_ms;
        if (u->transport.dial) {
                r = u->transport.dial(u->transport.context);
                set_timer(u);
                on_dialled(u, r < 0 ? -1 : r, "the test's cloud does not answer");
                return;
        }
        r = dial_start(&u->dial, u->event, &request);
        if (r < 0)
                uplink_fail(u, "the connection cannot be set up: %s", strerror(-r));
        else
                set_timer(u);
}

static int on_time(sd_event_source *source, uint64_t usec, void *context)
{
        struct uplink *u = context;
        uint64_t now_ms = time_monotonic_ms();

        (void)source;
        (void)usec;
        if (u->phase == UPLINK_PHASE_STOPPED)
                return 0;
        if (u->phase == UPLINK_PHASE_WAITING && u->phase_deadline_ms <= now_ms) {
                dial_now(u);
        } else if (u->phase_deadline_ms <= now_ms) {
                uplink_fail(u, "the cloud at %s port %u did not answer in %u ms (%s)", u->host, u->port,
                            u->connect_timeout_ms, uplink_phase_text(u));
        } else if (u->phase >= UPLINK_PHASE_CONNACK) {
                mqtt_client_tick(&u->client, now_ms);
                turn(u);
        } else {
                set_timer(u);
        }
        return 0;
}

/* ---- life */

static int copy_options(struct uplink *u, const struct uplink_options *options)
{
        if (!options->identity || !options->host || options->filter_count > UPLINK_FILTERS_MAX ||
            options->news_count > options->filter_count || strlen(options->host) > 253)
                return -EINVAL;
        u->identity = strdup(options->identity);
        u->host = strdup(options->host);
        if (!u->identity || !u->host)
                return -ENOMEM;
        for (; u->filter_count < options->filter_count; u->filter_count++) {
                const char *filter = options->filters[u->filter_count];
                if (strlen(filter) >= TOPIC_MAX || !topic_filter_is_valid(span_of_string(filter)))
                        return -EINVAL;
                u->filters[u->filter_count] = strdup(filter);
                if (!u->filters[u->filter_count])
                        return -ENOMEM;
        }
        u->news_count = options->news_count;
        u->port = options->port;
        u->keep_alive_s = options->keep_alive_s ? options->keep_alive_s : 30;
        u->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : 5000;
        u->retry = RETRY_INIT(options->retry_min_ms ? options->retry_min_ms : 1000,
                              options->retry_max_ms ? options->retry_max_ms : 60000);
        u->handler = options->handler;
        return 0;
}

static int make_transport(struct uplink *u, const struct uplink_options *options)
{
        struct tls_client_options tls = {
                .certificate_file = options->certificate_file,
                .key_file = options->key_file,
                .ca_file = options->ca_file,
                .pin_count = options->pin_count,
        };

        if (options->transport) {
                u->transport = *options->transport;
                return 0;
        }
        memcpy(tls.pins, options->pins, sizeof(tls.pins));
        int r = tls_client_context_new(&u->tls, &tls);
        if (r == 0)
                u->transport = tls_link_transport(u->tls);
        return r;
}

static int make_sources(struct uplink *u, sd_event *event)
{
        u->event = sd_event_ref(event);
        int r = sd_event_add_time(event, &u->timer, CLOCK_MONOTONIC, 0, 1, on_time, u);
        if (r >= 0)
                r = sd_event_source_set_enabled(u->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &u->again, on_again, u);
        if (r >= 0)
                r = sd_event_source_set_enabled(u->again, SD_EVENT_OFF);
        return r < 0 ? r : 0;
}

int uplink_new(struct uplink **ret, sd_event *event, const struct uplink_options *options)
{
        struct uplink *u = calloc(1, sizeof(*u));

        if (!u)
                return -ENOMEM;
        u->fd = -1;
        u->rx = malloc(RX_SIZE);
        u->tx = malloc(UPLINK_TX_SIZE);
        snprintf(u->error, sizeof(u->error), "not connected yet");
        int r = u->rx && u->tx ? copy_options(u, options) : -ENOMEM;
        if (r == 0)
                r = make_transport(u, options);
        if (r == 0)
                r = make_sources(u, event);
        if (r < 0) {
                uplink_free(u);
                return r;
        }
        *ret = u;
        return 0;
}

struct uplink *uplink_free(struct uplink *u)
{
        if (!u)
                return NULL;
        uplink_stop(u);
        sd_event_source_disable_unref(u->timer);
        sd_event_source_disable_unref(u->again);
        sd_event_unref(u->event);
        tls_context_free(u->tls);
        for (size_t i = 0; i < u->filter_count; i++)
                free(u->filters[i]);
        free(u->identity);
        free(u->host);
        free(u->rx);
        free(u->tx);
        free(u);
        return NULL;
}

int uplink_start(struct uplink *u)
{
        if (u->phase != UPLINK_PHASE_STOPPED)
                return 0;
        u->phase = UPLINK_PHASE_WAITING;
        u->phase_deadline_ms = time_monotonic_ms();
        set_timer(u);
        return 0;
}

void uplink_stop(struct uplink *u)
{
        if (u->phase == UPLINK_PHASE_STOPPED)
                return;
        if (u->link && u->phase >= UPLINK_PHASE_CONNACK &&
            mqtt_client_disconnect(&u->client, MQTT_SUCCESS) == RELAY_OK) {
                struct span out = mqtt_client_output(&u->client);
                size_t done = 0;
                (void)u->transport.write(u->link, out, &done);
        }
        disconnect(u);
        u->phase = UPLINK_PHASE_STOPPED;
        set_timer(u);
        snprintf(u->error, sizeof(u->error), "stopped");
}

void uplink_check_address(struct uplink *u)
{
        u->address_in_doubt = true;
        uplink_run_again(u);
}

void uplink_check_way(struct uplink *u)
{
        u->way_in_doubt = true;
        uplink_run_again(u);
}

void uplink_link_lost(struct uplink *u, const char *interface)
{
        if (u->phase < UPLINK_PHASE_HANDSHAKE || !way_goes_over(u->fd, interface))
                return;
        u->way_lost = true;
        uplink_run_again(u);
}
