/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client: its socket, its TLS and its MQTT session.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "front/internal.h"
#include "front/listener.h"
#include "util/cleanup.h"
#include "util/time.h"

#define HANDSHAKE_MS   10000 /* from accept() to the hub's ADMIT */
#define CLOSING_MS     5000  /* for the last output */
#define LINGER_MS      2000  /* for the client's close after ours */
#define BLOCKED_MS     1000  /* between looks at the deadline of a session that waits for the hub */
#define READS_PER_TURN 4
#define NO_DEADLINE    UINT64_MAX

/* A flood of handshakes must not hold up the sessions that are open. */
#define PRIORITY_HANDSHAKE (SD_EVENT_PRIORITY_NORMAL + 10)

enum state {
        STATE_HANDSHAKE, /* TLS */
        STATE_ASKING,    /* OPEN sent; nothing is read until the hub answers */
        STATE_TALKING,
        STATE_CLOSING, /* the session is over; its last output goes out */
        STATE_LINGER,  /* closed by us: what still comes is dropped, so that no reset overtakes the last output */
};

struct connection {
        struct front *front;
        sd_event_source *io, *timer;
        int fd;
        enum state state;
        struct tls *tls;
        struct session *session;
        uint32_t number; /* in the channel */
        uint32_t credit;
        bool hub_knows;  /* OPEN went, and neither side closed */
        bool blocked;    /* the hub takes nothing of this session now */
        bool want_write; /* TLS waits for room in the socket */
        uint64_t armed_ms;
        uint8_t *held; /* input behind the last packet that went to the hub, while blocked */
        size_t held_size;
        struct connection *previous[LIST_COUNT], *next[LIST_COUNT];
        bool listed[LIST_COUNT];
        char peer[LISTENER_NAME_SIZE];
};

static void list_add(struct connection *c, enum list list)
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

static void list_remove(struct connection *c, enum list list)
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

static void destroy(struct connection *c)
{
        for (int list = 0; list < LIST_COUNT; list++)
                list_remove(c, (enum list)list);
        if (c->number)
                front_release_slot(c->front, c->number);
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->timer);
        tls_free(c->tls);
        session_free(c->session);
        close_safe(c->fd);
        free(c->held);
        free(c);
}

static void tell_hub_closed(struct connection *c, uint8_t mqtt_reason, enum channel_close_how how)
{
        struct channel_message message = { .type = CHANNEL_CLOSE, .session = c->number };

        if (!c->hub_knows)
                return;
        c->hub_knows = false;
        message.close = (struct channel_close){ mqtt_reason, how };
        front_send(c->front, &message);
}

/* without a word to the client: it is gone, or not worth one */
static void lose(struct connection *c)
{
        tell_hub_closed(c, MQTT_UNSPECIFIED_ERROR, CHANNEL_CLOSE_WITH_WILL);
        destroy(c);
}

static void watch(struct connection *c)
{
        bool reading = c->state == STATE_HANDSHAKE || c->state == STATE_LINGER ||
                       (c->state == STATE_TALKING && !c->blocked);

        sd_event_source_set_io_events(c->io, (reading ? EPOLLIN : 0) | (c->want_write ? EPOLLOUT : 0));
        sd_event_source_set_enabled(c->io, SD_EVENT_ON);
}

static void arm(struct connection *c, uint64_t deadline_ms)
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
                arm(c, deadline);
}

static void block(struct connection *c)
{
        c->blocked = true;
        if (!front_hub_takes(c->front))
                list_add(c, LIST_BLOCKED);
        watch(c);
}

static bool hub_takes(const struct connection *c)
{
        return c->credit > 0 && front_hub_takes(c->front);
}

static void mark_dirty(struct connection *c)
{
        list_add(c, LIST_DIRTY);
        front_wake(c->front);
}

static void begin_closing(struct connection *c)
{
        c->state = STATE_CLOSING;
        arm(c, time_monotonic_ms() + CLOSING_MS);
        watch(c);
        mark_dirty(c);
}

static void packet_to_hub(struct connection *c, struct span packet)
{
        struct channel_message message = { .type = CHANNEL_PACKET, .session = c->number, .packet = packet };

        if (!c->hub_knows)
                return;
        if (!front_send(c->front, &message)) /* too large once normalised */
                session_close(c->session, MQTT_PACKET_TOO_LARGE);
        else if (c->credit != CREDIT_UNLIMITED)
                c->credit--;
}

/* false: the hub takes no more now, events may be left */
static bool events_to_hub(struct connection *c)
{
        struct session_event event;

        while (c->state == STATE_TALKING) {
                if (!hub_takes(c) && c->hub_knows)
                        return false;
                if (session_next(c->session, &event) != 0)
                        return true;
                switch (event.type) {
                case SESSION_EVENT_PACKET:
                        packet_to_hub(c, event.packet);
                        break;
                case SESSION_EVENT_CLOSE:
                        tell_hub_closed(c, event.mqtt_reason,
                                        event.with_will ? CHANNEL_CLOSE_WITH_WILL : CHANNEL_CLOSE_NORMAL);
                        begin_closing(c);
                        break;
                }
        }
        return true;
}

