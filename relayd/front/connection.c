/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client's socket, TLS and life; what is said goes through dialogue.c.
 */
#include "front/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "util/time.h"

#define HANDSHAKE_MS 10000 /* from accept() to the hub's ADMIT */
#define CLOSING_MS   5000  /* for the last output */
#define LINGER_MS    2000  /* for the client's close after ours */
#define BLOCKED_MS   1000  /* between looks at the deadline of a session that waits for the hub */

void connection_list_add(struct connection *c, enum list list)
{
        struct connection **first = &c->front->lists[list];

        if (c->listed[list])
                return;
        c->listed[list] = true;
        c->previous[list] = NULL;
        c->next[list] = *first;
        if (*first)
                (*first)->previous[list] = c;
        *first = c;
}

void connection_list_remove(struct connection *c, enum list list)
{
        if (!c->listed[list])
                return;
        c->listed[list] = false;
        if (c->previous[list])
                c->previous[list]->next[list] = c->next[list];
        else
                c->front->lists[list] = c->next[list];
        if (c->next[list])
                c->next[list]->previous[list] = c->previous[list];
}

void connection_destroy(struct connection *c)
{
        for (int list = 0; list < LIST_COUNT; list++)
                connection_list_remove(c, (enum list)list);
        if (c->number)
                front_release_slot(c->front, c->number);
        sd_event_source_disable_unref(c->timer);
        tls_free(c->tls);
        session_free(c->session);
        close_safe(c->fd);
        free(c->held);
        free(c);
}

void connection_tell_hub_closed(struct connection *c, uint8_t mqtt_reason, enum channel_close_how how)
{
        struct channel_message message = { .type = CHANNEL_CLOSE, .session = c->number };

        if (!c->hub_knows)
                return;
        c->hub_knows = false;
        message.close = (struct channel_close){ mqtt_reason, how };
        front_send(c->front, &message);
}

/* without a word to the client: it is gone, or not worth one */
void connection_lose(struct connection *c)
{
        connection_tell_hub_closed(c, MQTT_UNSPECIFIED_ERROR, CHANNEL_CLOSE_WITH_WILL);
        connection_destroy(c);
}

/* -errno only if the kernel has no memory for one more socket */
static int watch(struct connection *c)
{
        struct watch *w = &c->front->watches[c->state == STATE_HANDSHAKE ? WATCHED_HANDSHAKES : WATCHED_SESSIONS];
        bool reading = c->state == STATE_HANDSHAKE || c->state == STATE_LINGER ||
                       (c->state == STATE_TALKING && !c->blocked);

        uint32_t events = (reading ? EPOLLIN : 0) | (c->want_write ? EPOLLOUT : 0);

        if (c->watch == w && c->watched == events)
                return 0;
        if (c->watch && c->watch != w)
                watch_remove(c->watch, c->fd);
        int r = watch_set(w, c->fd, c->number, events, c->watch != w);
        c->watch = r == 0 ? w : NULL;
        c->watched = events;
        return r;
}

void connection_watch(struct connection *c)
{
        if (watch(c) < 0) /* its timer ends it */
                connection_log_refusal(c, "no memory to wait for its socket");
}

/* Not even for a hang-up, which cannot be masked. */
static void ignore_socket(struct connection *c)
{
        if (c->watch)
                watch_remove(c->watch, c->fd);
        c->watch = NULL;
}

