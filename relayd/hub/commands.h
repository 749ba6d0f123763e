/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Signed commands on their way to devices (relay/command.h): from the cloud, from D-Bus, from site applications. Each
 * is verified here, whoever brought it, because some devices cannot check anything; what fails is dropped, audited and
 * alerted. A command that passed is kept in the store until its device said what came of it, or it expired, and is
 * handed to the device when it has a session and subscribes to its commands.
 *
 * To the device only when it is durable: so a command that a crash undid was never handed over, and the one who sent it
 * got no acknowledgement. A device that checks by itself gets it in every session until it reports a result (it knows a
 * repeat); another one only until it acknowledged it.
 *
 * STORE_COMMANDS (hub/command_record.h). No sockets and no clock: the host has them.
 */

#include "audit/audit.h"
#include "hub/refusals.h"
#include "hub/table.h"
#include "hub/views.h"
#include "relay/command.h"
#include "store/store.h"

#define COMMANDS_DEVICE_MAX 32   /* waiting for one device */
#define COMMANDS_MAX        4096 /* waiting altogether */

/* answers of hand() */
#define COMMANDS_HANDED 0
#define COMMANDS_ABSENT 1 /* no session, or not subscribed */
#define COMMANDS_UNSURE 2 /* handed over with QoS 0: nobody will acknowledge it */

struct commands_host {
        void *context;
        uint64_t (*now_s)(void *context); /* Unix seconds */
        bool (*time_trusted)(void *context);
        /* Is this device registered? class_id: of the registry, all zero if unknown. */
        bool (*device)(void *context, const char *device, uint8_t class_id[CLASS_ID_SIZE]);
        /* Does it verify commands itself, and report results? */
        bool (*checks)(void *context, const char *device);
        const struct site_policy *(*policy)(void *context); /* NULL: none yet */
        const struct vendor_keys *(*vendor)(void *context); /* NULL: none yet */
        /* QoS 1 with what is left till expiry (Unix seconds); what the session's queue has already is COMMANDS_HANDED,
         * too. COMMANDS_..., or negative errno. */
        int (*hand)(void *context, const char *device, struct span command, uint64_t expiry);
        void (*ended)(void *context, const struct command_end_view *end);
        void (*alert)(void *context, const char *device, enum reason reason, const char *detail);
        void (*audit)(void *context, const char *actor, enum audit_action action, const char *object,
                      const char *detail);
};

struct waiting_command;
struct commands {
        struct store *store;
        struct commands_host host;
        struct table counters; /* by device and key */
        struct waiting_command *first, *last;
        size_t count;
        uint64_t next_number;
        struct refusals refusals;
};

/* Reads the store, which is borrowed. 0, -ENOMEM, -EBADMSG (a record is damaged), or the store's error */
int commands_load(struct commands *commands, struct store *store, const struct commands_host *host);
void commands_release(struct commands *commands);

/* how a command came */
struct command_origin {
        const char *actor;  /* of audit/audit.h */
        const char *device; /* whose topic it came on; NULL: none, the command says it */
        bool again;         /* the one who sent it says that it may have come before (DUP): a repeat is no attack */
};
/*
 * REASON_NONE: taken and staged (or known already, and said to come again); *counter: the command's. Otherwise refused,
 * audited and alerted: MALFORMED, TOO_LARGE, WRONG_SITE, WRONG_DEVICE, UNKNOWN_DEVICE, POLICY_INVALID (none yet),
 * BAD_SIGNATURE, OUT_OF_SCOPE, NO_TRUSTED_TIME, EXPIRED_COMMAND, REPLAYED_COMMAND, QUOTA (too many wait), STORE_FULL,
 * STORE_FAILED. counter may be NULL.
 */
enum reason commands_take(struct commands *commands, const struct command_origin *origin, struct span sign1,
                          uint64_t *counter);
/* Last counter seen of the key with this id for this device; 0: none. */
uint64_t commands_counter(const struct commands *commands, const char *device, const uint8_t id[KEY_ID_SIZE]);

/* What was taken since the last call is part of this commit. */
void commands_sealed(struct commands *commands, uint64_t commit);
/* Commits up to this one are on disk: hands over what waited for it. */
void commands_durable(struct commands *commands, uint64_t commit);
/* A new connection of the device: what it has not answered may be handed to it again. */
void commands_session(struct commands *commands, const char *device);
/* It subscribes to something; or may have. */
void commands_subscribed(struct commands *commands, const char *device);
/* The device acknowledged this message on its topic of commands. */
void commands_delivered(struct commands *commands, const char *device, struct span sign1);
/* It published this at commands/result. */
void commands_result(struct commands *commands, const char *device, struct span json);
/* Ends what has expired. */
void commands_tick(struct commands *commands);
