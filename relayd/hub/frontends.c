/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The front ends; see frontends.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/frontends.h"
#include "util/log.h"

struct front_end {
        struct frontends *frontends;
        struct channel_peer *peer;
        struct front_session *sessions;
        struct front_end *next, *previous;
        bool cut; /* a message for it was lost */
};

struct frontends {
        struct frontends_options options;
        struct broker *broker;
        struct channel_listener *listener;
        sd_event *event;
        struct front_end *fronts;
        struct table sessions; /* by front end and number */
        uint32_t count;
};

struct session_key {
        const struct front_end *front;
        uint32_t number;
};

static bool session_equal(const struct table_entry *entry, const void *key)
{
        const struct front_session *s = container_of(entry, const struct front_session, entry);
        const struct session_key *wanted = key;

        return s->front == wanted->front && s->number == wanted->number;
}

static uint64_t session_hash(const struct front_end *front, uint32_t number)
{
        return table_hash_two(front, span_of(&number, sizeof(number)));
}

static struct front_session *find(const struct front_end *front, uint32_t number)
{
        struct session_key key = { front, number };
        struct table_entry *e = table_find(&front->frontends->sessions, session_hash(front, number), session_equal,
                                           &key);

        return e ? container_of(e, struct front_session, entry) : NULL;
}

static struct front_session *session_of(const struct link *link)
{
        return container_of(link, struct front_session, link);
}

/* The front end and the session part; the memory stays until the broker's last reference is gone. */
static void detach(struct front_session *s)
{
        struct front_end *front = s->front;

        if (!front)
                return;
        table_remove(&front->frontends->sessions, &s->entry);
        front->frontends->count--;
        if (s->previous)
                s->previous->next = s->next;
        else
                front->sessions = s->next;
        if (s->next)
                s->next->previous = s->previous;
        s->front = NULL;
}

/* ---- for the broker */
static void send_message(struct front_end *front, const struct channel_message *message)
{
        int result = channel_send(front->peer, message);

        /* the hard limit: without this message its sessions are broken, and they come again */
        if (result < 0 && result != -ENOTCONN)
                front->cut = true;
}

void frontends_send(struct link *link, struct span packet)
{
        struct front_session *s = session_of(link);
        struct channel_message message = { .type = CHANNEL_PACKET, .session = s->number, .packet = packet };

        if (s->front)
                send_message(s->front, &message);
}

void frontends_close(struct link *link, uint8_t mqtt_reason)
{
        struct front_session *s = session_of(link);
        struct channel_message message = { .type = CHANNEL_CLOSE,
                                           .session = s->number,
                                           .close = { mqtt_reason, CHANNEL_CLOSE_BY_HUB } };

        if (!s->front)
                return;
        send_message(s->front, &message);
        detach(s);
}

bool frontends_writable(const struct link *link)
{
        const struct front_session *s = session_of(link);

        return s->front && channel_send_room(s->front->peer);
}

void frontends_release(struct link *link)
{
        struct front_session *s = session_of(link);

        detach(s);
        free(s);
}

/* ---- messages of a front end */
static uint8_t refusal_code(enum reason reason)
{
        return reason == REASON_TOO_MANY_SESSIONS ? MQTT_SERVER_BUSY : MQTT_NOT_AUTHORIZED;
}

static void refuse(struct front_end *front, uint32_t number, enum reason reason)
{
        struct channel_message message = { .type = CHANNEL_REFUSE,
                                           .session = number,
                                           .refuse = { refusal_code(reason), span_of_string(reason_name(reason)) } };

        send_message(front, &message);
}

static int make_session(struct front_end *front, const struct channel_message *open, const struct admission *admission)
{
        struct frontends *f = front->frontends;
        struct front_session *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->link.refs = 1;
        s->link.is_device = admission->is_device;
        s->link.role = admission->role;
        memcpy(s->link.identity, admission->identity, sizeof(s->link.identity));
        memcpy(s->fingerprint, admission->fingerprint, sizeof(s->fingerprint));
        span_to_string(open->open.peer, s->peer, sizeof(s->peer));
        s->port = open->open.port;
        s->number = open->session;
        if (table_insert(&f->sessions, &s->entry, session_hash(front, open->session)) < 0) {
                free(s);
                return -ENOMEM;
        }
        f->count++;
        s->front = front;
        s->next = front->sessions;
        if (s->next)
                s->next->previous = s;
        front->sessions = s;
        return 0;
}

static int on_open(struct front_end *front, const struct channel_message *message)
{
        struct frontends *f = front->frontends;
        struct channel_message answer = { .type = CHANNEL_ADMIT, .session = message->session };
        struct admission admission = { .decision = DECISION_DENY(REASON_MALFORMED) };
        int result;

        if (find(front, message->session))
                return -EPROTO;
        f->options.admit(f->options.context, &message->open, &admission);
        if (admission.decision.verdict != VERDICT_ALLOW) {
                refuse(front, message->session, admission.decision.reason);
                return 0;
        }
        result = make_session(front, message, &admission);
        if (result < 0)
                return result;
        answer.admit.identity = span_of_string(admission.identity);
        answer.admit.kind = admission.is_device ? CHANNEL_PEER_DEVICE : CHANNEL_PEER_APPLICATION;
        send_message(front, &answer);
        return 0;
}

