/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "front/watch.h"

#include <sys/epoll.h>

#include "util/cleanup.h"

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *context)
{
        struct watch *w = context;
        struct epoll_event events[WATCH_BATCH_MAX];

        (void)source, (void)revents;
        int n = epoll_wait(fd, events, w->batch, 0);
        for (int i = 0; i < n; i++)
                w->handler(w->context, events[i].data.u32, events[i].events);
        return 0;
}

int watch_init(struct watch *w, sd_event *event, int64_t priority, int batch, watch_handler handler, void *context)
{
        *w = (struct watch){ .batch = batch, .handler = handler, .context = context };
        w->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (w->epoll < 0)
                return -errno;
        int r = sd_event_add_io(event, &w->source, w->epoll, EPOLLIN, on_ready, w);
        if (r >= 0)
                r = sd_event_source_set_priority(w->source, priority);
        return r < 0 ? r : 0;
}

void watch_done(struct watch *w)
{
        w->source = sd_event_source_disable_unref(w->source);
        w->epoll = close_safe(w->epoll);
}

int watch_set(struct watch *w, int fd, uint32_t number, uint32_t events, bool is_new)
{
        struct epoll_event event = { .events = events, .data.u32 = number };

        return epoll_ctl(w->epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

void watch_remove(struct watch *w, int fd)
{
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, fd, NULL);
}
