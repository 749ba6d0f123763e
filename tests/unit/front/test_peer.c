/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel/peer: two real ends on one loop; greetings, batches, back-pressure, peers that break the rules */
#include "scratch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "channel/peer.h"
#include "channel/socket.h"

struct end {
        struct channel_peer *peer;
        int ready, messages, writable, closed;
        int answer;      /* of message() */
        bool free_there; /* frees the peer inside message() */
        uint32_t last_session;
        bool in_order;
};

static void on_ready(struct channel_peer *peer, void *context)
{
        struct end *end = context;
        end->ready++;
        end->peer = peer;
}

static int on_message(struct channel_peer *peer, const struct channel_message *message, void *context)
{
        struct end *end = context;
        end->messages++;
        end->in_order &= message->session == end->last_session + 1;
        end->last_session = message->session;
        if (end->free_there)
                end->peer = channel_peer_free(peer);
        return end->answer;
}

static void on_writable(struct channel_peer *peer, void *context)
{
        (void)peer;
        ((struct end *)context)->writable++;
}

static void on_closed(struct channel_peer *peer, int error, void *context)
{
        struct end *end = context;
        end->closed = error;
        end->peer = channel_peer_free(peer);
}

static const struct channel_handlers handlers = { on_ready, on_message, on_writable, on_closed };

static sd_event *event;

static int setup(void **state)
{
        return sd_event_new(&event) < 0 ? -1 : scratch_setup(state);
}

static int teardown(void **state)
{
        event = sd_event_unref(event);
        return scratch_teardown(state);
}

/* runs the loop until nothing is ready any more */
static void settle(void)
{
        while (sd_event_run(event, 0) > 0)
                ;
}

static struct channel_message packet(uint32_t session, size_t size)
{
        static const uint8_t bytes[CHANNEL_PAYLOAD_MAX];
        return (struct channel_message){ .type = CHANNEL_PACKET, .session = session, .packet = span_of(bytes, size) };
}

static void connect_both(struct end *hub, struct end *front)
{
        struct channel_listener *listener = NULL;
        struct channel_listen_options options = { "socket", (uid_t)-1, (gid_t)-1, 0, &handlers, NULL, hub };

        *hub = *front = (struct end){ .in_order = true };
        assert_int_equal(channel_listen(&listener, event, &options), 0);
        assert_int_equal(channel_connect(&front->peer, event, "socket", &handlers, front), 0);
        settle();
        assert_int_equal(hub->ready, 1);
        assert_int_equal(front->ready, 1);
        channel_listener_free(listener);
}

static void free_both(struct end *hub, struct end *front)
{
        channel_peer_free(hub->peer);
        channel_peer_free(front->peer);
}

static void greeting_and_messages(void **state)
{
        struct end hub, front;
        struct stat st;

        (void)state;
        connect_both(&hub, &front);
        assert_int_equal(channel_peer_pid(hub.peer), getpid());
        assert_int_equal(stat("socket", &st), -1); /* gone with the listener */
        for (uint32_t i = 1; i <= 1000; i++) {
                struct channel_message m = packet(i, 2 + i);
                assert_int_equal(channel_send(front.peer, &m), 0);
        }
        settle();
        assert_int_equal(hub.messages, 1000);
        assert_true(hub.in_order);
        struct channel_message credit = { .type = CHANNEL_CREDIT, .session = 1, .credit = 5 };
        assert_int_equal(channel_send(hub.peer, &credit), 0);
        settle();
        assert_int_equal(front.messages, 1);
        free_both(&hub, &front);
}

static void not_before_the_greeting(void **state)
{
        struct end hub = { 0 }, front = { 0 };
        struct channel_listener *listener = NULL;
        struct channel_listen_options options = { "socket", (uid_t)-1, (gid_t)-1, 0, &handlers, NULL, &hub };
        struct channel_message m = packet(1, 2);

        (void)state;
        assert_int_equal(channel_listen(&listener, event, &options), 0);
        assert_int_equal(channel_connect(&front.peer, event, "socket", &handlers, &front), 0);
        assert_int_equal(channel_send(front.peer, &m), -ENOTCONN);
        channel_peer_free(front.peer);
        settle(); /* gone before the hub came to accept it, or right after */
        assert_null(hub.peer);
        assert_int_equal(hub.messages, 0);
        channel_listener_free(listener);
}

