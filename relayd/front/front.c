/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "front/front.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "front/internal.h"
#include "front/listener.h"
#include "front/signclient.h"
#include "util/cleanup.h"
#include "util/time.h"

#define SLOT_BITS          20
#define SLOTS_MAX          ((UINT32_C(1) << SLOT_BITS) - 2)
#define HUB_RETRY_FIRST_MS 50
#define HUB_RETRY_MAX_MS   2000
#define ACCEPT_BACK_OFF_US (500 * 1000)
#define ACCEPTS_PER_TURN   16
#define PRIORITY_ACCEPT    (SD_EVENT_PRIORITY_NORMAL + 20) /* after handshakes, which come after open sessions */
#define LOG_BURST          10
#define LOG_INTERVAL_MS    10000

struct acceptor {
        struct front *front;
        sd_event_source *io, *back_off;
        int fd;
};

bool front_hub_takes(const struct front *front)
{
        return front->hub_ready && front->credit > 0 && channel_send_room(front->hub);
}

bool front_send(struct front *front, const struct channel_message *message)
{
        return front->hub_ready && channel_send(front->hub, message) == 0;
}

void front_wake(struct front *front)
{
        sd_event_source_set_enabled(front->end_of_turn, SD_EVENT_ONESHOT);
}

uint32_t front_claim_slot(struct front *front, struct connection *connection)
{
        if (front->free_count == 0)
                return 0;
        uint32_t slot = front->free_slots[--front->free_count];
        front->slots[slot] = connection;
        return (front->uses[slot] << SLOT_BITS) | (slot + 1);
}

void front_release_slot(struct front *front, uint32_t session)
{
        uint32_t slot = (session & (SLOTS_MAX + 1)) - 1;
        front->slots[slot] = NULL;
        front->uses[slot]++; /* what the hub still says to this session meets nobody */
        front->free_slots[front->free_count++] = slot;
}

/* A flood of handshakes must not hold up the sessions that are open: they come after them, and one by one. */
#define PRIORITY_HANDSHAKE (SD_EVENT_PRIORITY_NORMAL + 10)

static struct connection *find_session(const struct front *front, uint32_t session)
{
        uint32_t slot = (session & (SLOTS_MAX + 1)) - 1;

        if (slot >= front->slot_count || (front->uses[slot] << SLOT_BITS | (slot + 1)) != session)
                return NULL;
        return front->slots[slot];
}

static void on_ready(void *context, uint32_t number, uint32_t events)
{
        struct connection *connection = find_session(context, number);

        if (connection) /* one that was looked after before it in this turn may have ended it */
                connection_ready(connection, events);
}

static void end_all(struct front *front, uint8_t mqtt_reason)
{
        for (uint32_t slot = 0; slot < front->slot_count; slot++)
                if (front->slots[slot])
                        connection_end(front->slots[slot], mqtt_reason);
}

static void unblock_all(struct front *front)
{
        while (front->lists[LIST_BLOCKED] && front_hub_takes(front))
                connection_unblock(front->lists[LIST_BLOCKED]);
}

static int on_end_of_turn(sd_event_source *source, void *context)
{
        struct front *front = context;

        (void)source;
        while (front->lists[LIST_DIRTY])
                connection_settle(front->lists[LIST_DIRTY]);
        return 0;
}

/* ---- the hub's side */

static void announce(struct front *front)
{
        char name[LISTENER_NAME_SIZE];

        if (front->announced)
                return;
        front->announced = true;
        for (size_t i = 0; i < front->acceptor_count; i++)
                log_info("listening on %s", listener_own_name(front->acceptors[i].fd, name));
}

static void on_hub_ready(struct channel_peer *peer, void *context)
{
        struct front *front = context;

        (void)peer;
        front->hub_ready = true;
        front->hub_retry_ms = HUB_RETRY_FIRST_MS;
        front->credit = CREDIT_UNLIMITED;
        log_info("connected to the hub");
        announce(front);
}

static int on_hub_message(struct channel_peer *peer, const struct channel_message *message, void *context)
{
        struct front *front = context;

        (void)peer;
        switch (message->type) {
        case CHANNEL_STOP:
                end_all(front, MQTT_SHUTTING_DOWN);
                return 0;
        case CHANNEL_CREDIT:
                if (message->session == 0) {
                        front->credit = message->credit;
                        unblock_all(front);
                        return 0;
                }
                break;
        case CHANNEL_ADMIT:
        case CHANNEL_REFUSE:
        case CHANNEL_PACKET:
        case CHANNEL_CLOSE:
                break;
        case CHANNEL_HELLO:
        case CHANNEL_OPEN:
                return -EPROTO;
        }
        struct connection *connection = find_session(front, message->session);
        if (connection) /* else it ended while this was on its way */
                connection_message(connection, message);
        return 0;
}

