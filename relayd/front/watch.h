/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Many sockets behind one event source: sd-event asks the kernel for everything that is ready before each single thing
 * it dispatches, which is a third of a busy front end's time if each socket is a source of its own.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* number: as given to watch_set(); events: EPOLLIN ... of epoll_ctl(2) */
typedef void (*watch_handler)(void *context, uint32_t number, uint32_t events);

struct watch {
        int epoll;
        int batch;
        sd_event_source *source;
        watch_handler handler;
        void *context;
};

/* Up to batch sockets (WATCH_BATCH_MAX at most) are looked after in one turn of the event loop. 0 or -errno */
#define WATCH_BATCH_MAX 64
int watch_init(struct watch *w, sd_event *event, int64_t priority, int batch, watch_handler handler, void *context);
void watch_done(struct watch *w); /* also after a failed watch_init(), and of a zeroed struct whose epoll is -1 */
/* Level-triggered. is_new: fd is not watched here yet. A closed fd leaves by itself. 0 or -errno */
int watch_set(struct watch *w, int fd, uint32_t number, uint32_t events, bool is_new);
void watch_remove(struct watch *w, int fd);