static void one_turn_one_datagram(void **state)
{
        int fds[2];
        struct end end = { 0 };
        uint8_t buffer[CHANNEL_DATAGRAM_MAX];
        struct writer w;

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(channel_adopt(&end.peer, event, fds[0], &handlers, &end), 0);
        assert_true(recv(fds[1], buffer, sizeof(buffer), 0) == CHANNEL_HEADER_SIZE + 12);
        struct channel_message hello = { .type = CHANNEL_HELLO, .hello = { 1, 1, CHANNEL_DATAGRAM_MAX } };
        writer_init(&w, buffer, sizeof(buffer));
        assert_int_equal(channel_encode(&w, &hello), 0);
        assert_true(send(fds[1], buffer, w.at, 0) > 0);
        settle();
        for (uint32_t i = 1; i <= 10; i++) {
                struct channel_message m = packet(i, 84);
                assert_int_equal(channel_send(end.peer, &m), 0);
        }
        assert_int_equal(recv(fds[1], buffer, sizeof(buffer), 0), -1);
        settle();
        assert_int_equal(recv(fds[1], buffer, sizeof(buffer), 0), 1000);
        assert_int_equal(recv(fds[1], buffer, sizeof(buffer), 0), -1);
        channel_peer_free(end.peer);
        close(fds[1]);
}

static void back_pressure(void **state)
{
        struct end hub, front;
        uint32_t sent = 0;
        struct channel_message m;

        (void)state;
        connect_both(&hub, &front);
        while (channel_send_room(front.peer)) {
                m = packet(++sent, 60000);
                assert_int_equal(channel_send(front.peer, &m), 0);
                assert_true(sent < 1000);
        }
        int r;
        while ((r = channel_send(front.peer, (m = packet(++sent, 60000), &m))) == 0)
                assert_true(sent < 10000);
        assert_int_equal(r, -ENOBUFS);
        assert_true(channel_bytes_queued(front.peer) < 9000000);
        assert_int_equal(front.writable, 0);
        settle();
        assert_int_equal(front.writable, 1);
        assert_true(channel_send_room(front.peer));
        assert_int_equal(hub.messages, sent - 1); /* all but the refused one */
        assert_true(hub.in_order);
        free_both(&hub, &front);
}

static void too_large_a_message(void **state)
{
        struct end hub, front;
        struct channel_message m = packet(1, 1);

        (void)state;
        connect_both(&hub, &front);
        assert_int_equal(channel_send(front.peer, &m), -EMSGSIZE);
        free_both(&hub, &front);
}

static void refused_and_freed_inside(void **state)
{
        struct end hub, front;
        struct channel_message m;

        (void)state;
        connect_both(&hub, &front);
        hub.answer = -EBADMSG; /* the handler is not content: dropped, and the rest of the batch is not shown */
        for (uint32_t i = 1; i <= 3; i++)
                assert_int_equal(channel_send(front.peer, (m = packet(i, 2), &m)), 0);
        settle();
        assert_int_equal(hub.messages, 1);
        assert_int_equal(hub.closed, -EBADMSG);
        assert_int_equal(front.closed, -ECONNRESET);

        connect_both(&hub, &front);
        hub.free_there = true;
        for (uint32_t i = 1; i <= 3; i++)
                assert_int_equal(channel_send(front.peer, (m = packet(i, 2), &m)), 0);
        settle();
        assert_int_equal(hub.messages, 1);
        assert_int_equal(hub.closed, 0); /* who frees is not told */
        assert_int_equal(front.closed, -ECONNRESET);
}

