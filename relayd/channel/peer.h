/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One end of a channel on an sd-event loop: connecting or listening, HELLO, batching, a bounded send queue.
 * Messages sent during a turn of the loop leave together, as one datagram, before the loop sleeps.
 */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "channel/message.h"

struct channel_peer;

struct channel_handlers {
        /* HELLO is exchanged (both ends' versions fit): messages may be sent and will come. May be NULL. */
        void (*ready)(struct channel_peer *peer, void *context);
        /* One message, never HELLO; its spans are valid during the call. A negative answer drops the peer with it. */
        int (*message)(struct channel_peer *peer, const struct channel_message *message, void *context);
        /* channel_send_room() was false and is true again. May be NULL. */
        void (*writable)(struct channel_peer *peer, void *context);
        /* The connection is over: -ECONNRESET, -EPROTO, -EBADMSG, -ETIMEDOUT ... The last call; free the peer in it or
         * later. */
        void (*closed)(struct channel_peer *peer, int error, void *context);
};

/* Connects; HELLO goes out at once, ready() follows. handlers must outlive the peer. 0 or -errno of socket/connect */
int channel_connect(struct channel_peer **ret, sd_event *event, const char *path,
                    const struct channel_handlers *handlers, void *context);
/* Takes over a connected SEQPACKET socket (also closes it on errors). */
int channel_adopt(struct channel_peer **ret, sd_event *event, int fd, const struct channel_handlers *handlers,
                  void *context);
/* Flushes what the socket takes now, closes. NULL-safe, returns NULL; allowed in every handler. */
struct channel_peer *channel_peer_free(struct channel_peer *peer);

/*
 * Queues one message (copied) for the end of this turn. 0; -ENOBUFS: the queue is at its hard limit, nothing was
 * queued; -EMSGSIZE: over the limits of message.h; -ENOTCONN: before ready() or after closed().
 */
int channel_send(struct channel_peer *peer, const struct channel_message *message);
/* Should more be produced now? false: wait for writable(). Messages are still taken up to the hard limit. */
bool channel_send_room(const struct channel_peer *peer);
/* Sends what is collected now (done by itself at the end of the turn). */
void channel_flush(struct channel_peer *peer);
pid_t channel_peer_pid(const struct channel_peer *peer);
uint64_t channel_bytes_queued(const struct channel_peer *peer);

struct channel_listener;

struct channel_listen_options {
        const char *path; /* replaced if a socket is there; mode 0660 */
        uid_t peer_uid;   /* who may connect besides our own uid; (uid_t)-1: nobody else */
        gid_t group;      /* of the socket; (gid_t)-1: as it is */
        size_t peers_max; /* 0: 16 */
        const struct channel_handlers *handlers;
        /* A peer came (ready() follows). context of its handlers: *peer_context, set by this call, else the listener's.
         * A negative answer refuses it. May be NULL. */
        int (*accepted)(struct channel_peer *peer, void **peer_context, void *context);
        void *context;
};
int channel_listen(struct channel_listener **ret, sd_event *event, const struct channel_listen_options *options);
/* Stops listening, removes the socket; its peers live on. NULL-safe, returns NULL */
struct channel_listener *channel_listener_free(struct channel_listener *listener);
