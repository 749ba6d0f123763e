/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Making and ending the manager: for main.c and tests. */

#include <systemd/sd-event.h>

#include "conf/conf.h"
#include "relay/crypto.h"
#include "store/store.h"
#include "uplink/uplink.h"

struct manager;
struct frontends;

struct manager_options {
        const struct conf *conf; /* outlives the manager */
        sd_event *event;
        struct store *store;                      /* open; stays the caller's */
        bool gate_only;                           /* a stand-alone gate: tickets, approvals, audit, and nothing else */
        bool listen;                              /* the channel's socket in the runtime folder */
        uid_t front_uid;                          /* who may connect besides our own uid; (uid_t)-1: nobody else */
        uid_t guard_uid;                          /* the same for the guard */
        const struct public_key *tls_key;         /* the front ends'; NULL: no device can prove itself (DICE-1) */
        const struct uplink_transport *transport; /* NULL: TCP and TLS */
};
/* 0 or -errno; error: a sentence for people */
int manager_new(struct manager **ret, const struct manager_options *options, char *error, size_t error_size);
struct manager *manager_free(struct manager *m); /* NULL-safe; closes without wills, writes what is staged */
int manager_start(struct manager *m);            /* connects to the cloud */
/* Tells front ends and cloud; then leave the loop and free. */
void manager_stop(struct manager *m);
/* SIGHUP: roles again. Errors are logged and the old ones stay. */
void manager_reload(struct manager *m);
struct frontends *manager_frontends(struct manager *m);

static inline void manager_freep(struct manager **m)
{
        *m = manager_free(*m);
}
