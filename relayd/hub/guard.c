/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hub's end of the guard's channel; see guard.h. */

#include "hub/guard.h"

#include <errno.h>
#include <stdlib.h>

#include "channel/peer.h"
#include "util/log.h"

struct guard_peer {
        struct guard_host host;
        struct channel_listener *listener;
        struct channel_peer *channel; /* NULL: no guard */
        bool ready;
};

static int on_message(struct channel_peer *channel, const struct channel_message *message, void *context)
{
        struct guard_peer *peer = context;
        struct guard_message said;

        (void)channel;
        if (message->type != CHANNEL_PACKET || message->session != GUARD_SESSION ||
            guard_message_decode(message->packet, &said) != RELAY_OK)
                return -EBADMSG;
        peer->host.before(peer->host.context);
        switch (said.type) {
        case GUARD_READY:
                peer->ready = true;
                break;
        case GUARD_APPLIED:
        case GUARD_ROLLED_BACK:
        case GUARD_RESTORED:
        case GUARD_REFUSED:
        case GUARD_COUNTERS:
        case GUARD_LINK:
                if (!peer->ready)
                        return -EPROTO;
                break;
        case GUARD_POLICY:
        case GUARD_CONFIRM:
        case GUARD_UPLINK:
        case GUARD_RELOAD:
        case GUARD_COUNT:
                return -EPROTO;
        }
        peer->host.said(peer->host.context, &said);
        return 0;
}

static void on_closed(struct channel_peer *channel, int error, void *context)
{
        struct guard_peer *peer = context;

        channel_peer_free(channel);
        if (channel != peer->channel)
                return;
        peer->channel = NULL;
        peer->ready = false;
        peer->host.before(peer->host.context);
        peer->host.gone(peer->host.context, error);
}

static int on_accepted(struct channel_peer *channel, void **channel_context, void *context)
{
        struct guard_peer *peer = context;

        (void)channel_context;
        if (peer->channel) {
                log_warning("a second guard (process %d) was sent away", (int)channel_peer_pid(channel));
                return -EBUSY;
        }
        peer->channel = channel;
        return 0;
}

static const struct channel_handlers handlers = { .message = on_message, .closed = on_closed };

int guard_peer_new(struct guard_peer **ret, sd_event *event, const char *path, uid_t uid, const struct guard_host *host)
{
        struct guard_peer *peer = calloc(1, sizeof(*peer));
        struct channel_listen_options options = { .path = path,
                                                  .peer_uid = uid,
                                                  .group = (gid_t)-1,
                                                  .handlers = &handlers,
                                                  .accepted = on_accepted,
                                                  .context = peer };
        int result;

        if (!peer)
                return -ENOMEM;
        peer->host = *host;
        result = channel_listen(&peer->listener, event, &options);
        if (result < 0) {
                free(peer);
                return result;
        }
        *ret = peer;
        return 0;
}

struct guard_peer *guard_peer_free(struct guard_peer *peer)
{
        if (!peer)
                return NULL;
        channel_listener_free(peer->listener);
        channel_peer_free(peer->channel);
        free(peer);
        return NULL;
}

bool guard_peer_connected(const struct guard_peer *peer)
{
        return peer && peer->ready;
}

int guard_peer_send(struct guard_peer *peer, const struct guard_message *message)
{
        struct channel_message packet = { .type = CHANNEL_PACKET, .session = GUARD_SESSION };
        uint8_t buffer[GUARD_MESSAGE_MAX];
        struct writer w;

        if (!guard_peer_connected(peer))
                return 0;
        writer_init(&w, buffer, sizeof(buffer));
        if (guard_message_encode(&w, message) != RELAY_OK)
                return -EINVAL;
        packet.packet = writer_span(&w);
        return channel_send(peer->channel, &packet);
}