/* each row is sent as one datagram by a peer that breaks the rules */
static void rule_breakers(void **state)
{
        static const struct channel_message hello = { .type = CHANNEL_HELLO, .hello = { 1, 1, CHANNEL_DATAGRAM_MAX } };
        static const struct channel_message old = { .type = CHANNEL_HELLO, .hello = { 2, 1, CHANNEL_DATAGRAM_MAX } };
        static const struct channel_message small = { .type = CHANNEL_HELLO, .hello = { 1, 1, 1000 } };
        static const struct channel_message stop = { .type = CHANNEL_STOP };
        static const struct {
                const struct channel_message *first, *second;
                size_t cut, junk;
                int closed;
        } rows[] = {
                { &hello, NULL, 0, 0, 0 },
                { &stop, NULL, 0, 0, -EPROTO },
                { &old, NULL, 0, 0, -EPROTONOSUPPORT },
                { &small, NULL, 0, 0, -EPROTO },
                { &hello, &hello, 0, 0, -EPROTO },
                { &hello, &stop, 1, 0, -EBADMSG },
                { &hello, NULL, 1, 0, -EBADMSG },
                { &hello, NULL, 0, 1, -EBADMSG },
                { &hello, NULL, 0, CHANNEL_DATAGRAM_MAX, -EMSGSIZE },
        };
        static uint8_t buffer[CHANNEL_DATAGRAM_MAX * 2];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct end end = { 0 };
                struct writer w;
                int fds[2], room = 1000000;
                assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
                setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
                assert_int_equal(channel_adopt(&end.peer, event, fds[0], &handlers, &end), 0);
                writer_init(&w, buffer, sizeof(buffer));
                assert_int_equal(channel_encode(&w, rows[i].first), 0);
                if (rows[i].second)
                        assert_int_equal(channel_encode(&w, rows[i].second), 0);
                assert_true(send(fds[1], buffer, w.at - rows[i].cut + rows[i].junk, 0) > 0);
                settle();
                if (end.closed != rows[i].closed)
                        fail_msg("row %zu: closed with %d, not %d", i, end.closed, rows[i].closed);
                channel_peer_free(end.peer);
                close(fds[1]);
        }
}

static void too_many_peers(void **state)
{
        struct end hub = { 0 }, fronts[3] = { 0 };
        struct channel_listener *listener = NULL;
        struct channel_listen_options options = { "socket", (uid_t)-1, (gid_t)-1, 2, &handlers, NULL, &hub };

        (void)state;
        assert_int_equal(channel_listen(&listener, event, &options), 0);
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(channel_connect(&fronts[i].peer, event, "socket", &handlers, &fronts[i]), 0);
                settle();
        }
        assert_int_equal(hub.ready, 2);
        assert_int_equal(fronts[2].closed, -ECONNRESET);
        channel_peer_free(fronts[0].peer);
        settle();
        assert_int_equal(channel_connect(&fronts[2].peer, event, "socket", &handlers, &fronts[2]), 0);
        settle();
        assert_int_equal(hub.ready, 3);
        channel_peer_free(fronts[1].peer);
        channel_peer_free(fronts[2].peer);
        settle();
        channel_listener_free(listener);
}

static void sockets(void **state)
{
        struct stat st;

        (void)state;
        int fd = channel_socket_listen("socket", (gid_t)-1);
        assert_true(fd >= 0);
        assert_int_equal(stat("socket", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0660);
        close(fd);
        assert_int_equal(channel_socket_connect("socket", true), -ECONNREFUSED);
        fd = channel_socket_listen("socket", (gid_t)-1); /* a left-over is replaced */
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(shell("echo precious >file"), 0);
        assert_int_equal(channel_socket_listen("file", (gid_t)-1), -EEXIST);
        assert_int_equal(channel_socket_connect("absent", true), -ENOENT);
        assert_int_equal(
                channel_socket_listen("/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                      (gid_t)-1),
                -ENAMETOOLONG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(greeting_and_messages, setup, teardown),
                cmocka_unit_test_setup_teardown(not_before_the_greeting, setup, teardown),
                cmocka_unit_test_setup_teardown(one_turn_one_datagram, setup, teardown),
                cmocka_unit_test_setup_teardown(back_pressure, setup, teardown),
                cmocka_unit_test_setup_teardown(too_large_a_message, setup, teardown),
                cmocka_unit_test_setup_teardown(refused_and_freed_inside, setup, teardown),
                cmocka_unit_test_setup_teardown(rule_breakers, setup, teardown),
                cmocka_unit_test_setup_teardown(too_many_peers, setup, teardown),
                cmocka_unit_test_setup_teardown(sockets, setup, teardown),
        };
        return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
