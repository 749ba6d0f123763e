/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The front ends: who connects to the channel, their sessions, admission, and packets to and from the broker.
 */

#include <systemd/sd-event.h>

#include "channel/peer.h"
#include "hub/attestation.h"
#include "hub/broker.h"
#include "hub/table.h"

#define SESSION_PEER_SIZE 64

struct front_end;

struct front_session {
        struct link link; /* first: what the broker knows */
        struct table_entry entry;
        struct front_end *front; /* NULL: the session or its front end is gone */
        struct front_session *next, *previous;
        uint32_t number;
        char peer[SESSION_PEER_SIZE];
        uint16_t port;                    /* of the relay, 0: not known */
        uint8_t fingerprint[SHA256_SIZE]; /* of its certificate's key, the leaf's */
        struct attestation attestation;
};

/* The answer to a certificate chain. */
struct admission {
        struct decision decision;
        char identity[IDENTITY_SIZE];
        bool is_device;
        const struct access_role *role;
        uint8_t fingerprint[SHA256_SIZE]; /* of the leaf's key */
};

struct frontends;
struct frontends_options {
        const char *path; /* of the channel's socket; NULL: frontends_adopt() only */
        uid_t peer_uid;
        gid_t group;
        void (*admit)(void *context, const struct channel_open *open, struct admission *out);
        void (*before)(void *context); /* ahead of each message: time may have passed */
        void *context;
};
int frontends_new(struct frontends **ret, sd_event *event, const struct frontends_options *options);
struct frontends *frontends_free(struct frontends *frontends); /* before the broker */
void frontends_use(struct frontends *frontends, struct broker *broker);
int frontends_adopt(struct frontends *frontends, int fd); /* a connected socket: tests */
uint32_t frontends_sessions(const struct frontends *frontends);
/* Cuts off front ends that do not read; at the end of a turn. */
void frontends_reap(struct frontends *frontends);
/* STOP to all of them, no wills */
void frontends_stop(struct frontends *frontends);
void frontends_walk(struct frontends *frontends, void (*fn)(void *context, struct front_session *session),
                    void *context);

/* ---- for struct broker_host */
void frontends_send(struct link *link, struct span packet);
void frontends_close(struct link *link, uint8_t mqtt_reason);
bool frontends_writable(const struct link *link);
void frontends_release(struct link *link);
