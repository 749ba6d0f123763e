/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate at the hub: the key, tickets, signed commands and checkpoints of the audit log, put between broker, cloud,
 * updater and bus. Part of the manager: manager_gate.c is what happens by itself, manager_gate_actions.c what is asked.
 */

#include "hub/checkpoints.h"
#include "hub/commands.h"
#include "hub/reports.h"
#include "hub/tickets.h"
#include "policy/access.h"

struct manager;
struct link;
struct message;

struct manager_gate {
        bool only;  /* nothing but a gate: no images, no offers to devices, no events */
        bool ready; /* loaded */
        struct gate_key key;
        struct tickets tickets;
        struct commands commands;
        struct checkpoints checkpoints;
        struct reports reports;
        char broken[VIEW_TEXT_MAX]; /* the audit log, as found at the start; "": whole */
        bool begins_anew;           /* and its checkpoints say so */
        bool store_failed;          /* a checkpoint could not be kept, and that was said */
};

/* After audit log, registry and broker. 0, or negative errno with a sentence for people. */
int manager_gate_load(struct manager *m, char *error, size_t error_size);
void manager_gate_release(struct manager *m);
void manager_gate_start(struct manager *m);
void manager_gate_stop(struct manager *m); /* the last checkpoint; when nobody has a session any more */
void manager_gate_tick(struct manager *m);
void manager_gate_sealed(struct manager *m, uint64_t commit);
void manager_gate_durable(struct manager *m, uint64_t commit);
/* A record was added to the audit log. */
void manager_gate_audited(struct manager *m);
/* What of the cloud's messages is the gate's: COMMAND, GATE_REQUEST, TICKET, REPORT. */
enum reason manager_gate_message(struct manager *m, enum access_uplink kind, const struct topic_parts *parts,
                                 struct span payload, bool again);
/* A device published this below its own prefix. */
void manager_gate_published(struct manager *m, const char *device, struct span rest, struct span payload);
/* for struct broker_host */
enum reason manager_gate_command(void *m, const struct link *link, const struct topic_parts *parts,
                                 struct span payload);
void manager_gate_subscribed(void *m, const struct link *link);
void manager_gate_delivered(void *m, const struct link *link, const struct message *message);
