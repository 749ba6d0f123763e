/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uplink/dial.h"
#include "uplink/inflight.h"
#include "uplink/way.h"

struct answer {
        int fd;
        unsigned times, asked;
        char error[400];
};

static void done(void *context, int fd, const char *error)
{
        struct answer *answer = context;

        answer->fd = fd;
        answer->times++;
        snprintf(answer->error, sizeof(answer->error), "%s", error);
}

static bool refuses(void *context, const struct sockaddr *address, char why[DIAL_WHY_SIZE])
{
        assert_true(address->sa_family == AF_INET || address->sa_family == AF_INET6);
        ((struct answer *)context)->asked++;
        snprintf(why, DIAL_WHY_SIZE, "the rule says no");
        return false;
}

/* a listening socket on loopback, or with listening = false a port nobody listens on */
static int make_port(uint16_t *port, bool listening)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        if (listening)
                assert_int_equal(listen(fd, 5), 0);
        *port = ntohs(address.sin_port);
        return fd;
}

static struct answer run_request(const char *host, uint16_t port, bool refuse)
{
        struct answer answer = { .fd = -1 };
        const struct dial_request request = {
                .host = host, .port = port, .done = done, .allowed = refuse ? refuses : NULL, .context = &answer
        };
        struct dial *dial = NULL;
        sd_event *event = NULL;

        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(dial_start(&dial, event, &request), 0);
        assert_int_equal(answer.times, 0); /* only from the loop */
        for (int i = 0; i < 1000 && answer.times == 0; i++)
                assert_true(sd_event_run(event, 100000) >= 0);
        assert_int_equal(answer.times, 1);
        dial_free(dial);
        sd_event_unref(event);
        return answer;
}

static struct answer run_dial(const char *host, uint16_t port)
{
        return run_request(host, port, false);
}

static void connects(void **state)
{
        static const char *const hosts[] = { "127.0.0.1", "localhost" };
        uint16_t port;
        int listener = make_port(&port, true), one = 0;
        socklen_t size = sizeof(one);

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct answer answer = run_dial(hosts[i], port);
                assert_true(answer.fd >= 0);
                assert_int_equal(getsockopt(answer.fd, IPPROTO_TCP, TCP_NODELAY, &one, &size), 0);
                assert_int_not_equal(one, 0);
                close(answer.fd);
        }
        close(listener);
}

static void says_what_failed(void **state)
{
        uint16_t port;
        int nobody = make_port(&port, false);
        char number[8];

        (void)state;
        struct answer answer = run_dial("127.0.0.1", port);
        assert_int_equal(answer.fd, -1);
        snprintf(number, sizeof(number), "%u", port);
        assert_non_null(strstr(answer.error, "127.0.0.1"));
        assert_non_null(strstr(answer.error, number));
        assert_non_null(strstr(answer.error, "refused"));
        close(nobody);
        answer = run_dial("no such name", 1);
        assert_int_equal(answer.fd, -1);
        assert_non_null(strstr(answer.error, "no such name"));
}

/* Every address of the name is asked about, and none that is refused is tried. */
static void an_address_that_is_refused_is_not_tried(void **state)
{
        static const char *const hosts[] = { "127.0.0.1", "localhost" };
        uint16_t port;
        int listener = make_port(&port, true);

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct answer answer = run_request(hosts[i], port, true);
                assert_int_equal(answer.fd, -1);
                assert_true(answer.asked >= 1);
                assert_non_null(strstr(answer.error, hosts[i]));
                assert_non_null(strstr(answer.error, "the rule says no"));
        }
        assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(accept(listener, NULL, NULL), -1);
        close(listener);
}

static void a_connection_on_loopback_has_its_way(void **state)
{
        uint16_t port;
        int listener = make_port(&port, true);
        struct answer answer = run_dial("127.0.0.1", port);

        (void)state;
        assert_true(answer.fd >= 0);
        assert_true(way_holds(answer.fd));
        assert_true(way_holds(listener)); /* not connected: nothing to ask about */
        assert_true(way_goes_over(answer.fd, "lo"));
        assert_false(way_goes_over(answer.fd, "none0"));
        assert_false(way_goes_over(listener, "lo"));
        close(answer.fd);
        close(listener);
}

static void can_be_cancelled(void **state)
{
        struct answer answer = { .fd = -1 };
        const struct dial_request request = { .host = "localhost", .port = 1, .done = done, .context = &answer };
        struct dial *dial = NULL;
        sd_event *event = NULL;

        (void)state;
        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(dial_start(&dial, event, &request), 0);
        assert_null(dial_free(dial));
        assert_true(sd_event_run(event, 20000) >= 0);
        assert_int_equal(answer.times, 0);
        assert_null(dial_free(NULL));
        sd_event_unref(event);
}

static void inflight_finds_and_forgets(void **state)
{
        static struct inflight in;
        uint64_t cookie = 0;

        (void)state;
        inflight_clear(&in);
        for (uint16_t i = 1; i <= INFLIGHT_MAX; i++)
                inflight_add(&in, i, i * UINT64_C(10));
        assert_true(inflight_is_full(&in));
        assert_false(inflight_take(&in, 0, &cookie));
        assert_false(inflight_take(&in, INFLIGHT_MAX + 1, &cookie));
        assert_true(inflight_take(&in, 2, &cookie)); /* out of order */
        assert_int_equal(cookie, 20);
        assert_false(inflight_take(&in, 2, &cookie));
        assert_true(inflight_is_full(&in)); /* its place is free only when those before are gone */
        assert_true(inflight_take(&in, 1, &cookie));
        assert_int_equal(cookie, 10);
        assert_false(inflight_is_full(&in));
        inflight_add(&in, 2000, 7);
        inflight_add(&in, 2001, 8);
        assert_true(inflight_take(&in, 2001, &cookie));
        assert_int_equal(cookie, 8);
        for (uint16_t i = 3; i <= INFLIGHT_MAX; i++)
                assert_true(inflight_take(&in, i, &cookie));
        assert_true(inflight_take(&in, 2000, &cookie));
        assert_int_equal(in.count, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(connects),
                cmocka_unit_test(says_what_failed),
                cmocka_unit_test(an_address_that_is_refused_is_not_tried),
                cmocka_unit_test(a_connection_on_loopback_has_its_way),
                cmocka_unit_test(can_be_cancelled),
                cmocka_unit_test(inflight_finds_and_forgets),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