static void on_hub_writable(struct channel_peer *peer, void *context)
{
        (void)peer;
        unblock_all(context);
}

static void retry_later(struct front *front)
{
        sd_event_source_set_time_relative(front->retry, front->hub_retry_ms * TIME_US_PER_MS);
        sd_event_source_set_enabled(front->retry, SD_EVENT_ONESHOT);
        front->hub_retry_ms = front->hub_retry_ms * 2 > HUB_RETRY_MAX_MS ? HUB_RETRY_MAX_MS : front->hub_retry_ms * 2;
}

static void on_hub_closed(struct channel_peer *peer, int error, void *context)
{
        struct front *front = context;
        uint32_t dropped;

        front->hub = channel_peer_free(peer);
        front->hub_ready = false;
        if (log_rate_allow(&front->hub_rate, time_monotonic_ms(), &dropped))
                log_warning("lost the hub: %s; closing all sessions", errno_string(error));
        end_all(front, MQTT_SHUTTING_DOWN); /* 0x88 is for CONNACK only */
        retry_later(front);
}

static const struct channel_handlers hub_handlers = { on_hub_ready, on_hub_message, on_hub_writable, on_hub_closed };

static int on_retry(sd_event_source *source, uint64_t now, void *context)
{
        struct front *front = context;
        uint32_t dropped;

        (void)source, (void)now;
        int r = channel_connect(&front->hub, front->event, front->channel_path, &hub_handlers, front);
        if (r < 0) {
                if (log_rate_allow(&front->hub_rate, time_monotonic_ms(), &dropped))
                        log_warning("cannot reach the hub at %s: %s; trying again", front->channel_path,
                                    errno_string(r));
                retry_later(front);
        }
        return 0;
}

/* ---- the clients' side */

/* A client that is reset at once goes to its next endpoint at once. */
static void reset(int fd)
{
        struct linger now = { .l_onoff = 1, .l_linger = 0 };

        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        close(fd);
}

static void welcome(struct front *front, int fd, const struct sockaddr_storage *address)
{
        char name[LISTENER_NAME_SIZE];
        uint32_t dropped;

        listener_name(address, name);
        if (front->hub_ready && front->free_count > 0) {
                connection_new(front, fd, name);
                return;
        }
        if (log_rate_allow(&front->accept_rate, time_monotonic_ms(), &dropped))
                log_warning("turned %s away: %s (%u not logged)", name,
                            front->hub_ready ? "as many connections as --connections-max allows" : "no hub", dropped);
        reset(fd);
}

static int on_back_off_over(sd_event_source *source, uint64_t now, void *context)
{
        struct acceptor *acceptor = context;

        (void)source, (void)now;
        return sd_event_source_set_enabled(acceptor->io, SD_EVENT_ON);
}

/* out of descriptors or memory: the waiting connection stays readable, so without a pause the loop would spin */
static void back_off(struct acceptor *acceptor, int error)
{
        uint32_t dropped;

        if (log_rate_allow(&acceptor->front->accept_rate, time_monotonic_ms(), &dropped))
                log_warning("cannot accept connections: %s; pausing", errno_string(error));
        sd_event_source_set_enabled(acceptor->io, SD_EVENT_OFF);
        sd_event_source_set_time_relative(acceptor->back_off, ACCEPT_BACK_OFF_US);
        sd_event_source_set_enabled(acceptor->back_off, SD_EVENT_ONESHOT);
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct acceptor *acceptor = context;

        (void)source, (void)events;
        for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
                struct sockaddr_storage address = { 0 };
                socklen_t size = sizeof(address);
                int client = accept4(fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (client >= 0) {
                        welcome(acceptor->front, client, &address);
                        continue;
                }
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                        back_off(acceptor, errno);
                else if (errno != EAGAIN)
                        continue; /* this client is gone (accept(2) lists the network's errors), others may wait */
                break;
        }
        return 0;
}

static int add_acceptor(struct front *front, int fd)
{
        struct acceptor *acceptor = &front->acceptors[front->acceptor_count++];

        acceptor->front = front;
        acceptor->fd = fd;
        int r = sd_event_add_io(front->event, &acceptor->io, fd, EPOLLIN, on_accept, acceptor);
        if (r >= 0)
                r = sd_event_source_set_priority(acceptor->io, PRIORITY_ACCEPT);
        if (r >= 0)
                r = sd_event_add_time_relative(front->event, &acceptor->back_off, CLOCK_MONOTONIC, 0, 0,
                                               on_back_off_over, acceptor);
        if (r >= 0)
                r = sd_event_source_set_enabled(acceptor->back_off, SD_EVENT_OFF);
        return r < 0 ? r : 0;
}

