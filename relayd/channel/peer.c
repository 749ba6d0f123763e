/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "channel/peer.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "channel/socket.h"
#include "util/cleanup.h"

#define HELLO_TIMEOUT_US   (5 * 1000000)
#define BATCH_MESSAGES     64                /* beyond this a larger batch saves nothing, and latency grows */
#define QUEUE_SOFT         (512 * 1024)      /* bytes waiting when channel_send_room() says no */
#define QUEUE_HARD         (8 * 1024 * 1024) /* bytes waiting when channel_send() refuses */
#define DATAGRAMS_PER_TURN 8
#define SEND_BUFFER        (1024 * 1024)

struct datagram {
        struct datagram *next;
        size_t size;
        uint8_t data[];
};

struct channel_peer {
        sd_event *event;
        sd_event_source *io, *flush, *deadline;
        int fd;
        const struct channel_handlers *handlers;
        void *context;
        pid_t pid;
        bool greeted, closed, in_dispatch, freed, was_full;

        struct writer batch;
        size_t batch_messages;
        size_t datagram_max; /* the smaller of both ends' */
        struct datagram *first, **last;
        uint64_t queued;

        struct channel_listener *listener;
        struct channel_peer *previous_peer, *next_peer;
        uint8_t batch_buffer[CHANNEL_DATAGRAM_MAX];
        uint8_t receive_buffer[CHANNEL_DATAGRAM_MAX];
};

struct channel_listener {
        sd_event *event;
        sd_event_source *io;
        int fd;
        char *path;
        struct channel_listen_options options;
        struct channel_peer *peers;
        size_t peer_count;
};

static void leave_listener(struct channel_peer *peer)
{
        if (!peer->listener)
                return;
        if (peer->previous_peer)
                peer->previous_peer->next_peer = peer->next_peer;
        else
                peer->listener->peers = peer->next_peer;
        if (peer->next_peer)
                peer->next_peer->previous_peer = peer->previous_peer;
        peer->listener->peer_count--;
        peer->listener = NULL;
}

static void disconnect(struct channel_peer *peer)
{
        peer->io = sd_event_source_disable_unref(peer->io);
        peer->flush = sd_event_source_disable_unref(peer->flush);
        peer->deadline = sd_event_source_disable_unref(peer->deadline);
        peer->fd = close_safe(peer->fd);
        leave_listener(peer);
}

static void destroy(struct channel_peer *peer)
{
        disconnect(peer);
        while (peer->first) {
                struct datagram *next = peer->first->next;
                free(peer->first);
                peer->first = next;
        }
        sd_event_unref(peer->event);
        free(peer);
}

static void fail(struct channel_peer *peer, int error)
{
        if (peer->closed)
                return;
        peer->closed = true;
        disconnect(peer);
        if (!peer->freed)
                peer->handlers->closed(peer, error, peer->context);
}

/* Handlers may free the peer: the memory goes when the outermost dispatch is over. */
static bool begin_dispatch(struct channel_peer *peer)
{
        bool outermost = !peer->in_dispatch;
        peer->in_dispatch = true;
        return outermost;
}

static void end_dispatch(struct channel_peer *peer, bool outermost)
{
        if (!outermost)
                return;
        peer->in_dispatch = false;
        if (peer->freed)
                destroy(peer);
}

static int watch_writable(struct channel_peer *peer, bool on)
{
        return sd_event_source_set_io_events(peer->io, EPOLLIN | (on ? EPOLLOUT : 0));
}

/* 0 sent, 1 the socket is full, or -errno */
static int send_datagram(struct channel_peer *peer, const void *data, size_t size)
{
        ssize_t n = send(peer->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0)
                return 0;
        if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
                return 1;
        return -errno;
}

static int queue_datagram(struct channel_peer *peer, const void *data, size_t size)
{
        struct datagram *datagram = malloc(sizeof(*datagram) + size);

        if (!datagram)
                return -ENOMEM;
        datagram->next = NULL;
        datagram->size = size;
        memcpy(datagram->data, data, size);
        *peer->last = datagram;
        peer->last = &datagram->next;
        peer->queued += size;
        if (!channel_send_room(peer))
                peer->was_full = true;
        return watch_writable(peer, true);
}

static int flush_batch(struct channel_peer *peer)
{
        size_t size = peer->batch.at;
        int r = 1;

        if (size == 0)
                return 0;
        if (!peer->first)
                r = send_datagram(peer, peer->batch_buffer, size);
        if (r == 1)
                r = queue_datagram(peer, peer->batch_buffer, size);
        writer_init(&peer->batch, peer->batch_buffer, peer->datagram_max);
        peer->batch_messages = 0;
        return r;
}

struct channel_peer *channel_peer_free(struct channel_peer *peer)
{
        if (!peer || peer->freed)
                return NULL;
        bool outermost = begin_dispatch(peer);
        peer->freed = true; /* from here on nothing is told to the owner, who is taking it down */
        if (!peer->closed)
                (void)flush_batch(peer); /* the last words; if the other end is gone they are lost */
        peer->closed = true;
        disconnect(peer);
        end_dispatch(peer, outermost);
        return NULL;
}

