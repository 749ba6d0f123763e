/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * relay-guardd as a whole: the hub's wishes on one side, the kernel on the other.
 */

#include <systemd/sd-event.h>

#include "guard/ruleset.h"

/* What the hub may ask for. A hub that is taken over cannot get more. */
enum lockdown_rule {
        LOCKDOWN_NO = 0,   /* policies with lockdown are refused */
        LOCKDOWN_ALLOWED,  /* as the policy says */
        LOCKDOWN_REQUIRED, /* policies without lockdown are refused */
};

struct server_options {
        const char *channel;  /* the hub's socket */
        const char *database; /* compiled by relay-country */
        struct ruleset_options rules;
        uint16_t admin_ports[COUNTRY_PORTS_MAX]; /* that a policy may open under lockdown */
        size_t admin_port_count;
        enum lockdown_rule lockdown;
};

struct server;

/* options must live as long as the server. 0 or -errno (logged) */
int server_new(struct server **ret, sd_event *event, const struct server_options *options);
/* The table stays in the kernel. */
struct server *server_free(struct server *server);
CLEANUP_DEFINE(struct server, server_free)