/* ---- making and unmaking */

static int make_slots(struct front *front, uint32_t count)
{
        if (count == 0 || count > SLOTS_MAX)
                return -EINVAL;
        front->slots = calloc(count, sizeof(*front->slots));
        front->uses = calloc(count, sizeof(*front->uses));
        front->free_slots = calloc(count, sizeof(*front->free_slots));
        if (!front->slots || !front->uses || !front->free_slots)
                return -ENOMEM;
        front->slot_count = front->free_count = count;
        for (uint32_t i = 0; i < count; i++)
                front->free_slots[i] = count - 1 - i;
        return 0;
}

static int make_tls(struct front *front, const struct front_options *options)
{
        struct tls_server_options tls = { .certificate_file = options->certificate, .sign = sign_client_sign };

        int r = sign_client_new(&front->signer, options->sign);
        tls.sign_context = front->signer;
        if (r == 0)
                r = tls_server_context_new(&front->tls, &tls);
        if (r < 0)
                log_error("%s: %s; expected a PEM certificate chain, leaf first", options->certificate,
                          errno_string(r));
        return r;
}

static int make_sources(struct front *front, const struct front_options *options)
{
        front->acceptors = calloc(options->listen_count, sizeof(*front->acceptors));
        if (!front->acceptors)
                return -ENOMEM;
        int r = sd_event_add_defer(front->event, &front->end_of_turn, on_end_of_turn, front);
        if (r >= 0)
                r = sd_event_source_set_enabled(front->end_of_turn, SD_EVENT_OFF);
        if (r >= 0) /* to the millisecond: by default a timer may be 250 ms late, and this one holds up the start */
                r = sd_event_add_time_relative(front->event, &front->retry, CLOCK_MONOTONIC, 0, TIME_US_PER_MS,
                                               on_retry, front);
        if (r >= 0)
                r = watch_init(&front->watches[WATCHED_SESSIONS], front->event, SD_EVENT_PRIORITY_NORMAL,
                               WATCH_BATCH_MAX, on_ready, front);
        if (r >= 0)
                r = watch_init(&front->watches[WATCHED_HANDSHAKES], front->event, PRIORITY_HANDSHAKE, 1, on_ready,
                               front);
        for (size_t i = 0; r >= 0 && i < options->listen_count; i++)
                r = add_acceptor(front, options->listen_fds[i]);
        return r < 0 ? r : 0;
}

int front_new(struct front **ret, sd_event *event, const struct front_options *options)
{
        struct front *front = calloc(1, sizeof(*front));

        if (!front)
                return -ENOMEM;
        front->event = sd_event_ref(event);
        for (size_t i = 0; i < WATCHED_COUNT; i++)
                front->watches[i].epoll = -1;
        front->hub_retry_ms = HUB_RETRY_FIRST_MS;
        front->refused_rate = front->hub_rate = front->accept_rate = (struct log_rate){
                .burst = LOG_BURST, .interval_ms = LOG_INTERVAL_MS
        };
        front->hub_rate.burst = 2;
        front->limits = (struct session_limits){
                .packet_max = CHANNEL_PACKET_MAX,
                .receive_maximum = 256,
                .topic_alias_maximum = 16,
                .connect_timeout_ms = 10000,
                .output_max = 1024 * 1024,
        };
        front->channel_path = strdup(options->channel);
        int r = front->channel_path ? make_slots(front, options->connections_max) : -ENOMEM;
        if (r == 0)
                r = make_sources(front, options);
        if (r < 0)
                log_error("cannot start: %s", errno_string(r));
        else
                r = make_tls(front, options);
        if (r < 0) {
                front_free(front);
                return r;
        }
        *ret = front;
        return 0;
}

struct front *front_free(struct front *front)
{
        if (!front)
                return NULL;
        end_all(front, MQTT_SHUTTING_DOWN);
        front->hub = channel_peer_free(front->hub);
        for (size_t i = 0; i < front->acceptor_count; i++) {
                sd_event_source_disable_unref(front->acceptors[i].io);
                sd_event_source_disable_unref(front->acceptors[i].back_off);
                close_safe(front->acceptors[i].fd);
        }
        for (size_t i = 0; i < WATCHED_COUNT; i++)
                watch_done(&front->watches[i]);
        sd_event_source_disable_unref(front->end_of_turn);
        sd_event_source_disable_unref(front->retry);
        tls_context_free(front->tls);
        sign_client_free(front->signer);
        sd_event_unref(front->event);
        free(front->acceptors);
        free(front->slots);
        free(front->uses);
        free(front->free_slots);
        free(front->channel_path);
        free(front);
        return NULL;
}