void connection_arm(struct connection *c, uint64_t deadline_ms)
{
        c->armed_ms = deadline_ms;
        if (deadline_ms == NO_DEADLINE) {
                sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
                return;
        }
        sd_event_source_set_time(c->timer, deadline_ms * TIME_US_PER_MS);
        sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

/* The session's deadline moves with every packet; only an earlier one needs the timer now. */
static void arm_for_session(struct connection *c)
{
        uint64_t deadline = session_deadline(c->session);

        if (c->state == STATE_TALKING && deadline < c->armed_ms)
                connection_arm(c, deadline);
}

void connection_mark_dirty(struct connection *c)
{
        connection_list_add(c, LIST_DIRTY);
        front_wake(c->front);
}

void connection_begin_closing(struct connection *c)
{
        c->state = STATE_CLOSING;
        connection_arm(c, time_monotonic_ms() + CLOSING_MS);
        connection_watch(c);
        connection_mark_dirty(c);
}

static void start_linger(struct connection *c)
{
        if (c->state == STATE_CLOSING)
                tls_close_notify(c->tls);
        shutdown(c->fd, SHUT_WR);
        c->state = STATE_LINGER;
        c->want_write = false;
        connection_arm(c, time_monotonic_ms() + LINGER_MS);
        connection_watch(c);
}

/* false: lost */
static bool write_output(struct connection *c)
{
        for (;;) {
                struct span output = session_output(c->session);
                size_t done = 0;
                int r = output.size ? tls_write(c->tls, output, &done) : TLS_WANT_READ;
                if (r < 0)
                        return false;
                if (r != 0) {
                        c->want_write = r == TLS_WANT_WRITE;
                        connection_watch(c);
                        return true;
                }
                session_sent(c->session, done, time_monotonic_ms());
        }
}

void connection_settle(struct connection *c)
{
        connection_list_remove(c, LIST_DIRTY);
        if (!c->session || c->state == STATE_LINGER)
                return;
        if (!c->blocked && !connection_events_to_hub(c))
                connection_block(c);
        if (!write_output(c)) {
                connection_lose(c);
                return;
        }
        connection_list_remove(c, LIST_DIRTY); /* connection_events_to_hub() may have put it there again */
        if (c->state == STATE_CLOSING && session_output(c->session).size == 0) {
                start_linger(c);
                return;
        }
        arm_for_session(c);
        if (c->state != STATE_TALKING || !c->blocked || !session_takes_input(c->session))
                return;
        if (connection_hub_takes(c))
                connection_unblock(c);
        else
                connection_block(c); /* the hub wakes it */
}

static void discard_input(struct connection *c)
{
        ssize_t n = recv(c->fd, c->front->read_buffer, READ_SIZE, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                connection_destroy(c);
}

void connection_log_refusal(struct connection *c, const char *why)
{
        uint32_t dropped;

        if (!log_rate_allow(&c->front->refused_rate, time_monotonic_ms(), &dropped))
                return;
        if (dropped)
                log_warning("refused %s: %s (%u more not logged)", c->peer, why, dropped);
        else
                log_warning("refused %s: %s", c->peer, why);
}

/* Whoever is there has proved its key; the hub knows whom to believe. */
static void ask_hub(struct connection *c)
{
        struct channel_message message = { .type = CHANNEL_OPEN, .session = c->number };

        _Static_assert(TLS_CHAIN_MAX == CHANNEL_CERTIFICATES_MAX, "a chain must fit into OPEN");
        message.open.peer = span_of_string(c->peer);
        message.open.port = listener_own_port(c->fd);
        message.open.certificate_count = tls_peer_chain(c->tls, message.open.certificates);
        if (!front_send(c->front, &message)) {
                connection_destroy(c);
                return;
        }
        log_debug("%s: %s", c->peer, tls_describe(c->tls));
        tls_forget_peer_chain(c->tls);
        c->hub_knows = true;
        c->state = STATE_ASKING;
        c->want_write = false;
        connection_watch(c);
}

static void shake_hands(struct connection *c)
{
        int r = tls_handshake(c->tls);

        if (r == 0) {
                ask_hub(c);
        } else if (r > 0) {
                c->want_write = r == TLS_WANT_WRITE;
                connection_watch(c);
        } else {
                connection_log_refusal(c, tls_error_string(c->tls));
                if (r == -ECONNRESET)
                        connection_destroy(c);
                else
                        start_linger(c); /* or a reset would overtake the alert that says why */
        }
}

void connection_ready(struct connection *c, uint32_t events)
{
        switch (c->state) {
        case STATE_HANDSHAKE:
                shake_hands(c);
                break;
        case STATE_ASKING:
                connection_lose(c); /* nothing but errors is watched for */
                break;
        case STATE_TALKING:
                if (events & EPOLLOUT)
                        connection_mark_dirty(c);
                if (c->blocked && events & (EPOLLHUP | EPOLLERR) && session_output_full(c->session))
                        connection_lose(c); /* it does not read, and now it never will */
                else if (c->blocked && events & (EPOLLHUP | EPOLLERR))
                        ignore_socket(c); /* its last packets are worth the wait */
                else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                        connection_read(c);
                break;
        case STATE_CLOSING:
                if (events & (EPOLLHUP | EPOLLERR))
                        connection_destroy(c);
                else
                        connection_mark_dirty(c);
                break;
        case STATE_LINGER:
                discard_input(c);
                break;
        }
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *context)
{
        struct connection *c = context;

        (void)source, (void)now_us;
        switch (c->state) {
        case STATE_HANDSHAKE:
                connection_log_refusal(c, "no TLS handshake in time");
                connection_destroy(c);
                break;
        case STATE_ASKING:
                connection_log_refusal(c, "the hub did not answer in time");
                connection_lose(c);
                break;
        case STATE_TALKING:
                if (c->blocked) { /* its keep-alive waits unread in the socket: no fault of the client's */
                        connection_arm(c, time_monotonic_ms() + BLOCKED_MS);
                        break;
                }
                c->armed_ms = NO_DEADLINE;
                session_tick(c->session, time_monotonic_ms());
                connection_settle(c);
                break;
        case STATE_CLOSING:
        case STATE_LINGER:
                connection_destroy(c);
                break;
        }
        return 0;
}

static void set_socket_options(int fd)
{
        static const struct {
                int level, name, value;
        } options[] = {
                { IPPROTO_TCP, TCP_NODELAY, 1 },   { SOL_SOCKET, SO_KEEPALIVE, 1 }, /* clients without an MQTT
                                                                                       keep-alive */
                { IPPROTO_TCP, TCP_KEEPIDLE, 60 }, { IPPROTO_TCP, TCP_KEEPINTVL, 15 }, { IPPROTO_TCP, TCP_KEEPCNT, 4 },
        };

        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
                setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
}

int connection_new(struct front *front, int fd, const char *peer)
{
        struct connection *c = calloc(1, sizeof(*c));

        if (!c) {
                close_safe(fd);
                return -ENOMEM;
        }
        c->front = front;
        c->fd = fd;
        c->credit = CREDIT_UNLIMITED;
        snprintf(c->peer, sizeof(c->peer), "%s", peer);
        set_socket_options(fd);
        c->number = front_claim_slot(front, c);
        int r = c->number ? tls_new(&c->tls, front->tls, fd, NULL) : -EUSERS;
        if (r == 0)
                r = watch(c);
        if (r >= 0)
                r = sd_event_add_time(front->event, &c->timer, CLOCK_MONOTONIC, 0, 0, on_timer, c);
        if (r < 0) {
                connection_destroy(c);
                return r;
        }
        connection_arm(c, time_monotonic_ms() + HANDSHAKE_MS);
        return 0;
}

void connection_end(struct connection *c, uint8_t mqtt_reason)
{
        connection_tell_hub_closed(c, mqtt_reason, CHANNEL_CLOSE_WITH_WILL);
        if (c->session && c->state == STATE_TALKING) {
                session_close(c->session, mqtt_reason);
                write_output(c);
                tls_close_notify(c->tls);
        }
        connection_destroy(c);
}