static int flush_queue(struct channel_peer *peer)
{
        while (peer->first) {
                struct datagram *datagram = peer->first;
                int r = send_datagram(peer, datagram->data, datagram->size);
                if (r != 0)
                        return r < 0 ? r : 0;
                peer->first = datagram->next;
                if (!peer->first)
                        peer->last = &peer->first;
                peer->queued -= datagram->size;
                free(datagram);
        }
        return watch_writable(peer, false);
}

void channel_flush(struct channel_peer *peer)
{
        if (peer->closed)
                return;
        bool outermost = begin_dispatch(peer);
        int r = flush_batch(peer);
        if (r < 0)
                fail(peer, r);
        end_dispatch(peer, outermost);
}

static int on_flush(sd_event_source *source, void *context)
{
        (void)source;
        channel_flush(context);
        return 0;
}

/* the batch as it is, or a fresh one */
static int append(struct channel_peer *peer, const struct channel_message *message)
{
        int result = channel_encode(&peer->batch, message);

        if (result == RELAY_E_SPACE && peer->batch.at > 0) {
                int r = flush_batch(peer);
                if (r < 0)
                        return r;
                result = channel_encode(&peer->batch, message);
        }
        if (result != RELAY_OK)
                return -EMSGSIZE;
        peer->batch_messages++;
        return 0;
}

static int send_message(struct channel_peer *peer, const struct channel_message *message)
{
        int r = append(peer, message);

        if (r == 0 && peer->batch_messages >= BATCH_MESSAGES)
                r = flush_batch(peer);
        if (r == 0 && peer->batch.at > 0)
                r = sd_event_source_set_enabled(peer->flush, SD_EVENT_ONESHOT);
        return r;
}

int channel_send(struct channel_peer *peer, const struct channel_message *message)
{
        if (!peer->greeted || peer->closed)
                return -ENOTCONN;
        if (peer->queued + peer->batch.at >= QUEUE_HARD)
                return -ENOBUFS;
        return send_message(peer, message);
}

bool channel_send_room(const struct channel_peer *peer)
{
        return peer->queued < QUEUE_SOFT;
}

uint64_t channel_bytes_queued(const struct channel_peer *peer)
{
        return peer->queued + peer->batch.at;
}

pid_t channel_peer_pid(const struct channel_peer *peer)
{
        return peer->pid;
}

static int greet(struct channel_peer *peer, const struct channel_message *message)
{
        if (message->type != CHANNEL_HELLO)
                return -EPROTO;
        if (message->hello.protocol != CHANNEL_VERSION)
                return -EPROTONOSUPPORT;
        if (message->hello.datagram_max < CHANNEL_HEADER_SIZE + CHANNEL_PAYLOAD_MAX)
                return -EPROTO;
        if (message->hello.datagram_max < peer->datagram_max)
                peer->datagram_max = message->hello.datagram_max;
        peer->greeted = true;
        peer->deadline = sd_event_source_disable_unref(peer->deadline);
        int r = flush_batch(peer); /* our own HELLO, and from here on batches of the size agreed */
        if (r == 0 && peer->handlers->ready)
                peer->handlers->ready(peer, peer->context);
        return r;
}

static int take_datagram(struct channel_peer *peer, struct span datagram)
{
        struct channel_message message;
        struct reader r;

        reader_init(&r, datagram);
        while (reader_left(&r) > 0 && !peer->closed) {
                if (channel_decode(&r, &message) != RELAY_OK)
                        return -EBADMSG;
                int result = peer->greeted && message.type != CHANNEL_HELLO
                                     ? peer->handlers->message(peer, &message, peer->context)
                             : peer->greeted ? -EPROTO
                                             : greet(peer, &message);
                if (result < 0)
                        return result;
        }
        return 0;
}