/* false: connection lost for want of memory */
static bool hold(struct connection *c, struct span rest)
{
        uint8_t *copy = rest.size ? malloc(rest.size) : NULL;

        if (rest.size && !copy)
                return false;
        if (rest.size)
                memcpy(copy, rest.data, rest.size);
        free(c->held);
        c->held = copy;
        c->held_size = rest.size;
        return true;
}

/* Input to the session and its events to the hub, in turns; what hub or session do not take yet is kept. */
static bool feed(struct connection *c, struct span input)
{
        while (c->state == STATE_TALKING) {
                size_t taken = session_input(c->session, input, time_monotonic_ms());
                input = span_slice(input, taken, input.size - taken);
                if (!events_to_hub(c) || (input.size > 0 && !session_takes_input(c->session))) {
                        block(c);
                        return hold(c, input);
                }
                if (input.size == 0)
                        break;
        }
        return true;
}

static void read_input(struct connection *c)
{
        for (int i = 0; c->state == STATE_TALKING && (i < READS_PER_TURN || tls_pending(c->tls)); i++) {
                size_t size = 0;
                if (!session_takes_input(c->session) || (c->hub_knows && !hub_takes(c))) {
                        block(c);
                        break;
                }
                int r = tls_read(c->tls, c->front->read_buffer, READ_SIZE, &size);
                if (r == TLS_WANT_READ)
                        break;
                if (r == TLS_WANT_WRITE) {
                        c->want_write = true;
                        watch(c);
                        break;
                }
                if (r != 0 || !feed(c, span_of(c->front->read_buffer, size))) {
                        lose(c);
                        return;
                }
        }
        mark_dirty(c);
}

void connection_unblock(struct connection *c)
{
        list_remove(c, LIST_BLOCKED);
        if (!c->blocked || !hub_takes(c) || !session_takes_input(c->session))
                return;
        uint8_t *held = steal_pointer(c->held);
        c->blocked = false;
        bool good = feed(c, span_of(held, c->held_size));
        free(held);
        if (!good) {
                lose(c);
                return;
        }
        watch(c);
        mark_dirty(c);
}

static void start_linger(struct connection *c)
{
        if (c->state == STATE_CLOSING)
                tls_close_notify(c->tls);
        shutdown(c->fd, SHUT_WR);
        c->state = STATE_LINGER;
        c->want_write = false;
        arm(c, time_monotonic_ms() + LINGER_MS);
        watch(c);
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
                        watch(c);
                        return true;
                }
                session_sent(c->session, done, time_monotonic_ms());
        }
}

void connection_settle(struct connection *c)
{
        list_remove(c, LIST_DIRTY);
        if (!c->session || c->state == STATE_LINGER)
                return;
        if (!c->blocked && !events_to_hub(c))
                block(c);
        if (!write_output(c)) {
                lose(c);
                return;
        }
        list_remove(c, LIST_DIRTY); /* events_to_hub() may have put it there again */
        if (c->state == STATE_CLOSING && session_output(c->session).size == 0) {
                start_linger(c);
                return;
        }
        arm_for_session(c);
        if (c->state != STATE_TALKING || !c->blocked || !session_takes_input(c->session))
                return;
        (hub_takes(c) ? connection_unblock : block)(c); /* else the hub will */
}

static void discard_input(struct connection *c)
{
        ssize_t n = recv(c->fd, c->front->read_buffer, READ_SIZE, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                destroy(c);
}

static void log_refusal(struct connection *c, const char *why)
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
        message.open.certificate_count = tls_peer_chain(c->tls, message.open.certificates);
        if (!front_send(c->front, &message)) {
                destroy(c);
                return;
        }
        log_debug("%s: %s", c->peer, tls_describe(c->tls));
        tls_forget_peer_chain(c->tls);
        c->hub_knows = true;
        c->state = STATE_ASKING;
        sd_event_source_set_priority(c->io, SD_EVENT_PRIORITY_NORMAL);
        c->want_write = false;
        watch(c);
}

