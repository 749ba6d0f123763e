/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uplink/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/time.h"

#define ERROR_SIZE 400
/* how long one address may keep the next one waiting */
#define ADDRESS_TIMEOUT_US (1500 * TIME_US_PER_MS)

/* Shared with the resolver thread, which may outlive the dial: whoever lets go last frees it. */
struct lookup {
        atomic_int references;
        int fd; /* eventfd, written when the answer stands */
        char host[256], port[8];
        struct addrinfo *addresses;
        int result; /* of getaddrinfo() */
};

struct dial {
        sd_event *event;
        struct lookup *lookup;
        sd_event_source *answered, *connected, *timer;
        struct addrinfo *next; /* not tried yet */
        int fd;                /* being connected, or -1 */
        char host[256];
        struct dial_request request; /* its host is the copy above */
        char error[ERROR_SIZE];
};

static void lookup_unref(struct lookup *lookup)
{
        if (!lookup || atomic_fetch_sub(&lookup->references, 1) > 1)
                return;
        if (lookup->addresses)
                freeaddrinfo(lookup->addresses);
        close_safe(lookup->fd);
        free(lookup);
}

static int lookup_run(struct lookup *lookup, int flags)
{
        const struct addrinfo hints = { .ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };

        lookup->result = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->addresses);
        return lookup->result;
}

static void *lookup_thread(void *argument)
{
        struct lookup *lookup = argument;
        const uint64_t one = 1;

        lookup_run(lookup, AI_ADDRCONFIG);
        /* eight bytes into a fresh eventfd cannot fail */
        if (write(lookup->fd, &one, sizeof(one)) != sizeof(one))
                lookup->result = EAI_SYSTEM;
        lookup_unref(lookup);
        return NULL;
}

static int lookup_start(struct lookup *lookup)
{
        pthread_attr_t attributes;
        pthread_t thread;
        sigset_t all, before;

        atomic_fetch_add(&lookup->references, 1);
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int r = pthread_create(&thread, &attributes, lookup_thread, lookup);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        if (r != 0)
                atomic_fetch_sub(&lookup->references, 1);
        return -r;
}

static struct lookup *lookup_new(const char *host, uint16_t port)
{
        struct lookup *lookup = calloc(1, sizeof(*lookup));

        if (!lookup)
                return NULL;
        lookup->references = 1;
        snprintf(lookup->host, sizeof(lookup->host), "%s", host);
        snprintf(lookup->port, sizeof(lookup->port), "%u", port);
        lookup->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (lookup->fd < 0) {
                lookup_unref(lookup);
                return NULL;
        }
        return lookup;
}

static void stop_address(struct dial *dial)
{
        dial->connected = sd_event_source_disable_unref(dial->connected);
        dial->timer = sd_event_source_disable_unref(dial->timer);
        dial->fd = close_safe(dial->fd);
}

static void finish(struct dial *dial, int fd)
{
        dial->request.done(dial->request.context, fd, fd < 0 ? dial->error : "");
}

static void remember(struct dial *dial, int error)
{
        snprintf(dial->error, sizeof(dial->error), "no connection to %s port %u: %s", dial->host, dial->request.port,
                 strerror(error));
}

static void try_next(struct dial *dial);

static int on_connected(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct dial *dial = context;
        int error = 0;
        socklen_t size = sizeof(error);

        (void)source;
        (void)events;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                error = errno;
        if (error == 0) {
                int connected = steal_fd(&dial->fd);
                stop_address(dial);
                finish(dial, connected);
                return 0;
        }
        remember(dial, error);
        try_next(dial);
        return 0;
}

static int on_slow(sd_event_source *source, uint64_t usec, void *context)
{
        (void)source;
        (void)usec;
        remember(context, ETIMEDOUT);
        try_next(context);
        return 0;
}

static int begin(struct dial *dial, const struct addrinfo *address)
{
        const int one = 1;

        dial->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (dial->fd < 0 || setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
                return -errno;
        if (connect(dial->fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS)
                return -errno;
        int r = sd_event_add_io(dial->event, &dial->connected, dial->fd, EPOLLOUT, on_connected, dial);
        if (r >= 0 && dial->next)
                r = sd_event_add_time_relative(dial->event, &dial->timer, CLOCK_MONOTONIC, ADDRESS_TIMEOUT_US, 0,
                                               on_slow, dial);
        return r < 0 ? r : 0;
}

/* Every address of a name is judged by itself, after the look-up: a name may lead anywhere. */
static bool may_try(struct dial *dial, const struct addrinfo *address)
{
        char why[DIAL_WHY_SIZE] = "";

        if (!dial->request.allowed || dial->request.allowed(dial->request.context, address->ai_addr, why))
                return true;
        snprintf(dial->error, sizeof(dial->error), "no connection to %s port %u: %s", dial->host, dial->request.port,
                 why);
        return false;
}

static void try_next(struct dial *dial)
{
        stop_address(dial);
        while (dial->next) {
                const struct addrinfo *address = dial->next;
                dial->next = address->ai_next;
                if (!may_try(dial, address))
                        continue;
                int r = begin(dial, address);
                if (r == 0)
                        return;
                remember(dial, -r);
                stop_address(dial);
        }
        finish(dial, -1);
}

static int on_answered(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct dial *dial = context;

        (void)source;
        (void)fd;
        (void)events;
        dial->answered = sd_event_source_disable_unref(dial->answered);
        if (dial->lookup->result != 0)
                snprintf(dial->error, sizeof(dial->error), "the name %s cannot be resolved: %s", dial->host,
                         gai_strerror(dial->lookup->result));
        dial->next = dial->lookup->addresses;
        try_next(dial);
        return 0;
}

int dial_start(struct dial **ret, sd_event *event, const struct dial_request *request)
{
        const uint64_t one = 1;
        struct dial *dial = calloc(1, sizeof(*dial));

        if (!dial)
                return -ENOMEM;
        dial->event = sd_event_ref(event);
        dial->fd = -1;
        snprintf(dial->host, sizeof(dial->host), "%s", request->host);
        dial->request = *request;
        dial->request.host = dial->host;
        dial->lookup = lookup_new(dial->host, request->port);
        int r = dial->lookup ? 0 : -ENOMEM;
        if (r == 0)
                r = sd_event_add_io(event, &dial->answered, dial->lookup->fd, EPOLLIN, on_answered, dial);
        /* the eventfd makes the answer come from the loop in both cases */
        if (r >= 0 && lookup_run(dial->lookup, AI_NUMERICHOST) == 0)
                r = write(dial->lookup->fd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
        else if (r >= 0)
                r = lookup_start(dial->lookup);
        if (r < 0) {
                dial_free(dial);
                return r;
        }
        *ret = dial;
        return 0;
}

struct dial *dial_free(struct dial *dial)
{
        if (dial) {
                stop_address(dial);
                sd_event_source_disable_unref(dial->answered);
                lookup_unref(dial->lookup);
                sd_event_unref(dial->event);
                free(dial);
        }
        return NULL;
}