/* 0, 1: nothing there, or -errno */
static int receive_datagram(struct channel_peer *peer)
{
        struct iovec part = { peer->receive_buffer, sizeof(peer->receive_buffer) };
        struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
        ssize_t n = recvmsg(peer->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 1 : -errno;
        if (n == 0)
                return -ECONNRESET;
        if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                return -EMSGSIZE;
        return take_datagram(peer, span_of(peer->receive_buffer, (size_t)n));
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct channel_peer *peer = context;
        bool outermost = begin_dispatch(peer);
        int r = 0;

        (void)source, (void)fd;
        if (events & EPOLLOUT)
                r = flush_queue(peer);
        if (r == 0 && peer->was_full && channel_send_room(peer)) {
                peer->was_full = false;
                if (peer->handlers->writable)
                        peer->handlers->writable(peer, peer->context);
        }
        for (int i = 0; r == 0 && !peer->closed && events & (EPOLLIN | EPOLLHUP | EPOLLERR) && i < DATAGRAMS_PER_TURN;
             i++)
                r = receive_datagram(peer);
        if (r < 0)
                fail(peer, r);
        end_dispatch(peer, outermost);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t now, void *context)
{
        struct channel_peer *peer = context;
        bool outermost = begin_dispatch(peer);

        (void)source, (void)now;
        fail(peer, -ETIMEDOUT);
        end_dispatch(peer, outermost);
        return 0;
}

static int add_sources(struct channel_peer *peer)
{
        int r = sd_event_add_io(peer->event, &peer->io, peer->fd, EPOLLIN, on_io, peer);

        if (r >= 0)
                r = sd_event_add_defer(peer->event, &peer->flush, on_flush, peer);
        if (r >= 0)
                r = sd_event_source_set_enabled(peer->flush, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(peer->event, &peer->deadline, CLOCK_MONOTONIC, HELLO_TIMEOUT_US, 0,
                                               on_deadline, peer);
        return r < 0 ? r : 0;
}

int channel_adopt(struct channel_peer **ret, sd_event *event, int fd, const struct channel_handlers *handlers,
                  void *context)
{
        int send_buffer = SEND_BUFFER;
        struct channel_peer *peer = calloc(1, sizeof(*peer));

        if (!peer) {
                close_safe(fd);
                return -ENOMEM;
        }
        peer->event = sd_event_ref(event);
        peer->fd = fd;
        peer->handlers = handlers;
        peer->context = context;
        peer->last = &peer->first;
        peer->datagram_max = CHANNEL_DATAGRAM_MAX;
        writer_init(&peer->batch, peer->batch_buffer, peer->datagram_max);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer)); /* the kernel caps it: fine */
        int r = channel_socket_check_peer(fd, (uid_t)-1, &peer->pid);
        if (r == -EACCES) /* who may connect was the listener's question */
                r = 0;
        if (r == 0)
                r = add_sources(peer);
        struct channel_message hello = { .type = CHANNEL_HELLO };
        hello.hello = (struct channel_hello){ CHANNEL_VERSION, (uint32_t)getpid(), CHANNEL_DATAGRAM_MAX };
        if (r == 0)
                r = send_message(peer, &hello);
        if (r == 0)
                r = flush_batch(peer);
        if (r < 0) {
                destroy(peer);
                return r;
        }
        *ret = peer;
        return 0;
}

int channel_connect(struct channel_peer **ret, sd_event *event, const char *path,
                    const struct channel_handlers *handlers, void *context)
{
        int fd = channel_socket_connect(path, false);

        return fd < 0 ? fd : channel_adopt(ret, event, fd, handlers, context);
}

static int join_listener(struct channel_listener *listener, int fd)
{
        struct channel_peer *peer = NULL;
        size_t peers_max = listener->options.peers_max ? listener->options.peers_max : 16;

        int r = channel_socket_check_peer(fd, listener->options.peer_uid, NULL);
        if (r < 0 || listener->peer_count >= peers_max) {
                close_safe(fd);
                return r < 0 ? r : -EUSERS;
        }
        r = channel_adopt(&peer, listener->event, fd, listener->options.handlers, listener->options.context);
        if (r < 0)
                return r;
        if (listener->options.accepted)
                r = listener->options.accepted(peer, &peer->context, listener->options.context);
        if (r < 0) {
                channel_peer_free(peer);
                return r;
        }
        peer->listener = listener;
        peer->next_peer = listener->peers;
        if (peer->next_peer)
                peer->next_peer->previous_peer = peer;
        listener->peers = peer;
        listener->peer_count++;
        return 0;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *context)
{
        (void)source, (void)events;
        int peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (peer_fd >= 0)
                join_listener(context, peer_fd); /* a refused peer sees its connection close */
        return 0;
}

int channel_listen(struct channel_listener **ret, sd_event *event, const struct channel_listen_options *options)
{
        struct channel_listener *listener = calloc(1, sizeof(*listener));

        if (!listener)
                return -ENOMEM;
        listener->event = sd_event_ref(event);
        listener->options = *options;
        listener->fd = -1;
        listener->path = strdup(options->path);
        int r = listener->path ? 0 : -ENOMEM;
        if (r == 0)
                r = listener->fd = channel_socket_listen(options->path, options->group);
        if (r >= 0)
                r = sd_event_add_io(event, &listener->io, listener->fd, EPOLLIN, on_accept, listener);
        if (r < 0) {
                channel_listener_free(listener);
                return r;
        }
        *ret = listener;
        return 0;
}

struct channel_listener *channel_listener_free(struct channel_listener *listener)
{
        if (!listener)
                return NULL;
        while (listener->peers)
                leave_listener(listener->peers);
        listener->io = sd_event_source_disable_unref(listener->io);
        if (listener->fd >= 0)
                unlink(listener->path);
        listener->fd = close_safe(listener->fd);
        sd_event_unref(listener->event);
        free(listener->path);
        free(listener);
        return NULL;
}