static void on_close(struct front_end *front, const struct channel_message *message)
{
        struct front_session *s = find(front, message->session);

        if (!s)
                return;
        detach(s);
        broker_closed(front->frontends->broker, &s->link, message->close.how != CHANNEL_CLOSE_NORMAL);
}

static int on_message(struct channel_peer *peer, const struct channel_message *message, void *context)
{
        struct front_end *front = context;
        struct front_session *s;

        (void)peer;
        front->frontends->options.before(front->frontends->options.context);
        switch (message->type) {
        case CHANNEL_OPEN:
                return on_open(front, message);
        case CHANNEL_PACKET:
                /* what was on its way when the hub closed the session is no error */
                s = find(front, message->session);
                if (s)
                        broker_packet(front->frontends->broker, &s->link, message->packet);
                return 0;
        case CHANNEL_CLOSE:
                on_close(front, message);
                return 0;
        case CHANNEL_HELLO:
        case CHANNEL_ADMIT:
        case CHANNEL_REFUSE:
        case CHANNEL_CREDIT:
        case CHANNEL_STOP:
                break;
        }
        return -EPROTO;
}

static void on_writable(struct channel_peer *peer, void *context)
{
        struct front_end *front = context;

        (void)peer;
        for (struct front_session *s = front->sessions, *next; s; s = next) {
                next = s->next;
                broker_writable(front->frontends->broker, &s->link);
        }
}

static void free_front(struct front_end *front)
{
        struct frontends *f = front->frontends;

        if (front->previous)
                front->previous->next = front->next;
        else
                f->fronts = front->next;
        if (front->next)
                front->next->previous = front->previous;
        channel_peer_free(front->peer);
        free(front);
}

static void end_sessions(struct front_end *front, bool with_will)
{
        while (front->sessions) {
                struct front_session *s = front->sessions;
                detach(s);
                broker_closed(front->frontends->broker, &s->link, with_will);
        }
}

static void on_closed(struct channel_peer *peer, int error, void *context)
{
        struct front_end *front = context;

        log_warning("front end %d is gone: %s", (int)channel_peer_pid(peer), errno_string(error));
        front->frontends->options.before(front->frontends->options.context);
        end_sessions(front, true);
        free_front(front);
}

static const struct channel_handlers handlers = {
        .message = on_message,
        .writable = on_writable,
        .closed = on_closed,
};

static struct front_end *make_front(struct frontends *f)
{
        struct front_end *front = calloc(1, sizeof(*front));

        if (!front)
                return NULL;
        front->frontends = f;
        front->next = f->fronts;
        if (front->next)
                front->next->previous = front;
        f->fronts = front;
        return front;
}

static int on_accepted(struct channel_peer *peer, void **peer_context, void *context)
{
        struct front_end *front = make_front(context);

        if (!front)
                return -ENOMEM;
        front->peer = peer;
        *peer_context = front;
        return 0;
}

/* ---- the whole */
int frontends_new(struct frontends **ret, sd_event *event, const struct frontends_options *options)
{
        struct frontends *f = calloc(1, sizeof(*f));
        struct channel_listen_options listen = { .path = options->path,
                                                 .peer_uid = options->peer_uid,
                                                 .group = options->group,
                                                 .handlers = &handlers,
                                                 .accepted = on_accepted };
        int result;

        if (!f)
                return -ENOMEM;
        f->options = *options;
        f->event = event;
        listen.context = f;
        result = options->path ? channel_listen(&f->listener, event, &listen) : 0;
        if (result < 0) {
                free(f);
                return result;
        }
        *ret = f;
        return 0;
}

struct frontends *frontends_free(struct frontends *f)
{
        if (!f)
                return NULL;
        channel_listener_free(f->listener);
        while (f->fronts) {
                end_sessions(f->fronts, false);
                free_front(f->fronts);
        }
        table_release(&f->sessions);
        free(f);
        return NULL;
}

void frontends_use(struct frontends *f, struct broker *broker)
{
        f->broker = broker;
}

int frontends_adopt(struct frontends *f, int fd)
{
        struct front_end *front = make_front(f);
        int result;

        if (!front)
                return -ENOMEM;
        result = channel_adopt(&front->peer, f->event, fd, &handlers, front);
        if (result < 0)
                free_front(front);
        return result;
}

void frontends_reap(struct frontends *f)
{
        for (struct front_end *front = f->fronts, *next; front; front = next) {
                next = front->next;
                if (!front->cut)
                        continue;
                log_warning("front end %d does not read what the hub sends: cut off",
                            (int)channel_peer_pid(front->peer));
                end_sessions(front, true);
                free_front(front);
        }
}

uint32_t frontends_sessions(const struct frontends *f)
{
        return f->count;
}

void frontends_stop(struct frontends *f)
{
        struct channel_message message = { .type = CHANNEL_STOP };

        for (struct front_end *front = f->fronts, *next; front; front = next) {
                next = front->next;
                send_message(front, &message);
                channel_flush(front->peer); /* ends it, if it is gone */
        }
}

void frontends_walk(struct frontends *f, void (*fn)(void *context, struct front_session *session), void *context)
{
        for (struct front_end *front = f->fronts; front; front = front->next)
                for (struct front_session *s = front->sessions, *next; s; s = next) {
                        next = s->next;
                        fn(context, s);
                }
}
