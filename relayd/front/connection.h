/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One client: what connection.c (its socket, TLS and life) and dialogue.c (its session and the hub) share.
 */

#include "front/internal.h"
#include "front/listener.h"

#define NO_DEADLINE UINT64_MAX

enum state {
        STATE_HANDSHAKE, /* TLS */
        STATE_ASKING,    /* OPEN sent; nothing is read until the hub answers */
        STATE_TALKING,
        STATE_CLOSING, /* the session is over; its last output goes out */
        STATE_LINGER,  /* closed by us: what still comes is dropped, so that no reset overtakes the last output */
};

struct connection {
        struct front *front;
        sd_event_source *timer;
        int fd;
        struct watch *watch; /* the one its socket is in; NULL: in none */
        uint32_t watched;    /* for these events */
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

/* connection.c */
void connection_list_add(struct connection *c, enum list list);
void connection_list_remove(struct connection *c, enum list list);
void connection_destroy(struct connection *c);
/* without a word to the client: it is gone, or not worth one */
void connection_lose(struct connection *c);
void connection_watch(struct connection *c);                        /* for what its state and blocked say */
void connection_arm(struct connection *c, uint64_t deadline_ms);    /* monotonic; NO_DEADLINE */
void connection_mark_dirty(struct connection *c);                   /* connection_settle() at the end of the turn */
void connection_begin_closing(struct connection *c);                /* the session is over */
void connection_log_refusal(struct connection *c, const char *why); /* at a bounded rate */
void connection_tell_hub_closed(struct connection *c, uint8_t mqtt_reason, enum channel_close_how how);

/* dialogue.c */
bool connection_hub_takes(const struct connection *c); /* packets of this session, now */
void connection_block(struct connection *c);           /* read no more until connection_unblock() */
/* false: the hub takes no more now, events may be left */
bool connection_events_to_hub(struct connection *c);
void connection_read(struct connection *c); /* may destroy c */