static void shake_hands(struct connection *c)
{
        int r = tls_handshake(c->tls);

        if (r == 0) {
                ask_hub(c);
        } else if (r > 0) {
                c->want_write = r == TLS_WANT_WRITE;
                watch(c);
        } else {
                log_refusal(c, tls_error_string(c->tls));
                if (r == -ECONNRESET)
                        destroy(c);
                else
                        start_linger(c); /* or a reset would overtake the alert that says why */
        }
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct connection *c = context;

        (void)source, (void)fd;
        switch (c->state) {
        case STATE_HANDSHAKE:
                shake_hands(c);
                break;
        case STATE_ASKING:
                lose(c); /* nothing but errors is watched for */
                break;
        case STATE_TALKING:
                if (events & EPOLLOUT)
                        mark_dirty(c);
                if (c->blocked && events & (EPOLLHUP | EPOLLERR) && session_output_full(c->session))
                        lose(c); /* it does not read, and now it never will */
                else if (c->blocked && events & (EPOLLHUP | EPOLLERR))
                        sd_event_source_set_enabled(c->io, SD_EVENT_OFF); /* its last packets are worth the wait */
                else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                        read_input(c);
                break;
        case STATE_CLOSING:
                if (events & (EPOLLHUP | EPOLLERR))
                        destroy(c);
                else
                        mark_dirty(c);
                break;
        case STATE_LINGER:
                discard_input(c);
                break;
        }
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *context)
{
        struct connection *c = context;

        (void)source, (void)now_us;
        switch (c->state) {
        case STATE_HANDSHAKE:
                log_refusal(c, "no TLS handshake in time");
                destroy(c);
                break;
        case STATE_ASKING:
                log_refusal(c, "the hub did not answer in time");
                lose(c);
                break;
        case STATE_TALKING:
                if (c->blocked) { /* its keep-alive waits unread in the socket: no fault of the client's */
                        arm(c, time_monotonic_ms() + BLOCKED_MS);
                        break;
                }
                c->armed_ms = NO_DEADLINE;
                session_tick(c->session, time_monotonic_ms());
                connection_settle(c);
                break;
        case STATE_CLOSING:
        case STATE_LINGER:
                destroy(c);
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
                r = sd_event_add_io(front->event, &c->io, fd, EPOLLIN, on_io, c);
        if (r >= 0)
                r = sd_event_source_set_priority(c->io, PRIORITY_HANDSHAKE);
        if (r >= 0)
                r = sd_event_add_time(front->event, &c->timer, CLOCK_MONOTONIC, 0, 0, on_timer, c);
        if (r < 0) {
                destroy(c);
                return r;
        }
        arm(c, time_monotonic_ms() + HANDSHAKE_MS);
        return 0;
}

/* 0 or -ENOMEM; the hub has answered OPEN */
static int start_session(struct connection *c)
{
        int r = session_new(&c->session, &c->front->limits, time_monotonic_ms());

        if (r < 0)
                return r;
        c->state = STATE_TALKING;
        arm(c, session_deadline(c->session));
        return 0;
}

static void admit(struct connection *c, const struct channel_admit *message)
{
        if (c->state != STATE_ASKING || start_session(c) < 0 ||
            session_admit(c->session, message->identity, time_monotonic_ms()) < 0) {
                lose(c);
                return;
        }
        watch(c);
}

/* the client still gets a CONNACK that says why */
static void refuse(struct connection *c, const struct channel_refuse *message)
{
        char why[64];

        span_to_string(message->reason, why, sizeof(why));
        log_refusal(c, why);
        c->hub_knows = false;
        if (c->state != STATE_ASKING || start_session(c) < 0) {
                destroy(c);
                return;
        }
        session_refuse(c->session, message->mqtt_reason);
        watch(c);
}

static bool is_qos_0_publish(struct span packet)
{
        return packet.data[0] >> 4 == MQTT_PUBLISH && !(packet.data[0] & 0x06);
}

static void packet_to_client(struct connection *c, struct span packet)
{
        if (c->state != STATE_TALKING)
                return;
        if (session_output_full(c->session)) {
                if (!is_qos_0_publish(packet)) /* the receive maximum bounds the others: this client does not read */
                        session_close(c->session, MQTT_QUOTA_EXCEEDED);
        } else if (session_from_hub(c->session, packet, time_monotonic_ms()) < 0) {
                log_error("%s: the hub sent a packet that is none; closing the session", c->peer);
                session_close(c->session, MQTT_IMPLEMENTATION_ERROR);
        }
        mark_dirty(c);
}

static void close_for_hub(struct connection *c, uint8_t mqtt_reason)
{
        c->hub_knows = false;
        if (!c->session) {
                destroy(c);
                return;
        }
        if (c->state != STATE_TALKING)
                return;
        session_close(c->session, mqtt_reason);
        mark_dirty(c);
}

void connection_message(struct connection *c, const struct channel_message *message)
{
        switch (message->type) {
        case CHANNEL_ADMIT:
                admit(c, &message->admit);
                break;
        case CHANNEL_REFUSE:
                refuse(c, &message->refuse);
                break;
        case CHANNEL_PACKET:
                packet_to_client(c, message->packet);
                break;
        case CHANNEL_CLOSE:
                close_for_hub(c, message->close.mqtt_reason);
                break;
        case CHANNEL_CREDIT:
                c->credit = message->credit;
                connection_unblock(c);
                break;
        case CHANNEL_HELLO:
        case CHANNEL_OPEN:
        case CHANNEL_STOP:
                break; /* not of a session */
        }
}

void connection_end(struct connection *c, uint8_t mqtt_reason)
{
        tell_hub_closed(c, mqtt_reason, CHANNEL_CLOSE_WITH_WILL);
        if (c->session && c->state == STATE_TALKING) {
                session_close(c->session, mqtt_reason);
                write_output(c);
                tls_close_notify(c->tls);
        }
        destroy(c);
}
